"""What an environment knows of images that it is aligned on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from posemap_ros.aprnet.renders import PosedViews
from posemap_ros.dataset import PosedImages
from posemap_ros.localizer import Estimate, Localizer

if TYPE_CHECKING:
    from posemap_ros.verification.verifier import Verifier


@dataclass(frozen=True, eq=False)
class Sightings:
    """N images at the network's camera, and where they were taken.

    Attributes:
        images: [N, h, w, 3] uint8.
        T_map_cam: [N, 4, 4] float64, verified or else regressed.
        verified: [N] bool.
        estimates: [N] `Estimate`, by the network.
        covariances: [N, 6, 6] of the poses, as of `Estimate`.
    """

    images: np.ndarray
    T_map_cam: np.ndarray
    verified: np.ndarray
    estimates: np.ndarray
    covariances: np.ndarray

    @property
    def sigmas_m(self) -> np.ndarray:
        """[N] standard deviation of the positions per axis, metres."""
        return np.sqrt(np.trace(self.covariances[:, :3, :3], axis1=1, axis2=2) / 3.0)

    @property
    def photos(self) -> PosedViews:
        """The images and their poses, as training takes them."""
        return PosedViews(torch.from_numpy(self.images), torch.from_numpy(self.T_map_cam).float())

    def select(self, mask: np.ndarray) -> Sightings:
        """Those that a mask or an index picks."""
        return Sightings(*(value[mask] for value in vars(self).values()))


def look_at(
    frames: PosedImages,
    localizer: Localizer,
    verifier: Verifier | None,
    progress: Callable[[int], object] = lambda done: None,
) -> Sightings:
    """Localize each of the frames, and verify it, if there is something to verify by.

    Args:
        frames: their own poses are not looked at.
        progress: told how many are done.

    Raises:
        ImageError, CameraMismatch: a frame cannot be used.
    """
    rows = []
    for index in range(len(frames)):
        progress(index)
        image, camera = frames.load(index), frames.camera_of(index)
        prepared = localizer.prepare(image, camera)
        estimate = localizer.estimate(prepared)
        T_map_cam, covariance, verified = estimate.T_map_cam, estimate.covariance, False
        if verifier is not None:
            verification = verifier.verify(image, camera, estimate, None)
            if verification.verified:
                T_map_cam, covariance = verification.T_map_cam, verification.covariance
                verified = True
        rows.append((prepared, T_map_cam, verified, estimate, covariance))
    return Sightings(*(_array(column) for column in zip(*rows)))


def _array(values: tuple) -> np.ndarray:
    if isinstance(values[0], Estimate):
        array = np.empty(len(values), object)
        array[:] = values
        return array
    return np.stack(values)
