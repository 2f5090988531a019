"""Localizing posed images, one by one, and what comes out."""

from __future__ import annotations

from pathlib import Path

import cv2

from posemap_ros.dataset import PosedImages, open_images, open_part
from posemap_ros.environment import InvalidEnvironment
from posemap_ros.evaluation.errors import Evaluation
from posemap_ros.localizer import Localizer
from posemap_ros.support import commands
from posemap_ros.support.progress import progress_bar
from posemap_ros.support.stopwatch import Stopwatch
from posemap_ros.verification.verifier import Verifier


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
