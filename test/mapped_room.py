"""Landmarks of the textured room, at their exact places: no mapping stands behind them."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from textured_room import CAMERA, SIZE_M, render
from torch import nn

from posemap_ros.camera import Camera
from posemap_ros.landmarks.keypoints import make_detector
from posemap_ros.landmarks.landmark_map import LandmarkMap
from posemap_ros.nerf_p.nerf_p import RaySamples


class RoomField(nn.Module):
    """The room as a field that was learned almost perfectly: 2 % too near."""

    chunk_rays = 1000
    depth_share = 0.98

    def __init__(self):
        super().__init__()
        self.half_size = nn.Parameter(torch.from_numpy(SIZE_M / 2).float())

    def sample(self, origins, directions, generator=None):
        to_walls = (torch.sign(directions) * self.half_size - origins) / directions
        depth = to_walls.amin(dim=-1, keepdim=True) * self.depth_share
        depths = depth * torch.tensor([0.5, 0.99, 1.0, 1.01, 2.0])
        weights = torch.tensor([0.0, 0.2, 0.6, 0.2, 0.0]).expand_as(depths)
        points = origins[:, None] + depths[..., None] * directions[:, None]
        return RaySamples(points, depths, weights, depths[..., None])


def map_room(
    poses: np.ndarray, detector: str = 'sift', sigma_m: float = 0.005, camera: Camera = CAMERA
) -> LandmarkMap:
    """Keypoints of views from poses [P, 4, 4], put on the walls that they lie on."""
    finder = make_detector(detector)
    points, descriptors, looks, counts = [], [], [], []
    for T in poses:
        image, _ = render(T, camera)
        found = finder.detect(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), max_keypoints=400)
        points.append(_on_walls(found.points, T, camera))
        descriptors.append(found.descriptors)
        looks.append(look(image))
        counts.append(len(found))
    total = sum(counts)
    return LandmarkMap(
        np.concatenate(points).astype(np.float32),
        np.full(total, sigma_m, np.float32),
        np.concatenate(descriptors),
        np.asarray(poses, np.float64),
        np.stack(looks).astype(np.float16),
        np.concatenate([[0], np.cumsum(counts)]),
        np.arange(total, dtype=np.int32),
        np.concatenate(points).astype(np.float32),
        camera,
        detector,
    )


def look(image: np.ndarray) -> np.ndarray:
    """A global descriptor [192] of unit length: the image, very small."""
    small = cv2.resize(image, (8, 8), interpolation=cv2.INTER_AREA).astype(np.float32).ravel()
    small -= small.mean()
    return small / max(float(np.linalg.norm(small)), 1e-6)


def _on_walls(pixels: np.ndarray, T_world_cam: np.ndarray, camera: Camera) -> np.ndarray:
    """Where rays through pixels [n, 2] meet the walls: [n, 3]."""
    x = (pixels[:, 0] - camera.cx) / camera.fx
    y = (pixels[:, 1] - camera.cy) / camera.fy
    rays = np.stack([x, y, np.ones_like(x)], axis=1) @ T_world_cam[:3, :3].T
    origin = T_world_cam[:3, 3]
    to_walls = (np.sign(rays) * SIZE_M / 2 - origin) / rays
    return origin + to_walls.min(axis=1, keepdims=True) * rays
