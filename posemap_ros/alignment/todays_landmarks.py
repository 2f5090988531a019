"""Landmarks as they look today, from verified frames: what joins those of the mapping drive."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from posemap_ros.alignment.sightings import Sightings
from posemap_ros.aprnet.network import APRNet
from posemap_ros.dataset import PosedImages
from posemap_ros.environment import Environment
from posemap_ros.landmarks.landmark_map import LandmarkMap
from posemap_ros.landmarks.mapping import NothingInCommon, map_landmarks
from posemap_ros.nerf_p.nerf_p import NeRFP
from posemap_ros.recipe import LandmarksRecipe
from posemap_ros.verification.calibration import Calibration
from posemap_ros.verification.verifier import Verifier

# However often an environment is aligned, what is added stays this small.
_MOST_PHOTOS = 60
_SHARE_OF_LANDMARKS = 1 / 6  # of the mapping drive's
# What judges must find: a pose within so many standard deviations, and nearly all of them.
_AGREEMENT = 5.0
_LEAST_AGREEING = 0.95


def todays_landmarks(
    environment: Environment,
    frames: PosedImages,
    sightings: Sightings,
    judges: np.ndarray,
    nerf: NeRFP,
    net: APRNet,
) -> LandmarkMap | None:
    """The landmarks that an environment's next revision adds to those of the mapping drive; None
    where there are no new ones.

    Args:
        frames: the images, whose own poses are not used.
        sightings: of the same frames, all verified.
        judges: [n] indices of frames from which none are taken, and which must be verified as well
            with the new ones as they were without.
        nerf, net: of the place; the network as it will describe images.
    """
    base = LandmarkMap.load(environment.landmarks)
    others = np.setdiff1d(np.arange(len(frames)), judges)
    calibration = Calibration.from_dict(environment.verification)
    today = map_today(
        base,
        replace(frames, frames=tuple(frames.frames[i] for i in others)),
        sightings.select(others),
        nerf,
        net,
        environment.recipe.landmarks,
        calibration.calibrated(np.zeros((6, 6))),
    )
    if today is None:
        return None
    if environment.todays_landmarks is not None:
        earlier = LandmarkMap.load(environment.todays_landmarks)
        if earlier.fits(today):  # the map may have been made anew with another detector since
            today = renewed(earlier, today)
    verifier = Verifier.of(environment, today)
    return today if agrees(verifier, frames, sightings, judges) else None


def map_today(
    base: LandmarkMap,
    frames: PosedImages,
    sightings: Sightings,
    nerf: NeRFP,
    net: APRNet,
    recipe: LandmarksRecipe,
    floor: np.ndarray,
) -> LandmarkMap | None:
    """The landmarks of verified frames, found as those of the mapping drive were; None where no
    two frames show the same. See `todays_landmarks`.

    Args:
        floor: [6, 6] the part of the frames' covariances that every verified pose has.
    """
    posed = tuple(
        replace(frame, T_world_cam=T, camera=frames.camera_of(i))
        for i, (frame, T) in enumerate(zip(frames.frames, sightings.T_map_cam))
    )
    recipe = replace(
        recipe,
        detector=base.detector,
        image_width=base.camera.longer_side,
        photos=_MOST_PHOTOS,
        landmarks=max(1, round(_SHARE_OF_LANDMARKS * len(base))),
    )
    with tempfile.TemporaryDirectory(prefix='posemap_landmarks_') as work:
        try:
            today = map_landmarks(
                replace(frames, camera=base.camera, frames=posed), nerf, net, recipe, Path(work)
            )
        except NothingInCommon:
            return None
    # The frames' poses are no surer than the landmarks by which they were verified.
    shared = np.float32(np.median(sightings.sigmas_m))
    frame = [
        int(np.abs(sightings.T_map_cam - T).max(axis=(1, 2)).argmin()) for T in today.T_world_cam
    ]
    return replace(
        today,
        sigmas=np.hypot(today.sigmas, shared),
        pose_covariances=(sightings.covariances[frame] - floor).astype(np.float32),
    )


def renewed(earlier: LandmarkMap, today: LandmarkMap) -> LandmarkMap:
    """Today's landmarks, and those of earlier days from where there are none of today.

    Of the earlier photos those stay that are farthest from all of today's, by metres and radians,
    as many as there is room for.
    """
    shift = earlier.T_world_cam[:, None, :3, 3] - today.T_world_cam[None, :, :3, 3]
    R_a, R_b = earlier.T_world_cam[:, :3, :3], today.T_world_cam[:, :3, :3]
    cosine = (np.einsum('aij,bij->ab', R_a, R_b) - 1.0) / 2.0
    apart = np.linalg.norm(shift, axis=-1) + np.arccos(np.clip(cosine, -1.0, 1.0))
    room = max(0, _MOST_PHOTOS - len(today.T_world_cam))
    kept = np.argsort(-apart.min(axis=1), kind='stable')[:room]
    return earlier.of_photos(np.sort(kept)).joined(today)


def agrees(
    verifier: Verifier, frames: PosedImages, sightings: Sightings, judges: np.ndarray
) -> bool:
    """Whether nearly all of the frames ``judges`` are verified, and where they were before."""
    agreeing = 0
    for i in judges:
        found = verifier.verify(frames.load(i), frames.camera_of(i), sightings.estimates[i])
        if found.verified:
            off = np.linalg.norm(found.T_map_cam[:3, 3] - sightings.T_map_cam[i, :3, 3])
            sigma = np.hypot(found.sigma_translation_m, sightings.sigmas_m[i])
            agreeing += bool(off < _AGREEMENT * sigma)
    return agreeing >= _LEAST_AGREEING * len(judges)
