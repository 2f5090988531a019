"""Localize posed images with an environment, one by one, and report the errors.

Frames listed in the data's test.txt are evaluated if there is such a file, else those that its
authors meant for it, else all. Several revisions of an environment, or several environments, are
compared on the same frames.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np

from posemap_ros.dataset import PosedImages, open_dataset, open_images, open_part
from posemap_ros.environment import Environment, InvalidEnvironment
from posemap_ros.evaluation.errors import (
    RECALLS,
    Evaluation,
    limits,
    rotation_error_deg,
    summarize,
    translation_error_m,
)
from posemap_ros.evaluation.retrieval import retrieve_poses
from posemap_ros.evaluation.tum_format import tells_time, write_tum
from posemap_ros.landmarks.landmark_map import LandmarkMap
from posemap_ros.localizer import Localizer
from posemap_ros.support import commands
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
    return Evaluation(
        dataset.frames, tuple(estimates), localizer.revision, tuple(verified), dataset.unit
    )


def verifier_of(localizer: Localizer) -> Verifier:
    """What verifies the poses of an environment. Raises `InvalidEnvironment` without landmarks."""
    verifier = Verifier.of(localizer.environment)
    if verifier is None:
        raise InvalidEnvironment(
            f'{localizer.environment.path} has no landmarks to verify poses by; map them: '
            + commands.stage(
                'map_landmarks', '--environment', localizer.environment.path, '--data', 'DATA'
            )
        )
    return verifier


def count_false_accepts(
    localizer: Localizer, verifier: Verifier, folders: list[Path], data_format: str | None = None
) -> dict[str, int]:
    """Of images taken elsewhere, which need no poses, how many are verified all the same.

    They are taken as images of the environment's camera, scaled to its size.
    """
    camera = localizer.environment.camera
    total = accepted = 0
    for folder in folders:
        foreign = open_images(folder, None, data_format)
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


def candidates(
    environment: Path, revisions: list[int], others: list[Path], device: str
) -> dict[str, Localizer]:
    """What is to be evaluated, by names that tell them apart: revisions of an environment, or the
    newest of it, then the newest of others. Raises `InvalidEnvironment`.
    """
    found = [(environment, revision) for revision in revisions or [None]]
    found += [(other, None) for other in others]
    localizers = [Localizer(path, device, revision) for path, revision in found]
    if len(set(revisions)) < len(revisions):
        raise InvalidEnvironment('--revision: the same one is named twice')
    names = [path.resolve().name for path, _ in found]
    if len({path for path, _ in found}) > len(set(names)) or not all(names):
        names = [str(path) for path, _ in found]
    if len(revisions) > 1:
        own = '' if not others else f'{names[0]} '
        names[: len(revisions)] = [f'{own}revision {revision}' for revision in revisions]
    if len(set(names)) < len(names):
        raise InvalidEnvironment('--compare: the same environment is named twice')
    return dict(zip(names, localizers))


def mapping_photos(environment: Environment, known: PosedImages | None) -> np.ndarray | None:
    """Positions [M, 3] of the photos that an environment was made from, as far as it says: those
    of its landmarks; else of images that are known to be; None where there are none.
    """
    if environment.landmarks is not None:
        return LandmarkMap.load(environment.landmarks).T_world_cam[:, :3, 3]
    return None if known is None else known.poses[:, :3, 3]


def main(argv: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog='evaluate', description=__doc__)
    add = parser.add_argument
    add('--environment', type=Path, required=True, metavar='DIR', help='environment folder')
    add_data_arguments(parser)
    add('--split', type=Path, metavar='FILE', help='names of the frames to evaluate')
    add(
        '--revision',
        type=number(int, 0),
        nargs='+',
        default=[],
        metavar='N',
        help='of the environment (default: the newest; 0: before any alignment); several are '
        'compared',
    )
    add(
        '--compare',
        type=Path,
        nargs='+',
        default=[],
        metavar='DIR',
        help='other environments of the same world, to compare with',
    )
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
        '--retrieval-from',
        type=Path,
        metavar='PATH',
        help='also say what the nearest image would give: of the training frames of another '
        'dataset, if it is a folder, or of those frames of the data that a file names',
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
        help='images of other places: say how many of them are verified; none should be',
    )
    add('--device', default='auto', help='auto, cpu, cuda, ... (default: %(default)s)')
    arguments = parser.parse_args(argv)

    def work() -> None:
        if arguments.report:
            # Not below: who lacks matplotlib should hear of it before the work, not after.
            from posemap_ros.evaluation.report import Beside, write_report
        for path in filter(None, (arguments.json, arguments.report)):
            check_writable(path)
        if arguments.trajectories:
            arguments.trajectories.mkdir(parents=True, exist_ok=True)
            check_writable(arguments.trajectories / ESTIMATED)
        watch = Stopwatch()
        with watch.section('loading'):
            data, split, kind = arguments.data, arguments.split, arguments.format
            dataset = open_part(data, 'test', split, kind)
            known = database(data, arguments.retrieval_from, kind)
            localizers = candidates(
                arguments.environment, arguments.revision, arguments.compare, arguments.device
            )
            verifies = arguments.verification == 'always'
            verifiers = {
                name: verifier_of(localizer) if verifies or arguments.against else None
                for name, localizer in localizers.items()
            }
        evaluations = {}
        for name, localizer in localizers.items():
            if localizer.environment.warning:
                print(localizer.environment.warning, file=sys.stderr)
            if len(localizers) > 1:
                print(f'--- {name}', flush=True)
            verifier = verifiers[name]
            evaluations[name] = localize_all(
                localizer, dataset, watch, verifier if verifies else None
            )
            figures = evaluations[name].summary()
            if arguments.against:
                with watch.section('foreign images'):
                    figures |= count_false_accepts(localizer, verifier, arguments.against, kind)
            _print(figures, dataset.unit)
            if name == next(iter(localizers)):
                summary = figures
            else:
                summary.setdefault('compared_with', {})[name] = figures
        name, localizer = next(iter(localizers.items()))
        evaluation = evaluations[name]
        nearest = None
        if known is not None:
            with watch.section('retrieving'):
                nearest = retrieve_poses(
                    known,
                    dataset,
                    localizer.network_camera,
                    localizer.environment.recipe.aprnet.backbone,
                )
            floor = summarize(
                translation_error_m(nearest, dataset.poses),
                rotation_error_deg(nearest, dataset.poses),
            )
            print(
                f'nearest image: {floor["median_translation_m"]:.4f} {dataset.unit}, '
                f'{floor["median_rotation_deg"]:.2f} deg median'
            )
            summary['nearest_image'] = floor
        if not dataset.metric:
            summary['unit'] = dataset.unit
            *_, widest = RECALLS
            print(
                'lengths are in units of the data, whose scale is arbitrary: no metres; recalls '
                f'are of as many units, such as {limits(*widest[1:], dataset.unit)}'
            )
        if arguments.json:
            with atomic_write(arguments.json) as temporary:
                temporary.write_text(json.dumps(summary, indent=2) + '\n')
        if arguments.trajectories:
            write_trajectories(arguments.trajectories, evaluation)
        if arguments.report:
            with watch.section('report'):
                verifier = verifiers[name] or Verifier.of(localizer.environment)
                beside = Beside(
                    name if len(evaluations) > 1 else '',
                    {other: evaluations[other] for other in evaluations if other != name},
                    nearest,
                    None if verifier is None else verifier.landmarks.points,
                    mapping_photos(localizer.environment, known),
                )
                write_report(arguments.report, evaluation, dataset, localizer, beside)
            print(f'report: {arguments.report}')
        print(watch.summary())

    return run_stage('evaluate', work, ValueError)


def database(data: Path, source: Path | None, kind: str | None) -> PosedImages | None:
    """The images among which the nearest one is looked for. Raises `DatasetError`."""
    if source is None:
        return None
    return open_part(source, 'train') if source.is_dir() else open_dataset(data, source, kind)


def _print(summary: Mapping[str, object], unit: str, prefix: str = '') -> None:
    for name, value in summary.items():
        if isinstance(value, Mapping):
            _print(value, unit, f'{prefix}{name} ')
        else:
            shown = f'{value:g}' if isinstance(value, int) else f'{value:.4f}'
            if unit != 'm' and name.endswith('_translation_m'):
                name = f'{name.removesuffix("_m")}_{unit}'
            print(f'{prefix}{name}: {shown}')


if __name__ == '__main__':
    sys.exit(main())
