"""Points from the photos that see them and from NeRF-P's depth, with how sure each is.

Both say something about every point: where the rays of several photos meet, and how far along each
of them the field becomes opaque. Both are weighed by what they are worth, in one robust least
squares problem. Parallax, where there is enough, outweighs depth by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from posemap_ros.camera import Camera
from posemap_ros.rigid import invert

_STEPS = 10
_DAMPING = 1e-6
_DEPTH_SAYS = 1e-4  # at first, beside rays that meet at a degree's angle or more
_CLOSEST_M = 0.02  # nothing is nearer to the camera


@dataclass(frozen=True, eq=False)
class Sightings:
    """m sightings of points in photos, sorted by point.

    Attributes:
        track: [m] the point that is seen, 0 .. n - 1.
        photo: [m] the photo that sees it.
        pixels: [m, 2] where.
        depths: [m] NeRF-P's depth there, metres.
        depth_sigmas: [m] its standard deviation, metres.
    """

    track: np.ndarray
    photo: np.ndarray
    pixels: np.ndarray
    depths: np.ndarray
    depth_sigmas: np.ndarray

    def __len__(self) -> int:
        return len(self.track)

    def select(self, mask: np.ndarray) -> Sightings:
        """Those that a mask or an index picks, with their numbers of points as they are."""
        return Sightings(
            self.track[mask],
            self.photo[mask],
            self.pixels[mask],
            self.depths[mask],
            self.depth_sigmas[mask],
        )


@dataclass(frozen=True, eq=False)
class Triangulated:
    """n points, and how well m sightings agree with them.

    Attributes:
        points: [n, 3] world, metres.
        covariances: [n, 3, 3] of the points, square metres.
        depths: [m] of the point in the photo, metres; not positive behind it.
        errors_px: [m] from the sighting to where the point appears.
        depth_errors: [m] from NeRF-P's depth to the point's, in standard deviations.
    """

    points: np.ndarray
    covariances: np.ndarray
    depths: np.ndarray
    errors_px: np.ndarray
    depth_errors: np.ndarray


def triangulate(
    sightings: Sightings, count: int, T_world_cam: np.ndarray, camera: Camera, sigma_px: float
) -> Triangulated:
    """The most likely points by Gauss-Newton steps, where errors have long tails (Cauchy's).

    Args:
        count: of points; each must have a sighting.
        T_world_cam: [p, 4, 4] of the photos.
        sigma_px: standard deviation of a keypoint's place, with that of the poses in it.
    """
    T_cam_world = invert(T_world_cam)[sightings.photo]
    R, t = T_cam_world[:, :3, :3], T_cam_world[:, :3, 3]
    focal = np.array([camera.fx, camera.fy])
    xy = (sightings.pixels - (camera.cx, camera.cy)) / focal
    # The depths of one point in several photos come from one field: together they count once.
    times = np.bincount(sightings.track, minlength=count)[sightings.track]
    depth_sigmas = sightings.depth_sigmas * np.sqrt(times)

    points = _where_rays_meet(sightings, count, xy, R, t)
    for step in range(_STEPS + 1):
        local = np.einsum('mij,mj->mi', R, points[sightings.track]) + t
        z = np.maximum(local[:, 2], _CLOSEST_M)
        error = (local[:, :2] / z[:, None] - xy) * focal  # [m, 2] pixels
        depth_error = (local[:, 2] - sightings.depths) / depth_sigmas
        errors_px = np.where(local[:, 2] > _CLOSEST_M, np.linalg.norm(error, axis=1), np.inf)
        weight = 1 / (1 + (errors_px / (2 * sigma_px)) ** 2) / sigma_px**2
        depth_weight = 1 / (1 + (depth_error**2 * times) / 4)
        J = (focal / z[:, None])[:, :, None] * (
            R[:, :2] - (local[:, :2] / z[:, None])[:, :, None] * R[:, 2:3]
        )
        normal = np.einsum('m,mki,mkj->mij', weight, J, J)
        scaled = R[:, 2] / depth_sigmas[:, None]
        normal += depth_weight[:, None, None] * scaled[:, :, None] * scaled[:, None, :]
        information = _sums(normal, sightings.track, count)
        information += (
            _DAMPING * np.trace(information, axis1=1, axis2=2)[:, None, None] * np.eye(3)
        )
        if step == _STEPS:
            break
        gradient = np.einsum('m,mki,mk->mi', weight, J, error)
        gradient += (depth_weight * depth_error)[:, None] * scaled
        points = (
            points
            - np.linalg.solve(information, _sums(gradient, sightings.track, count)[..., None])[
                ..., 0
            ]
        )
    return Triangulated(
        points, np.linalg.inv(information), local[:, 2], errors_px, depth_error * np.sqrt(times)
    )


def _where_rays_meet(
    sightings: Sightings, count: int, xy: np.ndarray, R: np.ndarray, t: np.ndarray
) -> np.ndarray:
    """The points [n, 3] nearest to their rays, and to NeRF-P's depth where that says little."""
    rays = np.concatenate([xy, np.ones((len(xy), 1))], axis=1)
    length = np.linalg.norm(rays, axis=1)
    rays = np.einsum('mji,mj->mi', R, rays / length[:, None])
    distance = length * sightings.depths
    along = rays[:, :, None] * rays[:, None, :]
    normal = (np.eye(3) - (1 - _DEPTH_SAYS) * along) / distance[:, None, None] ** 2
    seen_at = distance[:, None] * rays - np.einsum('mji,mj->mi', R, t)
    wanted = np.einsum('mij,mj->mi', normal, seen_at)
    points = np.linalg.solve(
        _sums(normal, sightings.track, count), _sums(wanted, sightings.track, count)[..., None]
    )
    return points[..., 0]


def _sums(values: np.ndarray, group: np.ndarray, count: int) -> np.ndarray:
    """Sums [count, ...] of values [m, ...] whose groups are sorted and none empty."""
    starts = np.searchsorted(group, np.arange(count))
    return np.add.reduceat(values, starts, axis=0)
