"""A small place that exists only as formulas, and an untrained environment of it, for tests."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import torch

from posemap_ros.camera import Camera
from posemap_ros.dataset import PosedFrame
from posemap_ros.dataset.transforms_json import write_transforms_json
from posemap_ros.environment import make_aprnet, make_nerf_p, write_environment
from posemap_ros.landmarks.landmark_map import LandmarkMap
from posemap_ros.nerf_p.scene import SceneFrame
from posemap_ros.recipe import recipe_from_dict

CAMERA = Camera(64, 48, 50.0, 50.0, 32.0, 24.0)
# Small enough to train in seconds.
RECIPE = recipe_from_dict(
    {
        'name': 'tiny',
        'held_out': 0.1,
        'nerf_p': {
            'image_height': 24,
            'resolutions': [16, 32],
            'channels': 4,
            'proposal_samples': 12,
            'final_samples': 8,
            'steps': 40,
            'rays_per_step': 256,
            'pose_steps': 10,
            'pose_batch': 4,
        },
        'aprnet': {
            'image_height': 48,
            'steps': 12,
            'batch': 4,
            'posemap_cells': 6,
            'image_loss_batch': 2,
            'views': {'per_frame': 1, 'image_height': 24},
        },
        'alignment': {'view_height': 24},
    },
    'test/tiny_environment.py',
)


def circle_of_poses(count: int, radius_m: float = 1.0) -> np.ndarray:
    """Cameras on a circle that look outwards, level: T_world_cam [count, 4, 4], the world's z
    upwards.
    """
    poses = np.tile(np.eye(4), (count, 1, 1))
    for pose, angle in zip(poses, np.linspace(0.0, 2.0 * math.pi, count, endpoint=False)):
        forward = np.array([math.cos(angle), math.sin(angle), 0.0])
        down = np.array([0.0, 0.0, -1.0])
        pose[:3, :3] = np.stack([np.cross(down, forward), down, forward], axis=1)
        pose[:3, 3] = radius_m * forward
    return poses


def photograph(
    T_world_cam: np.ndarray, camera: Camera = CAMERA, half_side_m: float = 3.0
) -> np.ndarray:
    """The inside of a painted cube from a pose [4, 4] inside: uint8 RGB [height, width, 3], by ray
    casting.
    """
    directions = camera.rays().numpy() @ T_world_cam[:3, :3].T
    origin = T_world_cam[:3, 3]
    with np.errstate(divide='ignore', invalid='ignore'):
        walls = (np.sign(directions) * half_side_m - origin) / directions
    hits = origin + np.where(np.isfinite(walls), walls, np.inf).min(-1)[..., None] * directions
    stripes = 0.5 + 0.4 * np.sin(hits * (2.1, 3.3, 2.7) + hits[..., [1, 2, 0]] * (1.3, 0.7, 1.9))
    return np.rint(stripes * 255.0).astype(np.uint8)


def make_tiny_dataset(folder: Path, count: int = 30, camera: Camera = CAMERA) -> Path:
    """Photographs of the painted cube with their poses, as extract_bag would write them."""
    (folder / 'images').mkdir(parents=True)
    frames = []
    for index, pose in enumerate(circle_of_poses(count)):
        path = folder / 'images' / f'{index:06d}.png'
        cv2.imwrite(str(path), photograph(pose, camera)[:, :, ::-1])
        frames.append(PosedFrame(f'images/{index:06d}', path, pose))
    write_transforms_json(folder, camera, frames)
    return folder


def make_tiny_environment(folder: Path) -> Path:
    """An untrained environment, with random but repeatable weights; its poses mean nothing."""
    torch.manual_seed(0)
    scene = SceneFrame.from_poses(torch.from_numpy(circle_of_poses(30)))
    net = make_aprnet(scene, CAMERA, RECIPE.aprnet)
    nerf = make_nerf_p(scene, RECIPE.nerf_p)
    write_environment(folder, CAMERA, net, nerf, RECIPE, (1.0, 1.0), {}, git_revision='test')
    return folder


def tiny_landmarks(half_side_m: float = 3.0) -> LandmarkMap:
    """Landmarks on the painted cube's walls, each where a photo of the circle has its middle or
    one of eight pixels around it. Their descriptors mean nothing.
    """
    poses = circle_of_poses(12)
    pixels = np.stack(np.meshgrid((0.2, 0.5, 0.8), (0.2, 0.5, 0.8)), axis=-1).reshape(-1, 2)
    along = (pixels * (CAMERA.width, CAMERA.height) - (CAMERA.cx, CAMERA.cy)) / CAMERA.fx
    rays = np.concatenate([along, np.ones((len(along), 1))], axis=1)
    points = []
    for T in poses:
        directions = rays @ T[:3, :3].T
        with np.errstate(divide='ignore', invalid='ignore'):
            walls = (np.sign(directions) * half_side_m - T[:3, 3]) / directions
        depths = walls.min(-1, where=walls > 0, initial=np.inf)
        points.append(T[:3, 3] + depths[:, None] * directions)
    points = np.concatenate(points).astype(np.float32)
    generator = np.random.default_rng(0)
    return LandmarkMap(
        points,
        generator.uniform(0.01, 0.05, len(points)).astype(np.float32),
        generator.integers(0, 256, (len(points), 128), np.uint8),
        poses,
        np.zeros((len(poses), 0), np.float16),
        np.arange(0, len(points) + 1, len(rays)),
        np.arange(len(points), dtype=np.int32),
        points,
        CAMERA,
        'sift',
    )
