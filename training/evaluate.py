"""Localize posed images with an environment, one by one, and report the errors.

Frames listed in the data's test.txt are evaluated if there is such a file, else those that its
authors meant for it, else all.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path

import cv2

from posemap_ros.dataset import PosedImages, open_dataset, open_part
from posemap_ros.environment import InvalidEnvironment
from posemap_ros.evaluation.errors import (
    Evaluation,
    rotation_error_deg,
    summarize,
    translation_error_m,
)
from posemap_ros.evaluation.retrieval import retrieve_poses
from posemap_ros.evaluation.tum_format import tells_time, write_tum
from posemap_ros.localizer import Localizer
from posemap_ros.support.command_line import add_data_arguments, number, run_stage
from posemap_ros.support.files import atomic_write, check_writable
from posemap_ros.support.progress import progress_bar
from posemap_ros.support.stopwatch import Stopwatch
from posemap_ros.verification.verifier import Verifier

ESTIMATED, TRUE = 'estimated.tum', 'true.tum'


def evaluate(
    environment: Path,
    data: Path,
    split: Path | None = None,
    *,
    device: str = 'auto',
    revision: int | None = None,
    data_format: str | None = None,
) -> dict[str, float]:
    """Errors of an environment on a dataset, see `Evaluation.summary`.

    Raises:
        InvalidEnvironment, DatasetError, CameraMismatch: with a sentence.
    """
    dataset = open_part(data, 'test', split, data_format)
    return localize_all(Localizer(environment, device, revision), dataset).summary()


def localize_all(
    localizer: Localizer,
    dataset: PosedImages,
    watch: Stopwatch | None = None,
    verifier: Verifier | None = None,
) -> Evaluation:
    """Localize all images of a dataset, one by one, and verify each pose if there is a verifier.

    Each image stands alone: no pose carries over to the next.
    """
    watch = watch or Stopwatch()
    with watch.section('loading'):
        localizer.localize(dataset.load(0), dataset.camera_of(0))  # the first call is slower
    estimates, verified = [], []
    for index in progress_bar(range(len(dataset)), 'localizing', len(dataset)):
        with watch.section('reading'):
            image = dataset.load(index)
        camera = dataset.camera_of(index)
        with watch.section('localizing'):
            estimates.append(localizer.localize(image, camera))
        if verifier is not None:
            with watch.section('verifying'):
                verified.append(verifier.verify(image, camera, estimates[-1]))
    return Evaluation(dataset.frames, tuple(estimates), localizer.revision, tuple(verified))


def verifier_of(localizer: Localizer) -> Verifier:
    """What verifies the poses of an environment. Raises `InvalidEnvironment` without landmarks."""
    verifier = Verifier.of(localizer.environment)
    if verifier is None:
        raise InvalidEnvironment(
            f'{localizer.environment.path} has no landmarks to verify poses by: '
            'map them with map_landmarks'
        )
    return verifier


def count_false_accepts(
    localizer: Localizer, verifier: Verifier, folders: list[Path], data_format: str | None = None
) -> dict[str, int]:
    """Of images taken elsewhere, whose poses are ignored, how many are verified all the same.

    They are taken as images of the environment's camera, scaled to its size.
    """
    camera = localizer.environment.camera
    total = accepted = 0
    for folder in folders:
        foreign = open_dataset(folder, None, data_format)
        for index in progress_bar(range(len(foreign)), f'against {folder}', len(foreign)):
            size = (camera.width, camera.height)
            image = cv2.resize(foreign.load(index), size, interpolation=cv2.INTER_AREA)
            found = verifier.verify(image, camera, localizer.localize(image, camera))
            total += 1
            accepted += found.verified
    return {'foreign_images': total, 'foreign_verified': accepted}


def write_trajectories(folder: Path, evaluation: Evaluation) -> None:
    """Write estimated.tum and true.tum into a folder, for evo."""
    stamps = [frame.stamp_ns for frame in evaluation.frames]
    write_tum(folder / ESTIMATED, evaluation.T_estimated, stamps)
    write_tum(folder / TRUE, evaluation.T_true, stamps)
    time = "the images' stamps" if tells_time(stamps) else "the frames' indices: they lack stamps"
    print(f'trajectories: {folder / ESTIMATED} and {TRUE}; their times are {time}')


def main(argv: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog='evaluate', description=__doc__)
    add = parser.add_argument
    add('--environment', type=Path, required=True, metavar='DIR', help='environment folder')
    add_data_arguments(parser)
    add('--split', type=Path, metavar='FILE', help='names of the frames to evaluate')
    add('--json', type=Path, metavar='FILE', help='write the figures there, too')
    add(
        '--report',
        type=Path,
        metavar='FILE.html',
        help='write trajectories, error curves, renders and features as one page',
    )
    add(
        '--trajectories',
        type=Path,
        metavar='DIR',
        help='write estimated.tum and true.tum there, for evo',
    )
    add(
        '--revision',
        type=number(int, 0),
        metavar='N',
        help='of the environment (default: the newest; 0: before any alignment)',
    )
    add(
        '--retrieval-from',
        type=Path,
        metavar='FILE',
        help='also say what the nearest image among these frames of the data would give',
    )
    add(
        '--verification',
        choices=('off', 'always'),
        default='off',
        help='always: verify each pose by landmarks, too (default: %(default)s)',
    )
    add(
        '--against',
        type=Path,
        nargs='+',
        default=[],
        metavar='DIR',
        help='data of other places: say how many of their images are verified; none should be',
    )
    add('--device', default='auto', help='auto, cpu, cuda, ... (default: %(default)s)')
    arguments = parser.parse_args(argv)

    def work() -> None:
        if arguments.report:
            # Not below: who lacks matplotlib should hear of it before the work, not after.
            from posemap_ros.evaluation.report import write_report
        for path in filter(None, (arguments.json, arguments.report)):
            check_writable(path)
        if arguments.trajectories:
            arguments.trajectories.mkdir(parents=True, exist_ok=True)
            check_writable(arguments.trajectories / ESTIMATED)
        watch = Stopwatch()
        with watch.section('loading'):
            data, split, kind = arguments.data, arguments.split, arguments.format
            dataset = open_part(data, 'test', split, kind)
            localizer = Localizer(arguments.environment, arguments.device, arguments.revision)
            verifies = arguments.verification == 'always'
            verifier = verifier_of(localizer) if verifies or arguments.against else None
        if localizer.environment.warning:
            print(localizer.environment.warning, file=sys.stderr)
        evaluation = localize_all(localizer, dataset, watch, verifier if verifies else None)
        summary = evaluation.summary()
        if arguments.against:
            with watch.section('foreign images'):
                summary |= count_false_accepts(localizer, verifier, arguments.against, kind)
        _print(summary)
        nearest = None
        if arguments.retrieval_from:
            with watch.section('retrieving'):
                nearest = retrieve_poses(
                    open_dataset(data, arguments.retrieval_from, kind),
                    dataset,
                    localizer.network_camera,
                    localizer.environment.recipe.aprnet.backbone,
                )
            floor = summarize(
                translation_error_m(nearest, dataset.poses),
                rotation_error_deg(nearest, dataset.poses),
            )
            print(
                f'nearest image: {floor["median_translation_m"]:.4f} m, '
                f'{floor["median_rotation_deg"]:.2f} deg median'
            )
            summary['nearest_image'] = floor
        if arguments.json:
            with atomic_write(arguments.json) as temporary:
                temporary.write_text(json.dumps(summary, indent=2) + '\n')
        if arguments.trajectories:
            write_trajectories(arguments.trajectories, evaluation)
        if arguments.report:
            with watch.section('report'):
                landmarks = verifier.landmarks.points if verifies else None
                write_report(arguments.report, evaluation, dataset, localizer, nearest, landmarks)
            print(f'report: {arguments.report}')
        print(watch.summary())

    return run_stage('evaluate', work, ValueError)


def _print(summary: Mapping[str, object], prefix: str = '') -> None:
    for name, value in summary.items():
        if isinstance(value, Mapping):
            _print(value, f'{prefix}{name} ')
        else:
            shown = f'{value:g}' if isinstance(value, int) else f'{value:.4f}'
            print(f'{prefix}{name}: {shown}')


if __name__ == '__main__':
    sys.exit(main())
