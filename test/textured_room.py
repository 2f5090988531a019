"""Images of a room that exists only as formulas: bare walls, with a pattern full of features."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np

from posemap_ros.camera import Camera
from posemap_ros.dataset import PosedFrame, PosedImages, write_transforms_json
from posemap_ros.dataset.image_io import write_image

CAMERA = Camera(240, 180, 190.0, 190.0, 120.0, 90.0)
SIZE_M = np.array([4.0, 3.0, 2.5])  # the walls are at plus and minus half of it
HZ = 10
_PIXELS_PER_M = 120


def drive(count: int) -> np.ndarray:
    """A hand-held camera, at changing speed: T_world_cam [count, 4, 4], z up."""
    s = np.arange(count) / HZ
    angle = 0.5 * s + 0.25 * np.sin(1.7 * s)
    x = 0.8 * np.cos(0.9 * s) + 0.1 * np.sin(5 * s)
    position = np.stack([x, 0.6 * np.sin(1.1 * s), 0.2 * np.sin(1.3 * s)], axis=1)
    pitch, roll = 0.2 * np.sin(2.1 * s), 0.1 * np.sin(1.5 * s)
    poses = np.tile(np.eye(4), (count, 1, 1))
    for pose, p, yaw, nod, lean in zip(poses, position, angle, pitch, roll):
        forward = np.array([np.cos(yaw) * np.cos(nod), np.sin(yaw) * np.cos(nod), np.sin(nod)])
        right = np.cross(forward, (0.0, 0.0, 1.0))
        right /= np.linalg.norm(right)
        level = np.stack([right, np.cross(forward, right), forward], axis=1)
        pose[:3, :3] = level @ cv2.Rodrigues(np.array([0.0, 0.0, lean]))[0]
        pose[:3, 3] = p
    return poses


def render(T_world_cam: np.ndarray, camera: Camera = CAMERA) -> tuple[np.ndarray, np.ndarray]:
    """What the camera sees, uint8 RGB [h, w, 3], and the depth [h, w] along its axis in metres."""
    u, v = np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5
    x, y = np.meshgrid((u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy)
    rays = np.stack([x, y, np.ones_like(x)], axis=-1) @ T_world_cam[:3, :3].T
    origin = T_world_cam[:3, 3]
    with np.errstate(divide='ignore'):
        to_walls = (np.sign(rays) * SIZE_M / 2 - origin) / rays
    axis = to_walls.argmin(axis=-1)
    depth = to_walls.min(axis=-1)
    points = origin + depth[..., None] * rays
    image = np.zeros((camera.height, camera.width, 3), np.uint8)
    for wall in range(3):
        for side in (-1, 1):
            mask = (axis == wall) & (np.sign(rays[..., wall]) == side)
            across = np.delete(points, wall, axis=-1) + np.delete(SIZE_M, wall) / 2
            at = (across * _PIXELS_PER_M).astype(np.float32)
            seen = cv2.remap(_pattern(wall, side), at[..., 0], at[..., 1], cv2.INTER_LINEAR)
            image[mask] = seen[mask]
    return image, depth


def write_room(root: Path, poses: np.ndarray, gains: np.ndarray | None = None) -> PosedImages:
    """A dataset of the room with stamps, as transforms.json; images are made brighter by gains."""
    frames = []
    (root / 'images').mkdir(parents=True)
    for i, T in enumerate(poses):
        image, _ = render(T)
        if gains is not None:
            image = np.clip(gains[i] * image, 0, 255).astype(np.uint8)
        path = root / f'images/{i:04d}.jpg'
        write_image(path, image)
        frames.append(PosedFrame(f'images/{i:04d}', path, T, round(i * 1e9 / HZ)))
    write_transforms_json(root, CAMERA, frames)
    return PosedImages(root, CAMERA, tuple(frames))


@cache
def _pattern(wall: int, side: int) -> np.ndarray:
    """Noise of several sizes, so that there are features near and far."""
    rng = np.random.default_rng(10 * wall + side + 1)
    width, height = (np.delete(SIZE_M, wall) * _PIXELS_PER_M).astype(int) + 2
    total = np.zeros((height, width, 3))
    for cell in (4, 12, 36):
        coarse = rng.normal(size=(height // cell + 2, width // cell + 2, 3))
        total += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(110 + 35 * total, 0, 255).astype(np.uint8)
