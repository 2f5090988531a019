"""All stages one after the other, and the environment that they end in."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from posemap_ros.building.build import Build
from posemap_ros.building.field import train_nerf_p
from posemap_ros.building.landmarks import find_landmarks, store_landmarks
from posemap_ros.building.network import check_weights, train_aprnet_stage
from posemap_ros.building.time_left import TimeLeft, stages_of
from posemap_ros.environment import write_environment
from posemap_ros.support.distributed import is_first
from posemap_ros.support.files import atomic_folder, check_folder_is_free
from posemap_ros.support.stopwatch import Stopwatch


class FolderInUse(ValueError):
    """The folder for the environment holds something already, or another process works there."""


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
    time_left = TimeLeft(stages_of(build), say=print if is_first() else lambda line: None)
    time_left.begin('NeRF-P')
    with watch.section('NeRF-P'):
        nerf, nerf_figures = train_nerf_p(build)
    time_left.begin('APRNet')
    with watch.section('APRNet'):
        net, spread_scale, aprnet_figures = train_aprnet_stage(build, nerf)
    if not is_first():
        return watch
    figures: dict[str, Any] = {
        'training_frames': len(build.dataset),
        'check_of_data': build.check,
        'nerf_p': nerf_figures,
        'aprnet_held_out': aprnet_figures,
        'seconds': round(watch.total, 1),
    }
    time_left.begin('landmarks')
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
        time_left.begin('calibrating')
        with watch.section('calibrating'):
            store_landmarks(environment, landmarks, build.dataset, build.device)
    with atomic_folder(out, overwrite=overwrite) as folder:
        shutil.copytree(finished, folder, dirs_exist_ok=True)
    print(
        f'held-out frames: {aprnet_figures["median_translation_m"]:.3f} m, '
        f'{aprnet_figures["median_rotation_deg"]:.2f} deg median; environment in {out}'
    )
    return watch


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
