"""How large a scene is and how far away, measured from posed images.

Where the cameras were does not tell it: a camera that turns on the spot in a hall sees walls 20 m
away, one that drives down a corridor of 60 m sees them at 1 m. So points that frames have in
common are triangulated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from posemap_ros.camera import Camera
from posemap_ros.dataset import PosedImages
from posemap_ros.nerf_p.scene import SceneFrame
from posemap_ros.rigid import relative_poses
from posemap_ros.support.progress import progress_bar
from posemap_ros.two_view.epipolar import sampson_px
from posemap_ros.two_view.features import FeatureMatcher, mutual_matches
from posemap_ros.two_view.midpoint import distances, unit_rays

_ANCHORS = 32
_PARTNERS = 5  # of each anchor, from its nearest neighbour to far away
_WIDEST_TURN_DEG = 30.0  # between partners; beyond, they have little in common
_LARGEST_ERROR_PX = 1.5  # from the epipolar line, at the matcher's 320 pixels
_LEAST_PARALLAX_DEG = 1.5
_ENOUGH_POINTS = 200


@dataclass(frozen=True, eq=False)
class SeenPoints:
    """Points of the scene [m, 3], world, metres, and their depths [m] where they were seen."""

    points: np.ndarray
    depths: np.ndarray

    def __len__(self) -> int:
        return len(self.depths)


def measure_scene(T_world_cam: np.ndarray, seen: SeenPoints) -> SceneFrame:
    """The scene's frame from where the cameras [N, 4, 4] were and what they saw.

    Where too few points could be triangulated, from the cameras alone.
    """
    poses = torch.from_numpy(T_world_cam)
    if len(seen) < _ENOUGH_POINTS:
        return SceneFrame.from_poses(poses)
    points, depths = torch.from_numpy(seen.points), torch.from_numpy(seen.depths)
    return SceneFrame.from_poses(poses, points, depths)


def triangulate_seen_points(dataset: PosedImages) -> SeenPoints:
    """Sparse points by matching features between frames spread over the dataset.

    A camera that hardly moves between views of the same things gives few or none: what is far in
    relation to that motion has no measurable depth, so depths are those of the nearer things.
    """
    matcher, poses = FeatureMatcher(dataset), dataset.poses
    anchors = np.unique(np.linspace(0, len(dataset) - 1, _ANCHORS).round().astype(int))
    found = [(np.empty((0, 3)), np.empty(0))]
    for a in progress_bar(anchors.tolist(), 'measuring depths', len(anchors)):
        for b in _partners(poses, a):
            features_a, features_b = matcher.features(a), matcher.features(b)
            pairs = mutual_matches(features_a.descriptors, features_b.descriptors)
            points_a, points_b = features_a.points[pairs[:, 0]], features_b.points[pairs[:, 1]]
            found.append(_triangulate(points_a, points_b, poses[a], poses[b], matcher.camera))
    points, depths = zip(*found)
    return SeenPoints(np.concatenate(points), np.concatenate(depths))


def _partners(poses: np.ndarray, a: int) -> list[int]:
    """Frames that look about the same way as frame a, nearer and farther ones."""
    alike = poses[:, :3, 2] @ poses[a, :3, 2] > np.cos(np.radians(_WIDEST_TURN_DEG))
    alike[a] = False
    candidates = np.flatnonzero(alike)
    distance = np.linalg.norm(poses[candidates, :3, 3] - poses[a, :3, 3], axis=1)
    ranked = candidates[np.argsort(distance, kind='stable')]
    if not len(ranked):
        return []
    ranks = np.geomspace(1, len(ranked), _PARTNERS).round().astype(int) - 1
    return [int(ranked[rank]) for rank in np.unique(ranks)]


def _triangulate(
    points_a: np.ndarray,
    points_b: np.ndarray,
    T_world_a: np.ndarray,
    T_world_b: np.ndarray,
    camera: Camera,
) -> tuple[np.ndarray, np.ndarray]:
    """World points [m, 3] and depths [m] in frame a, of those that can be told."""
    T_b_a = relative_poses(T_world_a, T_world_b)
    error = sampson_px(points_a[None], points_b[None], T_b_a[None], camera)[0]
    rays_a = unit_rays(points_a, camera) @ T_world_a[:3, :3].T
    rays_b = unit_rays(points_b, camera) @ T_world_b[:3, :3].T
    baseline = T_world_b[:3, 3] - T_world_a[:3, 3]
    distance_a, distance_b, cosine = distances(rays_a, rays_b, baseline)
    good = (
        (error < _LARGEST_ERROR_PX)
        & (1.0 - cosine**2 > np.sin(np.radians(_LEAST_PARALLAX_DEG)) ** 2)
        & (distance_a > 0)
        & (distance_b > 0)
    )
    offsets = distance_a[good, None] * rays_a[good]
    return T_world_a[:3, 3] + offsets, offsets @ T_world_a[:3, 2]
