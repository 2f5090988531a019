"""Images as they would be if their camera had been turned on the spot.

Nothing moves against anything else then, so a homography shows exactly what the turned camera sees
of the image (Hartley and Zisserman, section 8.4), and costs next to nothing: real photos, too,
teach APRNet more poses than were taken.
"""

from __future__ import annotations

import math

import roma
import torch
from torch import Tensor
from torch.nn import functional as F

from posemap_ros.camera import Camera
from posemap_ros.nerf_p.pose_branch import grid_rays


def random_turns(count: int, share: float, degrees: float, generator: torch.Generator) -> Tensor:
    """R_cam_turned [count, 3, 3]: a share of them of up to ``degrees`` along each axis, the others
    none at all.
    """
    vectors = math.radians(degrees) * (2.0 * torch.rand((count, 3), generator=generator) - 1.0)
    turned = torch.rand((count, 1), generator=generator) < share
    return roma.rotvec_to_rotmat(vectors * turned)


def turn_poses(T_world_cam: Tensor, R_cam_turned: Tensor) -> Tensor:
    """Poses [B, 4, 4] after these turns [B, 3, 3]."""
    turned = T_world_cam.clone()
    turned[:, :3, :3] = T_world_cam[:, :3, :3] @ R_cam_turned
    return turned


def turn_images(images: Tensor, R_cam_turned: Tensor, camera: Camera) -> Tensor:
    """Images [B, 3, H, W] of ``camera`` after these turns [B, 3, 3], black where they do not
    reach.
    """
    rays = camera.rays().reshape(-1, 3).to(R_cam_turned)
    places, _ = _places(R_cam_turned, rays, camera)
    places = places.reshape(len(images), camera.height, camera.width, 2).to(images)
    turned = F.grid_sample(images, places, mode='bilinear', align_corners=False)
    return turned.contiguous(memory_format=torch.channels_last)


def cells_inside(R_cam_turned: Tensor, camera: Camera) -> Tensor:
    """Which cells of the turned cameras' stride-16 grid the images show: [B, N] bool."""
    return _places(R_cam_turned, grid_rays(camera, R_cam_turned.device), camera)[1]


def _places(R_cam_turned: Tensor, rays: Tensor, camera: Camera) -> tuple[Tensor, Tensor]:
    """Where in the images rays [N, 3] of the turned cameras arrive [B, N, 2], in halves of the
    sides from their middle; and whether that is inside [B, N].
    """
    x, y, z = (rays @ R_cam_turned.transpose(1, 2)).unbind(-1)
    ahead = z > 1e-3
    z = z.where(ahead, torch.ones_like(z))
    u, v = camera.fx * x / z + camera.cx, camera.fy * y / z + camera.cy
    places = torch.stack([2.0 * u / camera.width - 1.0, 2.0 * v / camera.height - 1.0], dim=-1)
    places = places.where(ahead[..., None], torch.full_like(places, 2.0))
    return places, (places.abs() <= 1.0).all(-1)
