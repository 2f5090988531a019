"""Recipes: every choice of a training run as typed values, read from YAML where an unknown key is
an error.
"""

from __future__ import annotations

import dataclasses
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from posemap_ros.support.resources import share_folder

RECIPES = share_folder() / 'config' / 'training'


class InvalidRecipe(ValueError):
    """A recipe that cannot be found or understood."""


@dataclass(frozen=True)
class MlpRecipe:
    """NeRF-H's networks, where the field is `mlp` (posemap_ros/nerf_p/mlp_field.py)."""

    layers: int = 8
    width: int = 128
    reach: float = 4.0  # samples are linear in depth, to so many times the scene's middle depth
    transient: bool = True  # learn what only some photos show apart from the static scene
    render_transient: bool = False  # and show it in renders, too, as NeRF-H does

    def __post_init__(self) -> None:
        if self.layers < 1 or self.width < 2 or self.reach < 1.0:
            raise ValueError('layers and reach must be at least 1, width at least 2')


@dataclass(frozen=True)
class NerfRecipe:
    """How NeRF-P is trained (posemap_ros/nerf_p)."""

    field: Literal['grid', 'mlp'] = 'grid'
    appearance: Literal['affine', 'percent_embedding'] = 'affine'
    pose_branch_sees_direction: bool = False
    image_height: int = 120
    resolutions: tuple[int, ...] = (64, 128, 256)
    channels: int = 16
    proposal_samples: int = 40
    final_samples: int = 24
    steps: int = 2500
    rays_per_step: int = 2048
    learning_rate: float = 1e-2
    distortion_weight: float = 2e-3
    smoothness_weight: float = 1e-2
    pose_steps: int = 400
    pose_batch: int = 16
    pose_learning_rate: float = 1e-3
    mlp: MlpRecipe = MlpRecipe()


@dataclass(frozen=True)
class ViewsRecipe:
    """The synthetic views that APRNet is trained on (RVS)."""

    per_frame: int = 2
    max_translation_m: float = 0.2
    max_translation_radii: float = 0.1
    max_rotation_deg: float = 10.0
    image_height: int = 72
    redraw_steps: int = 0  # 0: drawn once

    def reach_m(self, radius_m: float) -> float:
        """How far a view may lie from a training pose along each axis, in a scene of this radius:
        a step indoors is 0.2 m, and 3 m on a street.
        """
        return max(self.max_translation_m, self.max_translation_radii * radius_m)


@dataclass(frozen=True)
class LossWeights:
    """Factors of APRNet's losses; 0 leaves one out, and its work with it."""

    pose: float = 1.0
    image: float = 1.0
    posemap: float = 1.0
    rvs: float = 1.0
    points: float = 1.0


@dataclass(frozen=True)
class AprRecipe:
    """How APRNet is trained (posemap_ros/aprnet)."""

    image_height: int = 144
    backbone: Literal['efficientnet_lite0', 'vgg16'] = 'efficientnet_lite0'
    frozen_stages: int = 2
    head: Literal['scene_points', 'pooled'] = 'scene_points'
    feature_stride: int = 8
    steps: int = 2000
    batch: int = 16
    learning_rate: float = 1e-3
    backbone_learning_rate: float = 3e-4
    rendering_losses_from: float = 0.5
    posemap_cells: int = 24
    image_loss_batch: int = 4
    image_loss_window: float = 0.5
    posemap_features: Literal['pose_branch', 'trunk'] = 'pose_branch'
    brightness_jitter: float = 0.2
    pose_weighting: Literal['fixed', 'learned'] = 'fixed'
    triplet_distance: Literal['channels', 'width'] = 'channels'
    rvs_posemap_distance: Literal['cosine', 'l2'] = 'cosine'
    loss: LossWeights = field(default_factory=LossWeights)
    views: ViewsRecipe = field(default_factory=ViewsRecipe)


@dataclass(frozen=True)
class AlignmentRecipe:
    """How APRNet is aligned on unlabelled images (posemap_ros/alignment.py)."""

    learning_rate: float = 1e-5
    frozen_stages: int = 2
    view_height: int = 48
    image_weight: float = 1.0
    posemap_weight: float = 1.0
    epochs: int = 4


@dataclass(frozen=True)
class Recipe:
    """A whole training run."""

    name: str
    seed: int = 0
    data_fraction: float = 1.0  # of the training frames, evenly taken
    held_out: float = 0.05
    nerf_p: NerfRecipe = field(default_factory=NerfRecipe)
    aprnet: AprRecipe = field(default_factory=AprRecipe)
    alignment: AlignmentRecipe = field(default_factory=AlignmentRecipe)

    def __post_init__(self) -> None:
        if not 0.0 < self.data_fraction <= 1.0:
            raise ValueError(
                f'data_fraction must be above 0 and at most 1, but is {self.data_fraction!r}'
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as YAML takes them."""
        return _plain(dataclasses.asdict(self))


def load_recipe(name: str) -> Recipe:
    """Read a recipe by the name of one that ships (config/training/NAME.yaml) or by a file's path.

    ``NAME+VARIANT`` takes what the variant says (config/training/variants/VARIANT.yaml) in place
    of the recipe's values; there can be several.

    Raises:
        InvalidRecipe: no such recipe, not YAML, an unknown key, or a value of a wrong type.
    """
    base, *variants = [name] if Path(name).is_file() else name.split('+')
    path = _recipe_file(base, 'recipe', RECIPES)
    values = {'name': path.stem, **_read_yaml(path)}
    source = str(path)
    for variant in variants:
        overlay = _recipe_file(variant, 'variant', RECIPES / 'variants')
        values = _merged(values, _read_yaml(overlay))
        values['name'] += f'+{overlay.stem}'
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
        values = yaml.safe_load(path.read_text()) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidRecipe(f'{path} is not YAML: {error}') from error
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
    return _build(Recipe, values, source)


def _build(cls: type, values: dict[str, Any], where: str) -> Any:
    hints = typing.get_type_hints(cls)
    unknown = sorted(set(values) - set(hints))
    if unknown:
        raise InvalidRecipe(f'{where}: unknown key {unknown[0]!r}; known are {", ".join(hints)}')
    converted = {k: _convert(hints[k], v, f'{where}: {k}') for k, v in values.items()}
    try:
        return cls(**converted)
    except ValueError as error:
        raise InvalidRecipe(f'{where}: {error}') from None


def _convert(hint: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, dict):
            raise InvalidRecipe(f'{where} must hold keys with values, not {value!r}')
        return _build(hint, value, where)
    if typing.get_origin(hint) is Literal:
        if value in typing.get_args(hint):
            return value
        raise InvalidRecipe(
            f'{where} must be one of {", ".join(typing.get_args(hint))}, not {value!r}'
        )
    if typing.get_origin(hint) is tuple and isinstance(value, (list, tuple)):
        return tuple(_convert(int, v, where) for v in value)
    if hint is float and isinstance(value, (int, str)) and not isinstance(value, bool):
        try:
            value = float(value)  # YAML 1.1 reads 1e-3 as text
        except ValueError:
            raise InvalidRecipe(f'{where} must be a number, not {value!r}') from None
    if isinstance(hint, type) and type(value) is hint:
        if isinstance(value, (int, float)) and value < 0:
            raise InvalidRecipe(f'{where} must not be negative, but is {value!r}')
        return value
    raise InvalidRecipe(f'{where} must be {getattr(hint, "__name__", hint)}, not {value!r}')


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    return list(value) if isinstance(value, tuple) else value
