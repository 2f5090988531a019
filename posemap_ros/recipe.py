"""Recipes: every choice of a training run as typed values, read from YAML where an unknown key is
an error.
"""

from __future__ import annotations

import dataclasses
import reprlib
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from posemap_ros.support.ranges import Within, check_ranges
from posemap_ros.support.resources import share_folder
from posemap_ros.support.untrusted import FileRefused, read_yaml

RECIPES = share_folder() / 'config' / 'training'
_LARGEST_RECIPE = 64 << 10  # bytes
_MOST_TIMES = 4.0  # a larger scene takes so many times the recipe's steps at most


class InvalidRecipe(ValueError):
    """A recipe that cannot be found or understood."""


# Ranges keep out what cannot work or would not fit into any memory, not what is unwise.
Count = Annotated[int, Within(1, 1_000_000)]
Steps = Annotated[int, Within(1, 100_000_000)]
Pixels = Annotated[int, Within(16, 4096)]
Rate = Annotated[float, Within(0.0, 1.0)]
Share = Annotated[float, Within(0.0, 1.0)]
Weight = Annotated[float, Within(0.0, 1e6)]
Stages = Annotated[int, Within(0, 16)]


class _Checked:
    """Values are in their ranges, wherever they come from."""

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True)
class ScheduleRecipe(_Checked):
    """How a learning rate goes from the first step to the last (posemap_ros/training_loop.py)."""

    warmup_steps: Annotated[int, Within(0, 1_000_000)] = 50
    decay: Literal['cosine', 'exponential', 'none'] = 'cosine'
    final_rate: Annotated[float, Within(1e-6, 1.0)] = 0.02  # of itself, to which it decays


@dataclass(frozen=True)
class PlateauRecipe(_Checked):
    """What is done when the error of the held-out frames gets no better
    (posemap_ros/training_loop.py).
    """

    checks: Count = 10  # times in a training that it is looked at
    patience: Share = 1.0  # of the steps, without progress, and the learning rate falls
    factor: Annotated[float, Within(1e-6, 1.0)] = 1.0  # to so much of itself
    stop: Share = 1.0  # of the steps, without progress, and the training ends


@dataclass(frozen=True)
class MlpRecipe(_Checked):
    """NeRF-H's networks, where the field is `mlp` (posemap_ros/nerf_p/mlp_field.py)."""

    layers: Annotated[int, Within(1, 64)] = 8
    width: Annotated[int, Within(2, 4096)] = 128
    # samples are linear in depth, to so many times the scene's middle depth
    reach: Annotated[float, Within(1.0, 1000.0)] = 4.0
    transient: bool = True  # learn what only some photos show apart from the static scene
    render_transient: bool = False  # and show it in renders, too, as NeRF-H does


@dataclass(frozen=True)
class NerfRecipe(_Checked):
    """How NeRF-P is trained (posemap_ros/nerf_p)."""

    field: Literal['grid', 'mlp'] = 'grid'
    appearance: Literal['affine', 'percent_embedding'] = 'affine'
    pose_branch_sees_position: bool = False
    pose_branch_sees_direction: bool = False
    image_height: Pixels = 120  # of the shorter side, as every such size
    resolutions: Annotated[tuple[int, ...], Within(2, 4096)] = (64, 128, 256)
    channels: Annotated[int, Within(1, 1024)] = 16
    proposal_samples: Annotated[int, Within(2, 512)] = 40
    final_samples: Annotated[int, Within(2, 512)] = 24
    steps: Steps = 2500
    rays_per_step: Count = 2048
    learning_rate: Rate = 1e-2
    schedule: ScheduleRecipe = ScheduleRecipe()  # of both trainings
    distortion_weight: Weight = 2e-3
    smoothness_weight: Weight = 1e-2
    depth_weight: Weight = 0.0
    pose_steps: Steps = 400
    pose_batch: Count = 16
    pose_learning_rate: Rate = 1e-3
    mlp: MlpRecipe = MlpRecipe()

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= len(self.resolutions) <= 16:
            raise ValueError(
                f'resolutions must be 1 to 16 numbers, but are {len(self.resolutions)}'
            )


@dataclass(frozen=True)
class ViewsRecipe(_Checked):
    """The synthetic views that APRNet is trained on (RVS)."""

    per_frame: Annotated[int, Within(0, 1000)] = 2
    at_least: Annotated[int, Within(0, 1_000_000)] = 0  # in all
    max_translation_m: Annotated[float, Within(0.0, 1000.0)] = 0.2
    max_translation_radii: Annotated[float, Within(0.0, 10.0)] = 0.1
    max_rotation_deg: Annotated[float, Within(0.0, 180.0)] = 10.0
    image_height: Pixels = 72
    redraw_steps: Annotated[int, Within(0, 100_000_000)] = 0  # 0: drawn once

    def each(self, frames: int) -> int:
        """How many there are of each of so many frames: more where a large place was walked
        through once.
        """
        return max(self.per_frame, -(-self.at_least // frames))

    def reach_m(self, middle_m: float) -> float:
        """How far a view may lie from a training pose along each axis, where things are about so
        far away: a step indoors is 0.2 m, and 3 m on a street.
        """
        return max(self.max_translation_m, self.max_translation_radii * middle_m)


@dataclass(frozen=True)
class LossWeights(_Checked):
    """Factors of APRNet's losses; 0 leaves one out, and its work with it."""

    pose: Weight = 1.0
    image: Weight = 1.0
    posemap: Weight = 1.0
    rvs: Weight = 1.0
    points: Weight = 1.0


@dataclass(frozen=True)
class AprRecipe(_Checked):
    """How APRNet is trained (posemap_ros/aprnet)."""

    image_height: Annotated[int, Within(32, 2048)] = 144
    backbone: Literal['efficientnet_lite0', 'vgg16'] = 'efficientnet_lite0'
    frozen_stages: Stages = 2
    head: Literal['scene_points', 'pooled'] = 'scene_points'
    feature_stride: Annotated[int, Within(1, 16)] = 8
    steps: Steps = 2000
    batch: Count = 16
    learning_rate: Rate = 1e-3
    backbone_learning_rate: Rate = 3e-4
    schedule: ScheduleRecipe = ScheduleRecipe()
    plateau: PlateauRecipe = PlateauRecipe()
    max_gradient_norm: Weight = 10.0  # 0: no limit
    rendering_losses_from: Share = 0.5
    posemap_cells: Count = 24
    image_loss_batch: Annotated[int, Within(0, 1_000_000)] = 4
    image_loss_window: Share = 0.5
    posemap_features: Literal['pose_branch', 'trunk'] = 'pose_branch'
    turned: Share = 0.0  # of the images, about their cameras' centres
    turn_deg: Annotated[float, Within(0.0, 45.0)] = 12.0  # along each axis, at most
    brightness_jitter: Share = 0.2
    light_jitter: Share = 0.0
    noise: Share = 0.0
    pose_reduction: Literal['sum', 'mean'] = 'sum'  # over the 12 numbers
    pose_weighting: Literal['fixed', 'learned'] = 'fixed'
    supervise_counterparts: bool = False  # learn the pose of the photos' renders, too
    triplet_distance: Literal['channels', 'width'] = 'channels'
    rvs_posemap_distance: Literal['cosine', 'l2'] = 'cosine'
    loss: LossWeights = field(default_factory=LossWeights)
    views: ViewsRecipe = field(default_factory=ViewsRecipe)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.photos_per_step(processes=1)

    @property
    def uses_views(self) -> bool:
        """Whether synthetic views are trained on."""
        return self.loss.rvs > 0 and self.views.per_frame > 0

    def photos_per_step(self, processes: int) -> int:
        """How many of its share of the batch are photos for each process; the others are views.

        Raises:
            ValueError: too few.
        """
        batch = max(1, self.batch // processes)
        photos = batch // 2 if self.uses_views else batch
        if photos < 1 or (self.loss.image > 0 and min(self.image_loss_batch, photos) < 2):
            raise ValueError(
                f'the image loss compares photos with each other, and {photos} in a step of a '
                'process are too few: raise aprnet.batch and aprnet.image_loss_batch, or use '
                'fewer processes'
            )
        return photos


@dataclass(frozen=True)
class LabelledRecipe(_Checked):
    """How APRNet is aligned on images with verified poses (posemap_ros/alignment/labelled.py)."""

    rate: Annotated[float, Within(0.0, 10.0)] = 0.5  # times the learning rate of the training
    batch: Annotated[int, Within(2, 1_000_000)] = 24
    rehearsed: Share = 0.67  # of the batch, views that are known already
    views: Annotated[int, Within(3, 1_000_000)] = 160  # that are rendered for it
    epochs: Annotated[int, Within(1, 10_000)] = 30


@dataclass(frozen=True)
class AlignmentRecipe(_Checked):
    """How APRNet is aligned on how the place looks now (posemap_ros/alignment)."""

    labels: Literal['verified', 'none'] = 'verified'  # none: self-supervised, as in the paper
    labelled: LabelledRecipe = LabelledRecipe()
    learning_rate: Rate = 1e-5
    frozen_stages: Stages = 2
    view_height: Pixels = 48
    image_weight: Weight = 1.0
    posemap_weight: Weight = 1.0
    epochs: Annotated[int, Within(1, 10_000)] = 4


@dataclass(frozen=True)
class LandmarksRecipe(_Checked):
    """What poses are verified by (posemap_ros/landmarks)."""

    detector: Literal['sift', 'akaze', 'orb'] = 'sift'
    image_width: Pixels = 480  # of the longer side
    photos: Annotated[int, Within(0, 1_000_000)] = 450  # 0: no landmarks
    keypoints: Count = 1000
    pairs: Count = 4000
    landmarks: Count = 60_000
    per_cell: Count = 8


@dataclass(frozen=True)
class Recipe(_Checked):
    """A whole training run."""

    name: str
    seed: Annotated[int, Within(0, 2**32 - 1)] = 0
    # of the training frames, evenly taken
    data_fraction: Annotated[float, Within(1e-6, 1.0)] = 1.0
    held_out: Annotated[float, Within(0.0, 0.5)] = 0.05
    # share of the steps of a training after which the frames held out join in
    everything_from: Share = 1.0
    # radius of the largest scene that the steps are enough for; 0: of any
    enough_for_m: Annotated[float, Within(0.0, 1e6)] = 0.0
    nerf_p: NerfRecipe = field(default_factory=NerfRecipe)
    aprnet: AprRecipe = field(default_factory=AprRecipe)
    alignment: AlignmentRecipe = field(default_factory=AlignmentRecipe)
    landmarks: LandmarksRecipe = field(default_factory=LandmarksRecipe)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.name.isprintable():
            raise ValueError(f'name {self.name!r} cannot be printed')

    def for_scene(self, radius_m: float) -> Recipe:
        """With more steps where the scene is larger than these are enough for, in proportion to
        its radius.
        """
        if not 0.0 < self.enough_for_m < radius_m:
            return self
        more = min(radius_m / self.enough_for_m, _MOST_TIMES)
        nerf, apr = self.nerf_p, self.aprnet
        return dataclasses.replace(
            self,
            nerf_p=dataclasses.replace(
                nerf, steps=round(more * nerf.steps), pose_steps=round(more * nerf.pose_steps)
            ),
            aprnet=dataclasses.replace(apr, steps=round(more * apr.steps)),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as YAML takes them."""
        return _plain(dataclasses.asdict(self))


def load_recipe(name: str) -> Recipe:
    """Read a recipe by the name of one that ships (config/training/NAME.yaml) or by a file's path.

    ``NAME+VARIANT`` takes what the variant says (config/training/variants/VARIANT.yaml) in place
    of the recipe's values; there can be several. A recipe may itself say only how it differs from
    one that ships: ``base: NAME``.

    Raises:
        InvalidRecipe: no such recipe, not YAML, an unknown key, or a value of a wrong type.
    """
    base, *variants = [name] if Path(name).is_file() else name.split('+')
    path = _recipe_file(base, 'recipe', RECIPES)
    values, source = _read_yaml(path), str(path)
    if 'base' in values:
        shipped = _recipe_file(str(values.pop('base')), 'base recipe', RECIPES)
        values = _merged(_read_yaml(shipped), values)
        source += f' on {shipped}'
    values = {'name': path.stem, **values}
    for variant in variants:
        overlay = _recipe_file(variant, 'variant', RECIPES / 'variants')
        values = _merged(values, _read_yaml(overlay))
        values['name'] = f'{values["name"]}+{overlay.stem}'
        source += f' with {overlay}'
    return recipe_from_dict(values, source)


def _recipe_file(name: str, what: str, folder: Path) -> Path:
    path = Path(name) if name.endswith(('.yaml', '.yml')) else folder / f'{name}.yaml'
    if not path.is_file():
        shipped = ', '.join(sorted(p.stem for p in folder.glob('*.yaml')))
        raise InvalidRecipe(
            f'there is no {what} {name!r}: give one of {shipped}, or the path of a .yaml file'
        )
    return path


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        values = read_yaml(path, _LARGEST_RECIPE) or {}
    except FileRefused as error:
        raise InvalidRecipe(str(error)) from None
    if not isinstance(values, dict):
        raise InvalidRecipe(f'{path} holds no keys with values')
    return values


def _merged(values: dict[str, Any], overlay: dict[str, Any]) -> dict[str, Any]:
    """Values with the overlay's in their place, level by level."""
    both = {
        k: _merged(values[k], v) if isinstance(v, dict) and isinstance(values.get(k), dict) else v
        for k, v in overlay.items()
    }
    return {**values, **both}


def recipe_from_dict(values: dict[str, Any], source: str) -> Recipe:
    """The inverse of `Recipe.to_dict`; ``source`` is named in errors."""
    return _convert(Recipe, values, source)


def _build(cls: type, values: dict[str, Any], where: str) -> Any:
    hints = typing.get_type_hints(cls)
    unknown = sorted(set(values) - set(hints), key=str)
    if unknown:
        raise InvalidRecipe(
            f'{where}: unknown key {reprlib.repr(unknown[0])}; known are {", ".join(hints)}'
        )
    converted = {k: _convert(hints[k], v, f'{where}: {k}') for k, v in values.items()}
    try:
        return cls(**converted)
    except ValueError as error:
        raise InvalidRecipe(f'{where}: {error}') from None


def _convert(hint: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, dict):
            raise InvalidRecipe(f'{where} must hold keys with values, not {reprlib.repr(value)}')
        return _build(hint, value, where)
    if typing.get_origin(hint) is Literal:
        if isinstance(value, str) and value in typing.get_args(hint):
            return value
        raise InvalidRecipe(
            f'{where} must be one of {", ".join(typing.get_args(hint))}, not {reprlib.repr(value)}'
        )
    if typing.get_origin(hint) is tuple and isinstance(value, (list, tuple)):
        return tuple(_convert(int, v, where) for v in value)
    if hint is float and isinstance(value, (int, str)) and not isinstance(value, bool):
        try:
            value = float(value)  # YAML 1.1 reads 1e-3 as text
        except (ValueError, OverflowError):
            raise InvalidRecipe(f'{where} must be a number, not {reprlib.repr(value)}') from None
    if isinstance(hint, type) and type(value) is hint:
        return value
    raise InvalidRecipe(
        f'{where} must be {getattr(hint, "__name__", hint)}, not {reprlib.repr(value)}'
    )


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    return list(value) if isinstance(value, tuple) else value
