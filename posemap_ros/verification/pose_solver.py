"""A camera's pose, and how sure it is, from pixels matched to points.

A pose is changed by a step of six numbers: a shift in metres, then a rotation vector in radians,
both about fixed map axes through the camera. Covariances are of such steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from posemap_ros.camera import Camera

try:
    import poselib
except ImportError:  # it has no wheels for aarch64
    poselib = None

_STEPS = 12
_FARTHEST_STEP = 1e-7  # metres and radians, after which nothing changes any more
_NEAREST_M = 0.05  # points nearer than this, or behind the camera, say nothing
_RANSAC_ITERATIONS, _RANSAC_CONFIDENCE = 400, 0.9999
# PoseLib's are few where most matches are right, and many where few are.
_POSELIB_ITERATIONS = (50, 2000)
_FEWEST = 6
# Cauchy's weight halves at this many standard deviations.
_SOFT = 2.0
_REGIONS = (4, 3)  # parts of the image, across and down, whose errors are each their own


@dataclass(frozen=True, eq=False)
class Matches:
    """n keypoints of an image and the landmarks they were matched to.

    Attributes:
        pixels: [n, 2] float64, as `Camera` counts them.
        pixel_sigmas: [n] float64, standard deviation of each keypoint.
        points: [n, 3] float64, world, metres.
        point_sigmas: [n] float64, metres.
    """

    pixels: np.ndarray
    pixel_sigmas: np.ndarray
    points: np.ndarray
    point_sigmas: np.ndarray

    def __len__(self) -> int:
        return len(self.pixels)

    def select(self, index: np.ndarray) -> Matches:
        """Those that an index or a mask picks."""
        return Matches(
            self.pixels[index],
            self.pixel_sigmas[index],
            self.points[index],
            self.point_sigmas[index],
        )


@dataclass(frozen=True, eq=False)
class Solution:
    """A pose that fits matches.

    Attributes:
        T_map_cam: [4, 4] float64.
        covariance: [6, 6], as the residuals say; errors that all matches share are not in it.
        deviations: [n] of all matches, residual over its standard deviation; infinite behind the
            camera.
        scale: by how much residuals are larger than the matches' standard deviations say. It is
            in ``deviations`` and ``covariance`` already.
    """

    T_map_cam: np.ndarray
    covariance: np.ndarray
    deviations: np.ndarray
    scale: float


def consensus(matches: Matches, camera: Camera, tolerance_px: float) -> np.ndarray | None:
    """The pose [4, 4] that most of the matches agree on to a tolerance, or None without any.

    PoseLib finds it where that is installed, OpenCV elsewhere: refined, both are as accurate, but
    PoseLib takes a third of the time and stands more wrong matches.
    """
    if len(matches) < _FEWEST:
        return None
    find = _consensus_of_opencv if poselib is None else _consensus_of_poselib
    found = find(matches, camera, tolerance_px)
    if found is None:
        return None
    R, t = found
    if not (np.isfinite(R).all() and np.isfinite(t).all()):
        return None
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = R.T, -R.T @ t
    return T


def _consensus_of_opencv(
    matches: Matches, camera: Camera, tolerance_px: float
) -> tuple[np.ndarray, np.ndarray] | None:
    """Rotation [3, 3] and translation [3] of the map in the camera."""
    parameters = cv2.UsacParams()
    parameters.confidence = _RANSAC_CONFIDENCE
    parameters.maxIterations = _RANSAC_ITERATIONS
    parameters.threshold = tolerance_px
    parameters.score = cv2.SCORE_METHOD_MSAC
    parameters.sampler = cv2.SAMPLING_UNIFORM
    parameters.loMethod = cv2.LOCAL_OPTIM_INNER_LO
    parameters.final_polisher = cv2.NONE_POLISHER
    parameters.randomGeneratorState = 0
    try:
        found, _, rotation, translation, _ = cv2.solvePnPRansac(
            matches.points, matches.pixels - 0.5, camera.matrix_opencv(), None, params=parameters
        )
    except cv2.error:  # degenerate matches
        return None
    return (cv2.Rodrigues(rotation)[0], translation.ravel()) if found else None


def _consensus_of_poselib(
    matches: Matches, camera: Camera, tolerance_px: float
) -> tuple[np.ndarray, np.ndarray] | None:
    """As `_consensus_of_opencv`."""
    fewest, most = _POSELIB_ITERATIONS
    pose, found = poselib.estimate_absolute_pose(
        matches.pixels,
        matches.points,
        {
            'model': 'PINHOLE',
            'width': camera.width,
            'height': camera.height,
            'params': [camera.fx, camera.fy, camera.cx, camera.cy],
        },
        {
            'max_reproj_error': tolerance_px,
            'success_prob': _RANSAC_CONFIDENCE,
            'min_iterations': fewest,
            'max_iterations': most,
            'seed': 0,
        },
    )
    return (pose.R, pose.t) if found['num_inliers'] >= _FEWEST else None


def refine(T_map_cam: np.ndarray, matches: Matches, camera: Camera) -> Solution | None:
    """The best pose near one: robust least squares over all matches (Levenberg-Marquardt).

    None where the matches do not hold a pose.
    """
    T = np.array(T_map_cam, np.float64)
    damping = 1e-4
    J, r = _linearise(T, matches, camera)
    scale = _scale(r)
    J, r = J / scale, r / scale
    cost = _cost(r)
    for _ in range(_STEPS):
        w = _weights(r)
        H = np.einsum('nik,n,nil->kl', J, w, J)
        g = np.einsum('nik,n,ni->k', J, w, r)
        try:
            step = -np.linalg.solve(H + damping * np.diag(np.diag(H)) + 1e-12 * np.eye(6), g)
        except np.linalg.LinAlgError:
            return None
        candidate = moved(T, step)
        J_new, r_new = (a / scale for a in _linearise(candidate, matches, camera))
        new_cost = _cost(r_new)
        if new_cost <= cost:
            T, J, r, cost, damping = candidate, J_new, r_new, new_cost, damping / 10
            if np.abs(step).max() < _FARTHEST_STEP:
                break
        else:
            damping *= 10
            if damping > 1e4:
                break
    found = _scale(r) * scale
    J, r = J * (scale / found), r * (scale / found)
    covariance = _covariance(J, r, matches, camera)
    if covariance is None:
        return None
    return Solution(T, covariance, np.linalg.norm(r, axis=1), found)


def influence(
    solution: Solution, matches: Matches, camera: Camera, chosen: np.ndarray
) -> np.ndarray:
    """How far a pose goes with the points of some of its matches: where these move, all by one
    step [6] about the camera, it moves by this matrix [6, 6] times the step. Zero where none are
    chosen, one where all are.
    """
    J, r = _linearise(solution.T_map_cam, matches, camera)
    J, r = J / solution.scale, r / solution.scale
    w = _weights(r) * (np.linalg.norm(r, axis=1) < 3 * _SOFT)
    all_of_them, these = (
        np.einsum('nik,n,nil->kl', J, part, J) for part in (w, np.where(chosen, w, 0.0))
    )
    return np.linalg.solve(all_of_them, these)


def moved(T_map_cam: np.ndarray, step: np.ndarray) -> np.ndarray:
    """A pose [4, 4] after a step [6]."""
    T = T_map_cam.copy()
    T[:3, :3] = cv2.Rodrigues(np.asarray(step[3:], np.float64))[0] @ T[:3, :3]
    T[:3, 3] += step[:3]
    return T


def step_between(T_a: np.ndarray, T_b: np.ndarray) -> np.ndarray:
    """The step [6] from a pose to another."""
    turn = cv2.Rodrigues(T_b[:3, :3] @ T_a[:3, :3].T)[0].ravel()
    return np.concatenate([T_b[:3, 3] - T_a[:3, 3], turn])


def _linearise(T: np.ndarray, matches: Matches, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """Residuals [n, 2] in standard deviations and their derivatives [n, 2, 6] by a step; those of
    points behind the camera are infinite and zero.
    """
    R = T[:3, :3]
    away = matches.points - T[:3, 3]
    in_camera = away @ R
    z = in_camera[:, 2]
    ahead = z > _NEAREST_M
    z = np.where(ahead, z, 1.0)
    xy = in_camera[:, :2] / z[:, None]
    focal = np.array([camera.fx, camera.fy])
    sigma = np.hypot(matches.pixel_sigmas, camera.fx * matches.point_sigmas / z)
    r = (xy * focal + (camera.cx, camera.cy) - matches.pixels) / sigma[:, None]
    # d pixel / d point in the camera, then d point / d step: -R^T for the shift, R^T [away]x for
    # the turn.
    scale = (ahead / sigma / z)[:, None] * focal
    D = np.zeros((len(z), 2, 3))
    D[:, 0, 0], D[:, 1, 1] = scale[:, 0], scale[:, 1]
    D[:, :, 2] = -scale * xy
    D = D @ R.T
    J = np.empty((len(z), 2, 6))
    J[:, :, :3] = -D
    J[:, :, 3:] = np.cross(D, away[:, None, :])
    return J, np.where(ahead[:, None], r, np.inf)


def _weights(r: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + (r**2).sum(axis=1) / _SOFT**2)


def _scale(r: np.ndarray) -> float:
    """The unit in which the median residual is as long as a standard normal's would be."""
    return float(np.clip(np.median(np.linalg.norm(r, axis=1)) / 1.1774, 0.5, 5.0))


def _cost(r: np.ndarray) -> float:
    """Cauchy's, capped so that points behind the camera count as far outliers."""
    return float(np.log1p(np.minimum((r**2).sum(axis=1) / _SOFT**2, 1e6)).sum())


def _covariance(
    J: np.ndarray, r: np.ndarray, matches: Matches, camera: Camera
) -> np.ndarray | None:
    """What the residuals say, and how differently the parts of the image pull: landmarks next to
    each other were often mapped with the same error.
    """
    w = _weights(r)
    near = np.linalg.norm(r, axis=1) < 3 * _SOFT
    if near.sum() < _FEWEST:
        return None
    J, r, w = J[near], r[near], w[near]
    H = np.einsum('nik,n,nil->kl', J, w, J)
    if np.linalg.cond(H) > 1e14:
        return None
    inverse = np.linalg.inv(H)
    scale = np.sum(w[:, None] * r**2) / max(1.0, 2 * w.sum() - 6)
    pulls = np.einsum('nik,n,ni->nk', J, w, r)
    cell = (matches.pixels[near] / (camera.width, camera.height) * _REGIONS).astype(int)
    cell = np.clip(cell, 0, np.array(_REGIONS) - 1)
    label = cell[:, 0] * _REGIONS[1] + cell[:, 1]
    pulled = np.zeros((_REGIONS[0] * _REGIONS[1], 6))
    np.add.at(pulled, label, pulls)
    covariance = inverse @ (scale * H + pulled.T @ pulled) @ inverse
    return 0.5 * (covariance + covariance.T)
