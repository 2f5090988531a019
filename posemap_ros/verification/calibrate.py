"""Calibrates verdicts and covariances of a place on its own photos: each is localized by the
others, without those around it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from posemap_ros.camera import Camera
from posemap_ros.dataset import PosedImages
from posemap_ros.evaluation.errors import rotation_error_deg, translation_error_m
from posemap_ros.landmarks.landmark_map import LandmarkMap
from posemap_ros.support.progress import progress_bar
from posemap_ros.verification.calibration import (
    Calibration,
    cautious_spread,
    fit_spread,
    fit_thresholds,
)
from posemap_ros.verification.verifier import Verification, Verifier
from posemap_ros.verification.visibility import Visibility

if TYPE_CHECKING:
    from posemap_ros.localizer import Estimate

Localize = Callable[[np.ndarray, Camera], 'Estimate']

# How many photos are localized, spread over all. Others whose views differ by less are left out,
# because a later drive does not get that near: of the distance to what they see, plus radians. By
# turns so and so much: a drive is now nearer to the photos, now farther, and where poses drift its
# errors go with that, as do the solver's; from one distance alone they would be taken for a floor.
LOCALIZED, _APART = 160, (0.25, 0.12)
# So are this share of all before it and after it: what moments have in common (the drift of the
# poses, a clock that is off, the shutter of a camera that turns) a later drive does not share.
_MOMENTS = 0.02
_WRONG_M, _WRONG_DEG = 0.25, 10.0  # metres of a room, as below
_ELSEWHERE_DEG = 60.0  # photos turned by more show other things
# How much a sighting says about its distance beside its direction, where rays cross at a degree's
# angle or more: next to nothing.
_ALONG = 1e-4
# Right poses, with fewer of which nothing is fitted: the easy half of them and the hard one each
# have a region that holds nine in ten, which takes nine.
_FEWEST = 18
_CAUTIOUS_M, _CAUTIOUS_RAD = 0.02, 0.01  # the least floor then
_NOTHING = Calibration(0.0, 0.0, 1.0, 1.0, 0.0, 0.0)


@dataclass
class _Findings:
    """What was measured: errors and the solver's standard deviations, [metres, radians] of each
    right pose, and the support of wrong ones.
    """

    errors: list[tuple[float, float]]
    sigmas: list[tuple[float, float]]
    wrong_supports: list[float]


def calibrate(landmarks: LandmarkMap, dataset: PosedImages, localize: Localize) -> Calibration:
    """The calibration of a place. Where only few photos could be localized, thresholds are as
    high as their wrong poses ask for, and spreads are wide.

    Args:
        landmarks: of the place.
        dataset: the photos they were found in; others in it are ignored.
        localize: the network's estimate for an image uint8 RGB [H, W, 3] of a camera.
    """
    frames = _frames_of(landmarks, dataset)
    visibility = Visibility(landmarks)
    wrong_m = _WRONG_M * visibility.scale
    found = _Findings([], [], [])
    held_out = list(_held_out(landmarks, visibility))
    for photo, neighbours in progress_bar(held_out, 'calibrating', len(held_out), 'photo'):
        if frames[photo] is not None:
            verifier = Verifier(_without(landmarks, neighbours), _NOTHING)
            _measure(verifier, dataset, frames[photo], localize, wrong_m, found)
    errors, sigmas = (np.reshape(of, (-1, 2)) for of in (found.errors, found.sigmas))
    agreeing, alone = fit_thresholds(np.array(found.wrong_supports))
    if len(errors) < _FEWEST:
        least = _CAUTIOUS_M * visibility.scale, _CAUTIOUS_RAD
        spreads = (cautious_spread(errors[:, i], least[i]) for i in range(2))
    else:
        spreads = (fit_spread(errors[:, i], sigmas[:, i]) for i in range(2))
    (stretch_m, floor_m), (stretch_rad, floor_rad) = spreads
    return Calibration(agreeing, alone, stretch_m, stretch_rad, floor_m, floor_rad)


def _measure(
    verifier: Verifier,
    dataset: PosedImages,
    index: int,
    localize: Localize,
    wrong_m: float,
    found: _Findings,
) -> None:
    """Localize one image, then where it was not taken, then its mirror image, of which every pose
    is wrong.
    """
    image, camera = dataset.load(index), dataset.camera_of(index)
    T_true = dataset.frames[index].T_world_cam
    estimate = localize(image, camera)
    attempts = list(verifier.attempts(image, camera, estimate))
    right = [attempt for attempt in attempts if not _is_wrong(attempt, T_true, wrong_m)]
    if right:
        best = max(right, key=lambda attempt: attempt.cells)
        error = translation_error_m(best.T_map_cam, T_true)
        error_deg = rotation_error_deg(best.T_map_cam, T_true)
        found.errors.append((float(error), float(np.radians(error_deg))))
        found.sigmas.append((best.sigma_translation_m, np.radians(best.sigma_rotation_deg)))
    elsewhere = _estimate_elsewhere(verifier.landmarks, estimate, T_true, seed=index)
    if elsewhere is not None:
        attempts += verifier.attempts(image, camera, elsewhere)
    wrong = [attempt for attempt in attempts if _is_wrong(attempt, T_true, wrong_m)]
    # Mirrored last: no camera has the distortion of a mirrored one.
    pinhole = verifier.landmarks.camera
    mirrored = np.ascontiguousarray(dataset.load_as(index, pinhole)[:, ::-1])
    wrong += verifier.attempts(mirrored, pinhole, estimate)
    found.wrong_supports += [attempt.evidence.support for attempt in wrong]


def _is_wrong(attempt: Verification, T_true: np.ndarray, wrong_m: float) -> bool:
    return bool(
        translation_error_m(attempt.T_map_cam, T_true) > wrong_m
        or rotation_error_deg(attempt.T_map_cam, T_true) > _WRONG_DEG
    )


def _estimate_elsewhere(
    landmarks: LandmarkMap, estimate: Estimate, T_true: np.ndarray, seed: int
) -> Estimate | None:
    """As if the network took the image for a photo that shows something else."""
    turned = rotation_error_deg(landmarks.T_world_cam, T_true)
    photos = np.flatnonzero(turned > _ELSEWHERE_DEG)
    if not len(photos):
        return None
    photo = np.random.default_rng(seed).choice(photos)
    descriptor = estimate.descriptor
    if landmarks.looks.shape[1] == len(descriptor):
        descriptor = landmarks.looks[photo].astype(np.float32)
    return replace(estimate, T_map_cam=landmarks.T_world_cam[photo], descriptor=descriptor)


def _held_out(landmarks: LandmarkMap, visibility: Visibility) -> Iterator[tuple[int, np.ndarray]]:
    """Photos to localize, and those that are left out for it, itself among them: [m] indices.

    By their poses and not by their order alone: that says little where there are several cameras,
    or where files are named at random.
    """
    count = len(landmarks.T_world_cam)
    order = np.arange(count)
    localized = min(LOCALIZED, count)
    for number in range(localized):
        photo = int((number + 0.5) * count / localized)
        apart = np.add(*visibility.apart(landmarks.T_world_cam[photo]))
        near = apart < _APART[number % len(_APART)]
        near |= np.abs(order - photo) <= _MOMENTS * count
        if not near.all():
            yield photo, np.flatnonzero(near)


def _frames_of(landmarks: LandmarkMap, dataset: PosedImages) -> list[int | None]:
    """The frame of the dataset that each photo of the map is, by its pose."""
    frames: list[int | None] = []
    poses = dataset.poses
    for T in landmarks.T_world_cam:
        apart = np.abs(poses - T).max(axis=(1, 2))
        nearest = int(apart.argmin())
        frames.append(nearest if apart[nearest] < 1e-6 else None)
    return frames


def _without(landmarks: LandmarkMap, photos: np.ndarray) -> LandmarkMap:
    """The map as if some photos had never been taken: without what only they see, and with the
    other landmarks where the photos that are left place them. Otherwise they would agree with what
    the poses of those photos are off by.
    """
    counts = np.diff(landmarks.photo_offsets)
    kept = np.ones(len(counts), bool)
    kept[photos] = False
    sightings = np.repeat(kept, counts)
    origins = np.repeat(landmarks.T_world_cam[:, :3, 3], counts, axis=0)[sightings]
    return replace(
        landmarks,
        points=_placed_again(
            landmarks.points,
            np.unique(landmarks.seen[~sightings]),
            landmarks.seen[sightings],
            origins,
            landmarks.seen_points[sightings],
        ),
        T_world_cam=landmarks.T_world_cam[kept],
        looks=landmarks.looks[kept],
        photo_offsets=np.concatenate([[0], np.cumsum(counts[kept])]),
        seen=landmarks.seen[sightings],
        seen_points=landmarks.seen_points[sightings],
    )


def _placed_again(
    points: np.ndarray,
    moved: np.ndarray,
    seen: np.ndarray,
    origins: np.ndarray,
    seen_points: np.ndarray,
) -> np.ndarray:
    """Points [n, 3]; those that ``moved`` names are where their rays are nearest to each other.

    Args:
        seen: [m] the point that is seen in each sighting.
        origins: [m, 3] where from.
        seen_points: [m, 3] where on its ray; where rays hardly cross, their mean.
    """
    number = np.full(len(points), -1)
    number[moved] = np.arange(len(moved))
    chosen = number[seen] >= 0
    group, origins, ends = number[seen[chosen]], origins[chosen], seen_points[chosen]
    way = ends.astype(np.float64) - origins
    distance = np.maximum(np.linalg.norm(way, axis=1), 1e-6)
    along = (way[:, :, None] * way[:, None, :]) / distance[:, None, None] ** 2
    weight = (np.eye(3) - (1.0 - _ALONG) * along) / distance[:, None, None] ** 2
    normal = np.zeros((len(moved), 3, 3))
    wanted = np.zeros((len(moved), 3))
    np.add.at(normal, group, weight)
    np.add.at(wanted, group, np.einsum('mij,mj->mi', weight, ends))
    placed = points.copy()
    left = np.bincount(group, minlength=len(moved)) > 0
    solved = np.linalg.solve(normal[left], wanted[left][..., None])[..., 0]
    placed[moved[left]] = solved.astype(points.dtype)
    return placed
