"""What goes into a training run, and where it works."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from posemap_ros.camera import Camera
from posemap_ros.check.record import PASSED, read_record
from posemap_ros.dataset import PosedImages, check_trainable, leave_out_narrow, open_dataset
from posemap_ros.dataset.open_dataset import read_split, select_part
from posemap_ros.recipe import Recipe
from posemap_ros.scene_extent import SeenPoints, triangulate_seen_points
from posemap_ros.support import commands
from posemap_ros.support.device import choose_device
from posemap_ros.support.distributed import is_first, world_size
from posemap_ros.support.memory import keep_freed_memory
from posemap_ros.support.progress import progress_bar
from posemap_ros.training_phases import Phases


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

    def phases(self, steps: int) -> Phases:
        """Which frames are trained on in which of so many steps."""
        recipe = self.recipe
        return Phases.of(len(self.dataset), recipe.held_out, steps, recipe.everything_from)

    @property
    def poses(self) -> Tensor:
        """T_world_cam [N, 4, 4] float32 of all frames."""
        return torch.from_numpy(self.dataset.poses).float()

    @cached_property
    def seen_points(self) -> SeenPoints:
        """Some points of the place."""
        return triangulate_seen_points(self.dataset)

    @property
    def nerf_camera(self) -> Camera:
        """Of NeRF-P's training images."""
        camera = self.dataset.camera.undistorted()
        return camera.with_shorter_side(self.recipe.nerf_p.image_height)

    @property
    def network_camera(self) -> Camera:
        """APRNet's input: the recipe's size and the camera's shape, to multiples of 16 for the
        PoseMap's grid.
        """
        camera = self.dataset.camera.undistorted()
        return camera.with_shorter_side(self.recipe.aprnet.image_height, multiple=16)

    def digest(self, *choices: Any) -> str:
        """Twelve hexadecimal digits that name work with these choices on these frames."""
        # With its camera where a frame has one of its own.
        frames = [[f.name, f.camera and f.camera.to_dict()] for f in self.dataset.frames]
        held_out = self.recipe.held_out, self.recipe.everything_from
        told = [*held_out, self.dataset.camera.to_dict(), frames, *choices]
        digest = hashlib.sha256(json.dumps(told).encode())
        digest.update(self.dataset.poses.tobytes())
        return digest.hexdigest()[:12]

    def make_folder(self, stage: str, *choices: Any) -> Path:
        """Make the folder of a stage whose result these choices decide, if it is not there."""
        folder = self.work / f'{stage}-{self.digest(*choices)}'
        folder.mkdir(parents=True, exist_ok=True)
        return folder

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
    dataset = leave_out_narrow(dataset).thinned(recipe.data_fraction)
    check_trainable(dataset)
    recipe.aprnet.photos_per_step(world_size())
    check = read_record(whole)
    if is_first():
        print(f'{len(dataset)} training frames from {split or data}, recipe {recipe.name}')
        if check != PASSED:
            again = commands.stage('check_dataset', '--data', data)
            print(f'WARNING: the check of these data: {check}; see {again}')
    return Build(dataset, recipe, work, choose_device(device), backbone_weights, check=check)


def work_folder(out: Path) -> Path:
    """Where the training of an environment keeps checkpoints and renders."""
    return out.with_name(out.name + '.work')
