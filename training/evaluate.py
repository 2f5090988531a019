"""Localize posed images with an environment, one by one, and report the errors.

Frames listed in the data's test.txt are evaluated if there is such a file; all of them otherwise.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from posemap_ros.command_line import run_stage
from posemap_ros.dataset import PosedImages, open_dataset
from posemap_ros.environment import Environment
from posemap_ros.evaluation import rotation_error_deg, summarize, translation_error_m
from posemap_ros.files import atomic_write
from posemap_ros.localizer import Localizer
from posemap_ros.progress import progress_bar
from posemap_ros.retrieval import retrieve_poses
from posemap_ros.stopwatch import Stopwatch


def evaluate(
    environment: Path,
    data: Path,
    split: Path | None = None,
    *,
    device: str = 'auto',
    revision: int | None = None,
    watch: Stopwatch | None = None,
) -> dict[str, float]:
    """Errors of an environment on a dataset, see `summarize`; also ``ms_per_frame`` and
    ``revision``.

    Raises:
        InvalidEnvironment, DatasetError, CameraMismatch: with a sentence.
    """
    watch = watch or Stopwatch()
    with watch.section('loading'):
        dataset = open_test_split(data, split)
        localizer = Localizer(environment, device, revision)
        localizer.localize(dataset.load(0), dataset.camera)  # the first call is slower
    estimates, milliseconds = [], []
    for index in progress_bar(range(len(dataset)), 'localizing', len(dataset)):
        with watch.section('reading'):
            image = dataset.load(index)
        with watch.section('localizing'):
            estimate = localizer.localize(image, dataset.camera)
        estimates.append(estimate.T_map_cam)
        milliseconds.append(estimate.inference_ms)
    poses = np.stack(estimates)
    summary = summarize(
        translation_error_m(poses, dataset.poses), rotation_error_deg(poses, dataset.poses)
    )
    return {
        **summary,
        'ms_per_frame': float(np.median(milliseconds)),
        'revision': localizer.revision,
    }


def evaluate_retrieval(
    environment: Path, data: Path, training: Path, split: Path | None = None
) -> dict[str, float]:
    """Errors of the pose of the nearest training image, by the features of the same backbone."""
    loaded = Environment.load(environment)
    queries = open_test_split(data, split)
    poses = retrieve_poses(
        open_dataset(data, training), queries, loaded.network_camera, loaded.recipe.aprnet.backbone
    )
    return summarize(
        translation_error_m(poses, queries.poses), rotation_error_deg(poses, queries.poses)
    )


def open_test_split(data: Path, split: Path | None) -> PosedImages:
    """The frames to evaluate: those of the split, else of the data's test.txt, else all."""
    if split is None and (data / 'test.txt').is_file():
        split = data / 'test.txt'
    return open_dataset(data, split)


def main(argv: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog='evaluate', description=__doc__)
    add = parser.add_argument
    add('--environment', type=Path, required=True, metavar='DIR', help='environment folder')
    add('--data', type=Path, required=True, metavar='DIR', help='dataset folder')
    add('--split', type=Path, metavar='FILE', help='names of the frames to evaluate')
    add('--json', type=Path, metavar='FILE', help='write the figures there, too')
    add(
        '--revision',
        type=int,
        metavar='N',
        help='of the environment (default: the newest; 0: before any alignment)',
    )
    add(
        '--retrieval-from',
        type=Path,
        metavar='FILE',
        help='also say what the nearest image among these frames of the data would give',
    )
    add('--device', default='auto', help='auto, cpu, cuda, ... (default: %(default)s)')
    arguments = parser.parse_args(argv)

    def work() -> None:
        watch = Stopwatch()
        summary = evaluate(
            arguments.environment,
            arguments.data,
            arguments.split,
            device=arguments.device,
            revision=arguments.revision,
            watch=watch,
        )
        for name, value in summary.items():
            print(f'{name}: {value:g}' if isinstance(value, int) else f'{name}: {value:.4f}')
        if arguments.retrieval_from:
            floor = evaluate_retrieval(
                arguments.environment, arguments.data, arguments.retrieval_from, arguments.split
            )
            print(
                f'nearest image: {floor["median_translation_m"]:.4f} m, '
                f'{floor["median_rotation_deg"]:.2f} deg median'
            )
            summary['nearest_image'] = floor
        if arguments.json:
            with atomic_write(arguments.json) as temporary:
                temporary.write_text(json.dumps(summary, indent=2) + '\n')
        print(watch.summary())

    return run_stage('evaluate', work, ValueError)


if __name__ == '__main__':
    sys.exit(main())
