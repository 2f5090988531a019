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
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from posemap_ros.dataset import PosedImages, open_dataset, open_part
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
from posemap_ros.evaluation.run import count_false_accepts, localize_all, verifier_of
from posemap_ros.evaluation.tum_format import tells_time, write_tum
from posemap_ros.landmarks.landmark_map import LandmarkMap
from posemap_ros.localizer import Localizer
from posemap_ros.support.command_line import add_data_arguments, number, run_stage
from posemap_ros.support.files import atomic_write, check_writable
from posemap_ros.support.stopwatch import Stopwatch
from posemap_ros.verification.verifier import Verifier

ESTIMATED, TRUE = 'estimated.tum', 'true.tum'


@dataclass(frozen=True)
class Candidate:
    """One revision of one environment, by a name that tells it from the others."""

    name: str
    localizer: Localizer
    verifier: Verifier | None  # if something is to be verified


def find_candidates(arguments: argparse.Namespace) -> list[Candidate]:
    """Revisions of an environment, or the newest of it, then the newest of others. Raises
    `InvalidEnvironment`.
    """
    environment, revisions = arguments.environment, arguments.revision
    found = [(environment, revision) for revision in revisions or [None]]
    found += [(other, None) for other in arguments.compare]
    localizers = [Localizer(path, arguments.device, revision) for path, revision in found]
    if len(set(revisions)) < len(revisions):
        raise InvalidEnvironment('--revision: the same one is named twice')
    names = [path.resolve().name for path, _ in found]
    if len({path for path, _ in found}) > len(set(names)) or not all(names):
        names = [str(path) for path, _ in found]
    if len(revisions) > 1:
        own = '' if not arguments.compare else f'{names[0]} '
        names[: len(revisions)] = [f'{own}revision {revision}' for revision in revisions]
    if len(set(names)) < len(names):
        raise InvalidEnvironment('--compare: the same environment is named twice')
    verifies = arguments.verification == 'always' or arguments.against
    return [
        Candidate(name, localizer, verifier_of(localizer) if verifies else None)
        for name, localizer in zip(names, localizers)
    ]


def measure(
    candidate: Candidate, dataset: PosedImages, arguments: argparse.Namespace, watch: Stopwatch
) -> tuple[Evaluation, dict[str, object]]:
    """Localize everything; also the figures to print."""
    localizer, verifier = candidate.localizer, candidate.verifier
    if localizer.environment.warning:
        print(localizer.environment.warning, file=sys.stderr)
    verifies = arguments.verification == 'always'
    evaluation = localize_all(localizer, dataset, watch, verifier if verifies else None)
    figures = evaluation.summary()
    if arguments.against:
        with watch.section('foreign images'):
            figures |= count_false_accepts(
                localizer, verifier, arguments.against, arguments.format
            )
    return evaluation, figures


def measure_nearest(
    known: PosedImages, dataset: PosedImages, localizer: Localizer
) -> tuple[np.ndarray, dict[str, float]]:
    """Poses [N, 4, 4] of the images known that are nearest by looks, and their errors."""
    backbone = localizer.environment.recipe.aprnet.backbone
    nearest = retrieve_poses(known, dataset, localizer.network_camera, backbone)
    figures = summarize(
        translation_error_m(nearest, dataset.poses), rotation_error_deg(nearest, dataset.poses)
    )
    print(
        f'nearest image: {figures["median_translation_m"]:.4f} {dataset.unit}, '
        f'{figures["median_rotation_deg"]:.2f} deg median'
    )
    return nearest, figures


def write_trajectories(folder: Path, evaluation: Evaluation) -> None:
    """Write estimated.tum and true.tum into a folder, for evo."""
    stamps = [frame.stamp_ns for frame in evaluation.frames]
    write_tum(folder / ESTIMATED, evaluation.T_estimated, stamps)
    write_tum(folder / TRUE, evaluation.T_true, stamps)
    time = "the images' stamps" if tells_time(stamps) else "the frames' indices: they lack stamps"
    print(f'trajectories: {folder / ESTIMATED} and {TRUE}; their times are {time}')


def mapping_photos(environment: Environment, known: PosedImages | None) -> np.ndarray | None:
    """Positions [M, 3] of the photos that an environment was made from, as far as it says: those
    of its landmarks; else of images that are known to be; None where there are none.
    """
    if environment.landmarks is not None:
        return LandmarkMap.load(environment.landmarks).T_world_cam[:, :3, 3]
    return None if known is None else known.poses[:, :3, 3]


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


def run(arguments: argparse.Namespace) -> None:
    """Evaluate as the command line says."""
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
        dataset = open_part(arguments.data, 'test', arguments.split, arguments.format)
        known = database(arguments.data, arguments.retrieval_from, arguments.format)
        candidates = find_candidates(arguments)
    first, others = candidates[0], {}
    for candidate in candidates:
        if len(candidates) > 1:
            print(f'--- {candidate.name}', flush=True)
        found, figures = measure(candidate, dataset, arguments, watch)
        _print(figures, dataset.unit)
        if candidate is first:
            evaluation, summary = found, figures
        else:
            others[candidate.name] = found
            summary.setdefault('compared_with', {})[candidate.name] = figures
    nearest = None
    if known is not None:
        with watch.section('retrieving'):
            nearest, summary['nearest_image'] = measure_nearest(known, dataset, first.localizer)
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
        environment = first.localizer.environment
        with watch.section('report'):
            verifier = first.verifier or Verifier.of(environment)
            beside = Beside(
                first.name if others else '',
                others,
                nearest,
                None if verifier is None else verifier.landmarks.points,
                mapping_photos(environment, known),
            )
            write_report(arguments.report, evaluation, dataset, first.localizer, beside)
        print(f'report: {arguments.report}')
    print(watch.summary())


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
    return run_stage('evaluate', lambda: run(arguments), ValueError)


if __name__ == '__main__':
    sys.exit(main())
