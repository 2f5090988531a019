"""The trained environment on disk: one folder with all that localization and alignment need.

    environment.yaml         format, cameras, scene, recipe, figures, SHA-256 of each file
    nerf_p.safetensors       radiance field with pose branch
    aprnet.safetensors       the base weights: revision 0
    landmarks.safetensors    points to verify poses by, if they were mapped
    revisions/0001/          one folder per accepted alignment: revision.yaml, aprnet.safetensors,
                             todays_landmarks.safetensors if it found some

Everything is written under a temporary name and renamed. Everything is checked when it is read; no
pickle is loaded.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from posemap_ros.aprnet.network import APRNet
from posemap_ros.camera import Camera
from posemap_ros.manifest import (
    FORMAT,
    LARGEST_FILE,
    REBUILD,
    InvalidEnvironment,
    check_files,
    read_manifest,
    replace_manifest,
    unreadable,
    write_manifest,
)
from posemap_ros.nerf_p.grid_nerf_p import GridNeRFP
from posemap_ros.nerf_p.mlp_nerf_p import MlpNeRFP
from posemap_ros.nerf_p.nerf_p import NeRFP
from posemap_ros.nerf_p.scene import SceneFrame
from posemap_ros.recipe import AprRecipe, NerfRecipe, Recipe, recipe_from_dict
from posemap_ros.support import commands
from posemap_ros.support.files import atomic_folder, atomic_write, locked
from posemap_ros.support.ranges import Within
from posemap_ros.support.untrusted import FileRefused, read_bytes

MANIFEST = 'environment.yaml'
REVISION_MANIFEST = 'revision.yaml'
NERF_FILE = 'nerf_p.safetensors'
APRNET_FILE = 'aprnet.safetensors'
LANDMARKS_FILE = 'landmarks.safetensors'
TODAYS_LANDMARKS_FILE = 'todays_landmarks.safetensors'

Module = TypeVar('Module', bound=nn.Module)


@dataclass(frozen=True)
class Environment:
    """A checked environment folder and one revision of its APRNet."""

    path: Path
    camera: Camera  # of the training images as they were recorded
    network_camera: Camera  # APRNet's input
    scene: SceneFrame
    recipe: Recipe
    spread_scale: tuple[
        float, float
    ]  # measured over predicted spread on held-out frames: metres, radians
    figures: dict[str, Any]  # what training measured
    revision: int  # 0 is the base
    landmarks: Path | None  # their file, if they were mapped
    todays_landmarks: Path | None  # the file of those that the revision adds, if it does
    verification: dict[str, Any]  # what verdicts on poses were calibrated to; empty without them
    digests: dict[str, str]  # SHA-256 of each file, by its name; APRNet's is the revision's
    warning: str  # why a revision before the newest is used, as a sentence; empty if it is not

    @classmethod
    def load(cls, path: Path | str, revision: int | None = None) -> Environment:
        """Read and check a folder.

        Args:
            path: the environment folder.
            revision: which accepted alignment to use; 0 is the base, None the newest.

        Raises:
            InvalidEnvironment: with one sentence that names the file and the way out.
        """
        path = Path(path)
        if not os.path.isdir(path):
            raise InvalidEnvironment(
                f'there is no environment folder {path}: '
                'give the path of another, or build one: '
                + commands.stage('build_environment', '--data', 'DATA', '--out', path)
            )
        manifest = read_manifest(path / MANIFEST)
        try:
            digests = check_files(path, manifest, {APRNET_FILE, NERF_FILE}, {LANDMARKS_FILE})
        except InvalidEnvironment:
            if read_manifest(path / MANIFEST) == manifest:
                raise
            return cls.load(path, revision)  # it was replaced, or got landmarks, just now
        warning = ''
        if revision is None:
            revision, warning = _newest_sound_revision(path)
        elif revision not in (0, *_revisions(path)):
            raise InvalidEnvironment(
                f'{path} has no revision {revision}: its newest is {_latest_revision(path)}'
            )
        if revision:
            digests |= _check_revision(path, revision)
        try:
            todays_landmarks = _revision_folder(path, revision) / TODAYS_LANDMARKS_FILE
            return cls(
                path=path,
                camera=_camera(manifest, 'camera', Within(1, 65535)),
                network_camera=_camera(manifest, 'network_camera', Within(32, 2048)),
                scene=SceneFrame.from_dict(manifest['scene']),
                recipe=recipe_from_dict(manifest['recipe'], 'recipe'),
                spread_scale=_spread_scale(manifest['spread_scale']),
                figures=dict(manifest['figures']),
                revision=revision,
                landmarks=path / LANDMARKS_FILE if LANDMARKS_FILE in digests else None,
                todays_landmarks=todays_landmarks if TODAYS_LANDMARKS_FILE in digests else None,
                verification=dict(manifest.get('verification', {})),
                digests=digests,
                warning=warning,
            )
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            reason = f'{error} is missing' if isinstance(error, KeyError) else error
            raise InvalidEnvironment(
                f'{path / MANIFEST} is damaged ({reason}): {REBUILD}'
            ) from error

    def load_aprnet(self, device: torch.device | str = 'cpu') -> APRNet:
        """APRNet with this revision's weights, in evaluation mode."""
        net = self._load_weights(
            APRNET_FILE, lambda: make_aprnet(self.scene, self.network_camera, self.recipe.aprnet)
        )
        return net.to(device, memory_format=torch.channels_last).eval()

    def load_nerf_p(self, device: torch.device | str = 'cpu') -> NeRFP:
        """NeRF-P, frozen."""
        nerf = self._load_weights(NERF_FILE, lambda: make_nerf_p(self.scene, self.recipe.nerf_p))
        return nerf.to(device).eval().requires_grad_(False)

    def read(self, name: str) -> bytes:
        """Content of one of the files in `digests`.

        Raises:
            InvalidEnvironment: it is not any more what it was when the environment was loaded.
        """
        path = self._file(name)
        try:
            content = read_bytes(path, LARGEST_FILE)
        except (OSError, FileRefused) as error:
            raise unreadable(error) from error
        if hashlib.sha256(content).hexdigest() != self.digests[name]:
            raise InvalidEnvironment(
                f'{path} was changed or replaced while it was in use: load the environment again'
            )
        return content

    def _file(self, name: str) -> Path:
        revised = self.revision and name in (APRNET_FILE, TODAYS_LANDMARKS_FILE)
        return (_revision_folder(self.path, self.revision) if revised else self.path) / name

    def _load_weights(self, name: str, make: Callable[[], Module]) -> Module:
        """The module that `make` makes, with the weights in a file."""
        content = self.read(name)
        with torch.device('meta'):  # takes no memory, whatever the manifest asks for
            expected = make().state_dict()
        try:
            state = load(content)
            _check_weights(state, expected)
            module = make()
            module.load_state_dict(
                {k: v.float() if v.is_floating_point() else v for k, v in state.items()}
            )
        except (SafetensorError, RuntimeError, ValueError, KeyError, TypeError) as error:
            raise InvalidEnvironment(
                f'{self._file(name)} does not fit its environment.yaml ({error}): {REBUILD}'
            ) from error
        return module

    def add_revision(
        self, net: APRNet, figures: dict[str, Any], todays_landmarks: bytes | None = None
    ) -> int:
        """Store weights that were aligned from this revision, atomically, under the next number,
        which is returned. Several processes may do so at once.

        Args:
            figures: plain, of the alignment.
            todays_landmarks: content of the file with landmarks that join those of the mapping.
        """
        with locked(self.path):
            number = _latest_revision(self.path) + 1
            with atomic_folder(_revision_folder(self.path, number)) as folder:
                _save_weights(net, folder / APRNET_FILE)
                if todays_landmarks is not None:
                    (folder / TODAYS_LANDMARKS_FILE).write_bytes(todays_landmarks)
                write_manifest(
                    folder / REVISION_MANIFEST,
                    {
                        'format': FORMAT,
                        'revision': number,
                        'aligned_from': self.revision,
                        'figures': figures,
                    },
                )
        return number

    def add_landmarks(self, content: bytes, verification: dict[str, Any]) -> Environment:
        """Store landmarks with the environment, in place of those it had; returns it as it is
        then.

        Whatever stops this on its way leaves the environment as it was, or without landmarks.

        Args:
            content: of their file, see `landmarks`.
            verification: plain figures that verdicts by these landmarks were calibrated to.
        """
        path = self.path / MANIFEST
        with locked(self.path):
            manifest = read_manifest(path)
            for stale in self.path.glob('.*.partial.*'):  # of a process that was killed
                stale.unlink()
            manifest.pop('verification', None)
            if manifest['files'].pop(LANDMARKS_FILE, None):
                replace_manifest(path, manifest)  # no moment at which it names another file
            with atomic_write(self.path / LANDMARKS_FILE) as temporary:
                temporary.write_bytes(content)
            manifest['files'][LANDMARKS_FILE] = hashlib.sha256(content).hexdigest()
            replace_manifest(path, {**manifest, 'verification': verification})
        return Environment.load(self.path, self.revision)


def write_environment(
    path: Path,
    camera: Camera,
    net: APRNet,
    nerf: NeRFP,
    recipe: Recipe,
    spread_scale: tuple[float, float],
    figures: dict[str, Any],
    *,
    git_revision: str = 'unknown',
    overwrite: bool = False,
) -> Environment:
    """Write an environment folder, all of it or nothing, and read it back."""
    with atomic_folder(path, overwrite=overwrite) as folder:
        _save_weights(nerf, folder / NERF_FILE)
        _save_weights(net, folder / APRNET_FILE)
        write_manifest(
            folder / MANIFEST,
            {
                'format': FORMAT,
                'git_revision': git_revision,
                'camera': camera.to_dict(),
                'network_camera': net.camera.to_dict(),
                'scene': net.scene.to_dict(),
                'spread_scale': [float(s) for s in spread_scale],
                'recipe': recipe.to_dict(),
                'figures': figures,
            },
        )
    return Environment.load(path)


def make_nerf_p(scene: SceneFrame, recipe: NerfRecipe) -> NeRFP:
    """An untrained NeRF-P as a recipe describes it."""
    return {'grid': GridNeRFP, 'mlp': MlpNeRFP}[recipe.field](scene, recipe)


def make_aprnet(scene: SceneFrame, camera: Camera, recipe: AprRecipe) -> APRNet:
    """An untrained APRNet as a recipe describes it."""
    return APRNet(scene, camera, recipe.backbone, recipe.head, recipe.feature_stride)


def _latest_revision(path: Path) -> int:
    return max(_revisions(path), default=0)


def _revisions(path: Path) -> list[int]:
    """The numbers of the revisions in the folder, sound or not."""
    try:
        names = os.listdir(path / 'revisions')
    except FileNotFoundError:
        return []
    except OSError as error:
        raise unreadable(error) from error
    numbers = [int(name) for name in names if re.fullmatch('[0-9]{4,9}', name)]
    return [number for number in numbers if _revision_folder(path, number).name in names]


def _newest_sound_revision(path: Path) -> tuple[int, str]:
    """Its number, and what is wrong with the newest if that is another."""
    warning = ''
    for number in sorted(_revisions(path), reverse=True):
        try:
            _check_revision(path, number)
            break
        except InvalidEnvironment as error:
            warning = warning or str(error)
    else:
        number = 0
    return number, warning and f'{warning}; until then revision {number} is used'


def _check_revision(path: Path, number: int) -> dict[str, str]:
    folder = _revision_folder(path, number)
    return check_files(
        folder,
        read_manifest(folder / REVISION_MANIFEST),
        {APRNET_FILE},
        {TODAYS_LANDMARKS_FILE},
    )


def _revision_folder(path: Path, revision: int) -> Path:
    return path / 'revisions' / f'{revision:04d}'


def _save_weights(module: nn.Module, path: Path) -> None:
    # Matrices in half precision: half the size, and no measurable change of a pose. Biases and
    # statistics stay.
    state = {
        k: (v.half() if v.is_floating_point() and v.dim() > 1 else v)
        for k, v in module.state_dict().items()
    }
    path.write_bytes(save({k: v.detach().cpu().contiguous() for k, v in state.items()}))


def _check_weights(state: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    """Raise ValueError unless they have the same names, shapes and kinds, and are finite."""
    if wrong := sorted(state.keys() ^ expected.keys()):
        raise ValueError(f'{wrong[0]} and {len(wrong) - 1} others are missing or unknown')
    for name, value in state.items():
        like = expected[name]
        if value.shape != like.shape or value.is_floating_point() != like.is_floating_point():
            raise ValueError(f'{name} is {value.dtype} {tuple(value.shape)}')
        if not value.isfinite().all():
            raise ValueError(f'{name} holds NaN or infinite numbers')


def _camera(manifest: dict[str, Any], name: str, sides: Within) -> Camera:
    """A camera that could be real, and of which images fit into memory."""
    camera = Camera.from_dict(manifest[name])
    for side in (camera.width, camera.height):
        sides.check(side, f'a side of {name}')
    if doubt := camera.implausible():
        raise ValueError(f'{name} is none: {doubt}')
    if name == 'network_camera' and (
        camera.distortion_model != 'none' or camera.width % 16 or camera.height % 16
    ):
        raise ValueError('network_camera must have no distortion, and sides of multiples of 16')
    return camera


def _spread_scale(values: list[Any]) -> tuple[float, float]:
    metres, radians = map(float, values)
    for value in (metres, radians):
        Within(1e-6, 1e6).check(value, 'spread_scale')
    return metres, radians
