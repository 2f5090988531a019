"""The trained environment on disk: one folder with all that localization and alignment need.

    environment.yaml         format, cameras, scene, recipe, figures, SHA-256 of each file
    nerf_p.safetensors       radiance field with pose branch
    aprnet.safetensors       the base weights: revision 0
    landmarks.safetensors    points to verify poses by, if they were mapped
    revisions/0001/          one folder per accepted alignment: revision.yaml, aprnet.safetensors

Everything is written under a temporary name and renamed. Everything is checked when it is read; no
pickle is loaded.
"""

from __future__ import annotations

import datetime
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from posemap_ros.aprnet.network import APRNet
from posemap_ros.camera import Camera, InvalidCamera
from posemap_ros.nerf_p.grid_nerf_p import GridNeRFP
from posemap_ros.nerf_p.mlp_nerf_p import MlpNeRFP
from posemap_ros.nerf_p.nerf_p import NeRFP
from posemap_ros.nerf_p.scene import SceneFrame
from posemap_ros.recipe import AprRecipe, InvalidRecipe, NerfRecipe, Recipe, recipe_from_dict
from posemap_ros.support.files import atomic_folder, atomic_write, locked

FORMAT = 2  # 1: a scene without near_m and middle_m
MANIFEST = 'environment.yaml'
REVISION_MANIFEST = 'revision.yaml'
NERF_FILE = 'nerf_p.safetensors'
APRNET_FILE = 'aprnet.safetensors'
LANDMARKS_FILE = 'landmarks.safetensors'
_OPTIONAL = {LANDMARKS_FILE}  # environments from before there were any are read, too
_REBUILD = 'copy it again from where it was built, or build it again with build_environment'


class InvalidEnvironment(ValueError):
    """An environment folder that is missing, damaged, or of another format; says which file and
    what to do.
    """


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
    latest_revision: int
    landmarks: Path | None  # their file, if they were mapped
    verification: dict[str, Any]  # what verdicts on poses were calibrated to; empty without them

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
        if not path.is_dir():
            raise InvalidEnvironment(
                f'there is no environment folder {path}: '
                'build one with build_environment, or give the path of another'
            )
        manifest = _read_manifest(path / MANIFEST)
        latest = _latest_revision(path)
        revision = latest if revision is None else revision
        if not 0 <= revision <= latest:
            raise InvalidEnvironment(f'{path} has no revision {revision}: its newest is {latest}')
        _check_files(path, manifest)
        if revision:
            _check_files(
                _revision_folder(path, revision),
                _read_manifest(_revision_folder(path, revision) / REVISION_MANIFEST),
            )
        try:
            return cls(
                path,
                Camera.from_dict(manifest['camera']),
                Camera.from_dict(manifest['network_camera']),
                SceneFrame.from_dict(manifest['scene']),
                recipe_from_dict(manifest['recipe'], str(path / MANIFEST)),
                tuple(map(float, manifest['spread_scale'])),
                dict(manifest['figures']),
                revision,
                latest,
                path / LANDMARKS_FILE if LANDMARKS_FILE in manifest['files'] else None,
                dict(manifest.get('verification', {})),
            )
        except (KeyError, TypeError, ValueError, InvalidCamera, InvalidRecipe) as error:
            raise InvalidEnvironment(
                f'{path / MANIFEST} is damaged ({error!r}): {_REBUILD}'
            ) from error

    def load_aprnet(self, device: torch.device | str = 'cpu') -> APRNet:
        """APRNet with this revision's weights, in evaluation mode."""
        folder = _revision_folder(self.path, self.revision) if self.revision else self.path
        net = make_aprnet(self.scene, self.network_camera, self.recipe.aprnet)
        _load_weights(net, folder / APRNET_FILE)
        return net.to(device, memory_format=torch.channels_last).eval()

    def load_nerf_p(self, device: torch.device | str = 'cpu') -> NeRFP:
        """NeRF-P, frozen."""
        nerf = make_nerf_p(self.scene, self.recipe.nerf_p)
        _load_weights(nerf, self.path / NERF_FILE)
        return nerf.to(device).eval().requires_grad_(False)

    def add_revision(self, net: APRNet, figures: dict[str, Any]) -> int:
        """Store weights that were aligned from this revision, atomically, under the next number,
        which is returned. Several processes may do so at once.
        """
        with locked(self.path):
            number = _latest_revision(self.path) + 1
            with atomic_folder(_revision_folder(self.path, number)) as folder:
                _save_weights(net, folder / APRNET_FILE)
                _write_manifest(
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
            manifest = _read_manifest(path)
            manifest.pop('verification', None)
            if manifest['files'].pop(LANDMARKS_FILE, None):
                _replace_manifest(path, manifest)  # no moment at which it names another file
            with atomic_write(self.path / LANDMARKS_FILE) as temporary:
                temporary.write_bytes(content)
            manifest['files'][LANDMARKS_FILE] = hashlib.sha256(content).hexdigest()
            _replace_manifest(path, {**manifest, 'verification': verification})
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
        _write_manifest(
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
    """The numbers of the revisions in the folder, sound or not, the newest first."""
    names = [p.name for p in (path / 'revisions').glob('*') if re.fullmatch('[0-9]{4,9}', p.name)]
    return sorted((int(name) for name in names if f'{int(name):04d}' == name), reverse=True)


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


def _load_weights(module: nn.Module, path: Path) -> None:
    try:
        state = load_file(path)
        module.load_state_dict(
            {k: v.float() if v.is_floating_point() else v for k, v in state.items()}
        )
    except (SafetensorError, RuntimeError, OSError) as error:
        raise InvalidEnvironment(
            f'{path} does not fit its environment.yaml ({error}): {_REBUILD}'
        ) from error


def _write_manifest(path: Path, values: dict[str, Any]) -> None:
    """Write values, when, and the SHA-256 of each weight file beside the manifest."""
    files = {p.name: _sha256(p) for p in sorted(path.parent.glob('*.safetensors'))}
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec='seconds')
    path.write_text(yaml.safe_dump({**values, 'created': now, 'files': files}, sort_keys=False))


def _replace_manifest(path: Path, manifest: dict[str, Any]) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(yaml.safe_dump(manifest, sort_keys=False))


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        manifest = yaml.safe_load(path.read_text())
    except FileNotFoundError as error:
        raise InvalidEnvironment(
            f'{path} is missing, so this is no environment: {_REBUILD}'
        ) from error
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidEnvironment(f'{path} cannot be read ({error}): {_REBUILD}') from error
    if not isinstance(manifest, dict) or not isinstance(manifest.get('format'), int):
        raise InvalidEnvironment(f'{path} is damaged: {_REBUILD}')
    if manifest['format'] > FORMAT:
        raise InvalidEnvironment(
            f'{path} has format {manifest["format"]}, '
            f'and this version of posemap_ros reads up to {FORMAT}: update posemap_ros'
        )
    return manifest


def _check_files(folder: Path, manifest: dict[str, Any]) -> None:
    wanted = {APRNET_FILE} if (folder / REVISION_MANIFEST).exists() else {APRNET_FILE, NERF_FILE}
    listed = manifest.get('files')
    if not isinstance(listed, dict) or set(listed) - _OPTIONAL != wanted:
        raise InvalidEnvironment(
            f'{folder}: the list of files in its manifest is damaged: {_REBUILD}'
        )
    for name, digest in listed.items():
        file = folder / name
        if not file.is_file():
            raise InvalidEnvironment(f'{file} is missing: {_REBUILD}')
        if _sha256(file) != digest:
            raise InvalidEnvironment(
                f'{file} is not the file that was built (its SHA-256 differs): {_REBUILD}'
            )


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open('rb') as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
