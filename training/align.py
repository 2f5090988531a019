"""Align an environment on images of how the place looks today.

DIR of the data is a folder of images, a bag, or a dataset, whose poses are not used: where the
environment has landmarks, the images are verified by them, and what is verified is learned. The
result becomes a new revision of the environment if it helps in places that were not trained on,
and is dropped otherwise.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from posemap_ros.alignment.on_images import align_on_images
from posemap_ros.camera import Camera
from posemap_ros.dataset import PosedImages, open_images, photos
from posemap_ros.dataset.open_dataset import is_bag, is_dataset
from posemap_ros.environment import Environment
from posemap_ros.evaluation.errors import Evaluation, rotation_error_deg, translation_error_m
from posemap_ros.evaluation.run import localize_all
from posemap_ros.extraction.bag_recording import BagOptions
from posemap_ros.extraction.from_bag import extract_bag
from posemap_ros.localizer import Localizer
from posemap_ros.support.command_line import SEED, add_data_arguments, number, run_stage
from posemap_ros.support.progress import progress_bar
from posemap_ros.support.stopwatch import Stopwatch
from posemap_ros.verification.verifier import Verifier

# The poses that images come with are compared with on so many of them.
_COMPARED = 100
# They are of another world than the map where verified poses are farther from them than that.
_ANOTHER_WORLD_M, _ANOTHER_WORLD_DEG = 0.5, 15.0


@contextmanager
def images_at(
    path: Path, split: Path | None, data_format: str | None, camera: Camera
) -> Iterator[PosedImages]:
    """The images of a dataset, a folder or a bag; those of a folder that does not say which camera
    took them are taken for `camera`'s.

    Raises:
        DatasetError, BagError: there are none.
    """
    if data_format is None and not is_dataset(path) and is_bag(path):
        with tempfile.TemporaryDirectory(prefix='posemap_images_') as folder:
            extracted = Path(folder) / path.resolve().name
            options = BagOptions(pose_source='none')
            print(extract_bag(path, extracted, options, progress=progress_bar))
            yield open_images(extracted, split)
        return
    images = open_images(path, split, data_format, camera)
    if not images.is_posed and not photos.knows_camera(path):
        print(
            f'{path}: these images are taken for those of the camera that the environment was '
            f'built with; if they are of another one, say so in {path / photos.CALIBRATION}'
        )
    yield images


def against_truth(
    environment: Path, images: PosedImages, before: int, after: int, device: str
) -> str:
    """How far the network was off before and is after an alignment, by the poses that the images
    come with, as a sentence.

    Args:
        before, after: revisions of the environment.
    """
    images = images.thinned(min(1.0, _COMPARED / len(images)))
    localizer = Localizer(environment, device, before)
    was = localize_all(localizer, images, verifier=Verifier.of(localizer.environment))
    if off := _another_world(was):
        return f'the poses of the images are not of this map: {off}, so nothing is said by them'
    if after == before:
        return f'by the poses of the images, the network is off by {_median(was)}'
    now = localize_all(Localizer(environment, device, after), images)
    return (
        f'by the poses of the images, the network was off by {_median(was)} before, and is by '
        f'{_median(now)} now'
    )


def _another_world(evaluation: Evaluation) -> str:
    """By how much verified poses differ from those of the images, if that is too much."""
    which = evaluation.verified
    if not len(which):
        return ''
    verified, true = evaluation.T_verified, evaluation.T_true[which]
    metres = float(np.median(translation_error_m(verified, true)))
    degrees = float(np.median(rotation_error_deg(verified, true)))
    if metres < _ANOTHER_WORLD_M and degrees < _ANOTHER_WORLD_DEG:
        return ''
    return f'verified ones are {metres:.2f} {evaluation.unit} and {degrees:.0f} deg from them'


def _median(evaluation: Evaluation) -> str:
    metres, degrees = np.median(evaluation.translation_m), np.median(evaluation.rotation_deg)
    return f'{metres:.3f} {evaluation.unit} {degrees:.2f} deg (median of {len(evaluation.frames)})'


def main(argv: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog='align', description=__doc__)
    add = parser.add_argument
    add(
        '--environment',
        type=Path,
        required=True,
        metavar='DIR',
        help='environment folder; gets a new revision',
    )
    add_data_arguments(parser)
    add('--split', type=Path, metavar='FILE', help='names of the frames to align on')
    add('--every', type=number(int, 1), default=1, metavar='N', help='use only every N-th of them')
    add(
        '--verification',
        choices=('off', 'always'),
        default='always',
        help='off: without labels, as in the paper (default: %(default)s)',
    )
    add('--seconds', type=number(float, 0.0), metavar='S', help='stop after so long')
    add(
        '--steps',
        type=number(int, 1),
        metavar='N',
        help="stop after so many steps (default: the recipe's epochs)",
    )
    add('--seed', type=SEED, default=0)
    add('--device', default='auto', help='auto, cpu, cuda, ... (default: %(default)s)')
    arguments = parser.parse_args(argv)

    def work() -> None:
        watch = Stopwatch()
        loaded = Environment.load(arguments.environment)
        with images_at(arguments.data, arguments.split, arguments.format, loaded.camera) as images:
            images = replace(images, frames=images.frames[:: arguments.every])
            result = align_on_images(
                arguments.environment,
                images,
                verify=arguments.verification == 'always',
                revision=loaded.revision,
                seconds=arguments.seconds,
                steps=arguments.steps,
                device=arguments.device,
                seed=arguments.seed,
                watch=watch,
            )
            print(f'{result.reason}; the environment is at revision {result.revision}')
            if images.is_posed:
                with watch.section('comparing'):
                    print(
                        against_truth(
                            arguments.environment,
                            images,
                            loaded.revision,
                            result.revision,
                            arguments.device,
                        )
                    )
        print(watch.summary())

    return run_stage('align', work, ValueError, when_stopped='the environment is as it was')


if __name__ == '__main__':
    sys.exit(main())
