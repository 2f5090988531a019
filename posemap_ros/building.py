"""From a dataset to an environment: the data that a training sees, and its stages in a work folder
from which it resumes.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from torch import Tensor

from posemap_ros.aprnet.backbones import BACKBONES, WeightsNotFound
from posemap_ros.aprnet.network import APRNet
from posemap_ros.aprnet.renders import PosedViews
from posemap_ros.aprnet.trainer import predict, train_aprnet
from posemap_ros.aprnet.view_source import ViewSource
from posemap_ros.camera import Camera
from posemap_ros.check.record import PASSED, read_record
from posemap_ros.dataset import PosedImages, check_trainable, open_dataset
from posemap_ros.dataset.open_dataset import read_split, select_part
from posemap_ros.environment import Environment, make_aprnet, make_nerf_p, write_environment
from posemap_ros.evaluation.errors import rotation_error_deg, summarize, translation_error_m
from posemap_ros.evaluation.uncertainty import calibration, fit_scale
from posemap_ros.geometry import rotation_error_deg as rotation_error
from posemap_ros.geometry import translation_error
from posemap_ros.landmarks.landmark_map import LandmarkMap
from posemap_ros.landmarks.mapping import NothingInCommon, map_landmarks
from posemap_ros.localizer import Localizer
from posemap_ros.nerf_p.exposure import luma_histogram
from posemap_ros.nerf_p.nerf_p import NeRFP
from posemap_ros.nerf_p.scene import SceneFrame
from posemap_ros.nerf_p.trainer import train_pose_branch, train_render_branch
from posemap_ros.recipe import Recipe
from posemap_ros.scene_extent import measure_scene
from posemap_ros.support.device import choose_device, out_of_memory_means
from posemap_ros.support.distributed import is_first, world_size
from posemap_ros.support.files import atomic_folder, atomic_write, check_folder_is_free
from posemap_ros.support.memory import keep_freed_memory
from posemap_ros.support.progress import progress_bar
from posemap_ros.support.stopwatch import Stopwatch
from posemap_ros.support.untrusted import FileRefused, dump_yaml, open_regular, read_yaml
from posemap_ros.training_loop import InvalidCheckpoint
from posemap_ros.verification.calibrate import calibrate

_LARGEST_SCENE = 64 << 10  # bytes
_LARGEST_WEIGHTS = 4 << 30


class FolderInUse(ValueError):
    """The folder for the environment holds something already, or another process works there."""


@dataclass(frozen=True)
class Build:
    """One training run: what goes in, and where it works.

    Attributes:
        dataset: the training frames, in order.
        recipe: every choice.
        work: folder for checkpoints and renders; the run resumes from what it finds there. Several
            runs can share one: each stage works in a folder named after all that decides its
            result, so what two runs have in common is computed once.
        device: of the training.
        backbone_weights: file with ImageNet weights, or None for where the backbone finds its own.
        nerf_seed: of NeRF-P and its renders, if it is not the recipe's: runs with several seeds
            can share one NeRF-P, which takes as long as APRNet.
        check: what check_dataset said of the data, see `read_record`.
    """

    dataset: PosedImages
    recipe: Recipe
    work: Path
    device: torch.device
    backbone_weights: Path | None = None
    nerf_seed: int | None = None
    check: str = 'never run'

    @property
    def seed_of_nerf(self) -> int:
        """Of NeRF-P's training and of the poses of its views."""
        return self.recipe.seed if self.nerf_seed is None else self.nerf_seed

    @property
    def held_out(self) -> int:
        """How many frames at the end of the training split only calibrate the spread."""
        return max(4, round(self.recipe.held_out * len(self.dataset)))

    @property
    def poses(self) -> Tensor:
        """T_world_cam [N, 4, 4] float32 of all frames."""
        return torch.from_numpy(self.dataset.poses).float()

    @cached_property
    def scene(self) -> SceneFrame:
        """Measured once from the frames that are trained on, and kept in the work folder."""
        path = self.stage('scene') / 'scene.yaml'
        if not path.exists():
            frames = self.dataset.frames[: -self.held_out]
            scene = measure_scene(replace(self.dataset, frames=frames))
            with atomic_write(path) as temporary:
                temporary.write_text(dump_yaml(scene.to_dict()))
        try:
            return SceneFrame.from_dict(read_yaml(path, _LARGEST_SCENE))
        except (FileRefused, KeyError, TypeError, ValueError) as error:
            raise InvalidCheckpoint(
                f'{path} is damaged ({error}): remove it, and it is measured again'
            ) from error

    @property
    def nerf_camera(self) -> Camera:
        """Of NeRF-P's training images."""
        camera = self.dataset.camera.undistorted()
        height = self.recipe.nerf_p.image_height
        return camera.resized(round(camera.width * height / camera.height), height)

    @property
    def network_camera(self) -> Camera:
        """APRNet's input: the recipe's height and the camera's shape, to multiples of 16 for the
        PoseMap's grid.
        """
        camera = self.dataset.camera.undistorted()
        height = round(self.recipe.aprnet.image_height / 16) * 16
        return camera.resized(round(camera.width * height / camera.height / 16) * 16, height)

    def digest(self, *choices: Any) -> str:
        """Twelve hexadecimal digits that name work with these choices on these frames."""
        # With its camera where a frame has one of its own.
        frames = [[f.name, f.camera and f.camera.to_dict()] for f in self.dataset.frames]
        told = [self.recipe.held_out, self.dataset.camera.to_dict(), frames]
        digest = hashlib.sha256(json.dumps([*told, *choices]).encode())
        digest.update(self.dataset.poses.tobytes())
        return digest.hexdigest()[:12]

    def stage(self, name: str, *choices: Any) -> Path:
        """The folder of a stage whose result these choices decide."""
        folder = self.work / f'{name}-{self.digest(*choices)}'
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @property
    def nerf_choices(self) -> tuple[Any, ...]:
        """What decides NeRF-P: its seed, its recipe, and, because its pose branch sees the grid of
        APRNet's camera at neighbours of the training poses, that grid and how far they go.
        """
        views = self.recipe.aprnet.views
        return (
            self.seed_of_nerf,
            asdict(self.recipe.nerf_p),
            self.network_camera.to_dict(),
            views.reach_m(self.scene.radius_m),
            views.max_rotation_deg,
        )

    def images(self, camera: Camera) -> Tensor:
        """All frames as ``camera`` would have taken them: [N, h, w, 3] uint8."""
        count = len(self.dataset)
        images = torch.empty(count, camera.height, camera.width, 3, dtype=torch.uint8)
        for i in progress_bar(range(count), 'reading images', count):
            images[i] = torch.from_numpy(self.dataset.load_as(i, camera))
        return images


def prepare_build(
    data: Path,
    recipe: Recipe,
    work: Path,
    *,
    split: Path | None = None,
    data_format: str | None = None,
    device: str = 'auto',
    backbone_weights: Path | None = None,
) -> Build:
    """Open the dataset and choose the device.

    Args:
        split: file with the training frames' names; by default ``data/train.txt`` if there is one,
            else those that the dataset's authors meant for training, if they said, else all.
        data_format: name of the reader; None: found by looking at the folder.

    Raises:
        DatasetError: the data cannot be trained on.
        ValueError: not with this recipe on so many processes, or there is no such device.
    """
    keep_freed_memory()
    # On a GPU: the sizes of a training never change, so the first steps find what is fastest.
    torch.backends.cudnn.benchmark = True
    whole = open_dataset(data, kind=data_format)
    dataset = whole.select(read_split(split)) if split else select_part(whole, 'train')
    dataset = dataset.thinned(recipe.data_fraction)
    check_trainable(dataset)
    recipe.aprnet.photos_per_step(world_size())
    check = read_record(whole)
    if is_first():
        print(f'{len(dataset)} training frames from {split or data}, recipe {recipe.name}')
        if check != PASSED:
            print(f'WARNING: the check of these data: {check}; see check_dataset --data {data}')
    return Build(dataset, recipe, work, choose_device(device), backbone_weights, check=check)


def check_weights(build: Build) -> None:
    """Load the backbone's ImageNet weights: a fault shows before NeRF-P has trained for hours.

    Raises:
        WeightsNotFound: they are not there, or of something else.
    """
    if (file := build.backbone_weights) is not None:
        with open_regular(file, _LARGEST_WEIGHTS):
            pass
    try:
        BACKBONES[build.recipe.aprnet.backbone]().load_imagenet(file)
    except (RuntimeError, EOFError, UnpicklingError, SafetensorError) as error:
        name = file or 'what its source gave'
        raise WeightsNotFound(
            f'{name} holds no ImageNet weights of {build.recipe.aprnet.backbone}: {error}'
        ) from error


@out_of_memory_means(
    'lower nerf_p.rays_per_step, nerf_p.pose_batch or nerf_p.image_height in the recipe'
)
def train_nerf_p(build: Build) -> tuple[NeRFP, dict[str, float]]:
    """Stage 1: train or resume NeRF-P; returns it frozen, with figures of the held-out frames."""
    recipe, views = build.recipe.nerf_p, build.recipe.aprnet.views
    folder = build.stage('nerf_p', *build.nerf_choices)
    seed = build.seed_of_nerf
    torch.manual_seed(seed)
    nerf = make_nerf_p(build.scene, recipe).to(build.device)
    camera, held_out = build.nerf_camera, build.held_out
    images, poses = build.images(camera), build.poses
    seen = slice(0, -held_out)
    train_render_branch(nerf, images[seen], poses[seen], camera, recipe, seed, folder / 'views.pt')
    decoder = train_pose_branch(
        nerf,
        poses[seen],
        build.network_camera,
        recipe,
        views.reach_m(build.scene.radius_m),
        views.max_rotation_deg,
        seed,
        folder / 'posemap.pt',
    )
    nerf.eval()
    with torch.no_grad():
        unseen = poses[-held_out:].to(build.device)
        histograms = luma_histogram(images[-held_out:]).to(build.device)
        chosen = range(0, held_out, max(1, held_out // 8))
        squared = [
            (
                nerf.render_view(unseen[i], camera, histograms[i]).rgb.cpu()
                - images[i - held_out] / 255.0
            )
            .square()
            .mean()
            for i in chosen
        ]
        decoded = build.scene.T_world_scene.to(build.device) @ decoder.pose(
            nerf.posemap(unseen, build.network_camera).features
        )
        figures = {
            'held_out_psnr_db': float(-10.0 * torch.stack(squared).log10().mean()),
            'posemap_decoded_median_translation_m': float(
                translation_error(decoded, unseen).median()
            ),
            'posemap_decoded_median_rotation_deg': float(rotation_error(decoded, unseen).median()),
        }
    return nerf, figures


@out_of_memory_means(
    'lower aprnet.batch, aprnet.posemap_cells or aprnet.image_height in the recipe'
)
def train_aprnet_stage(
    build: Build, nerf: NeRFP
) -> tuple[APRNet, tuple[float, float], dict[str, float]]:
    """Stage 2: train or resume APRNet; returns it with the scale of its spread and figures of the
    held-out frames.
    """
    recipe, seed = build.recipe.aprnet, build.recipe.seed
    renders = build.stage('renders', *build.nerf_choices, asdict(recipe.views))
    folder = build.stage('aprnet', *build.nerf_choices, asdict(recipe), seed)
    torch.manual_seed(seed)
    net = make_aprnet(build.scene, build.network_camera, recipe)
    net.backbone.load_imagenet(build.backbone_weights)
    net = net.to(build.device, memory_format=torch.channels_last)
    photos = PosedViews(build.images(build.network_camera), build.poses)
    seen = photos.part(slice(0, -build.held_out))
    unseen = photos.part(slice(-build.held_out, None))
    source = ViewSource(nerf, seen, net.camera, recipe, build.seed_of_nerf, renders)
    train_aprnet(net, source, unseen, recipe, seed, folder / 'aprnet.pt')
    predicted = predict(net, unseen.images)
    poses, true = predicted.T_world_cam.double().cpu().numpy(), unseen.T_world_cam.double().numpy()
    metres, degrees = translation_error_m(poses, true), rotation_error_deg(poses, true)
    sigma_m, sigma_rad = predicted.log_sigma.exp().double().cpu().numpy().T
    scale = fit_scale(metres, sigma_m), fit_scale(np.radians(degrees), sigma_rad)
    figures = {
        **summarize(metres, degrees),
        **calibration(metres, scale[0] * sigma_m, 'translation'),
        **calibration(np.radians(degrees), scale[1] * sigma_rad, 'rotation'),
    }
    return net, scale, figures


def build_environment(build: Build, out: Path, *, overwrite: bool = False) -> Stopwatch:
    """Train NeRF-P and APRNet, or resume, map the landmarks, and write the environment folder
    ``out``.

    Raises:
        DatasetError, FolderInUse, OutOfMemory, OSError: with a sentence that says what to do.
    """
    watch = Stopwatch()
    try:
        check_folder_is_free(out, overwrite=overwrite)
    except FileExistsError:
        raise FolderInUse(
            f'{out} is not empty: give another --out, or --overwrite to replace it'
        ) from None
    check_weights(build)
    with watch.section('NeRF-P'):
        nerf, nerf_figures = train_nerf_p(build)
    with watch.section('APRNet'):
        net, spread_scale, aprnet_figures = train_aprnet_stage(build, nerf)
    if not is_first():
        return watch
    figures: dict[str, Any] = {
        'training_frames': len(build.dataset) - build.held_out,
        'check_of_data': build.check,
        'nerf_p': nerf_figures,
        'aprnet_held_out': aprnet_figures,
        'seconds': round(watch.total, 1),
    }
    with watch.section('landmarks'):
        landmarks = find_landmarks(build.dataset, nerf, net.eval(), build.recipe, build.work)
    # In the work folder first: until the landmarks are calibrated, too, the environment is not
    # finished, and the same command goes on from here.
    finished = build.work / 'environment'
    with watch.section('writing'):
        environment = write_environment(
            finished,
            build.dataset.camera,
            net,
            nerf,
            build.recipe,
            spread_scale,
            figures,
            git_revision=git_revision(),
            overwrite=True,
        )
    if landmarks is not None:
        with watch.section('calibrating'):
            store_landmarks(environment, landmarks, build.dataset, build.device)
    with atomic_folder(out, overwrite=overwrite) as folder:
        shutil.copytree(finished, folder, dirs_exist_ok=True)
    print(
        f'held-out frames: {aprnet_figures["median_translation_m"]:.3f} m, '
        f'{aprnet_figures["median_rotation_deg"]:.2f} deg median; environment in {out}'
    )
    return watch


def find_landmarks(
    dataset: PosedImages, nerf: NeRFP, net: APRNet, recipe: Recipe, work: Path
) -> LandmarkMap | None:
    """Stage 3: map the landmarks of the frames, or resume; None where the recipe wants none, and,
    with a line about it, where the frames have nothing in common.
    """
    if recipe.landmarks.photos == 0:
        return None
    try:
        landmarks = map_landmarks(dataset, nerf, net, recipe.landmarks, work)
    except NothingInCommon as error:
        print(f'no landmarks, so poses cannot be verified: {error}')
        return None
    print(
        f'{len(landmarks)} landmarks, each seen in {len(landmarks.seen) / len(landmarks):.1f} of '
        f'{len(landmarks.T_world_cam)} photos; usually sure to {np.median(landmarks.sigmas):.2g} m'
    )
    return landmarks


def store_landmarks(
    environment: Environment, landmarks: LandmarkMap, dataset: PosedImages, device: torch.device
) -> Environment:
    """Calibrate the verdicts by landmarks, and add both to the environment."""
    localizer = Localizer(environment.path, str(device), revision=0)
    calibration = calibrate(landmarks, dataset, localizer.localize)
    return environment.add_landmarks(landmarks.to_bytes(), calibration.to_dict())


def work_folder(out: Path) -> Path:
    """Where the training of an environment keeps checkpoints and renders."""
    return out.with_name(out.name + '.work')


def git_revision() -> str:
    """The checkout's commit, or 'unknown' outside one."""
    here = Path(__file__).resolve().parent
    command = ['git', '-C', str(here), 'describe', '--always', '--dirty', '--abbrev=12']
    try:
        return subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=10
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return 'unknown'
