"""Pose heads: a deep feature map to camera poses in the scene's frame, and how far they may be
off.

All heads work in units of the scene's radius and return poses in metres relative to the scene's
centre.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from posemap_ros.geometry import make_pose, project_to_so3

# How often cells are weighed anew by how far they are off; at the median distance one counts half.
ROBUST_STEPS = 5


@dataclass
class HeadOutput:
    """What a head says of B images."""

    T_scene_cam: Tensor  # [B, 4, 4], metres, rotation on SO(3)
    log_sigma: Tensor  # [B, 2] log of the predicted spread: metres, radians
    # Of the ScenePointHead only:
    points: Tensor | None = None  # [B, N, 3] scene points seen in the cells, metres
    depths: Tensor | None = None  # [B, N] their depths, metres


class PooledHead(nn.Module):
    """The paper's: VGG's last max pool, global average pool, one linear layer to 12 numbers."""

    def __init__(self, channels: int, radius_m: float, rays: Tensor) -> None:
        super().__init__()
        self.radius_m = radius_m
        self.pose = nn.Linear(channels, 12)
        self.spread = nn.Linear(channels, 2)

    def forward(self, features: Tensor) -> HeadOutput:
        """Features [B, C, h, w] -> pose."""
        pooled = self.pool(features)
        out = self.pose(pooled)
        rotation = project_to_so3(out[:, :9].reshape(-1, 3, 3) + torch.eye(3, device=out.device))
        pose = make_pose(rotation, out[:, 9:] * self.radius_m)
        return HeadOutput(pose, self.spread(pooled.detach()))

    def pool(self, features: Tensor) -> Tensor:
        """Features [B, C, h, w] -> [B, C]."""
        return nn.functional.max_pool2d(features, 2).mean((2, 3))


class ScenePointHead(nn.Module):
    """Predicts for each cell of the feature map the scene point seen there, and solves for the
    pose.

    Each cell names a point in the scene, its depth, and how much it should count. Depth along the
    cell's ray gives the same point in the camera's frame, and the pose is the rigid motion that
    best carries one set onto the other (weighted Procrustes, in closed form and differentiable),
    a few times over: cells far from where the others say count less (Cauchy's weights). Local
    evidence generalises to unseen poses where a regression of 12 numbers from a pooled vector
    interpolates between seen ones.
    """

    def __init__(self, channels: int, radius_m: float, rays: Tensor, hidden: int = 256) -> None:
        super().__init__()
        self.radius_m = radius_m
        self.register_buffer('rays', rays.reshape(-1, 3), persistent=False)  # [N, 3], z = 1
        self.context = nn.Sequential(
            nn.Conv2d(channels, hidden, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(hidden, hidden, 3, padding=1),
            nn.ReLU(),
        )
        self.globe = nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, hidden))
        self.cells = nn.Sequential(
            nn.Conv2d(hidden, hidden, 1),
            nn.ReLU(),
            nn.Conv2d(hidden, hidden, 1),
            nn.ReLU(),
            nn.Conv2d(hidden, 5, 1),
        )
        self.spread = nn.Sequential(nn.Linear(hidden + 2, 32), nn.ReLU(), nn.Linear(32, 2))

    def forward(self, features: Tensor) -> HeadOutput:
        """Features [B, C, h, w] on the grid of the head's rays -> pose."""
        import roma  # here, see posemap_ros.geometry

        points, depths, weights, context = self.cell_points(features)
        in_camera = depths[..., None] * self.rays
        counted = weights
        for _ in range(ROBUST_STEPS):
            rotation, translation = roma.rigid_points_registration(in_camera, points, counted)
            off = (points - in_camera @ rotation.mT - translation[:, None]).norm(dim=-1).detach()
            usual = off.median(dim=-1, keepdim=True).values.clamp_min(1e-6)
            counted = weights / (1.0 + (off / usual).square())
        rotation, translation = roma.rigid_points_registration(in_camera, points, counted)
        pose = make_pose(rotation, translation)
        # How badly the cells agree on the pose says much about how wrong it is.
        residual = points - (in_camera @ rotation.transpose(1, 2) + translation[:, None])
        rms = (weights * residual.square().sum(-1)).sum(-1, keepdim=True).clamp_min(1e-10).sqrt()
        evenness = (weights.square().sum(-1, keepdim=True)).reciprocal()
        evidence = torch.cat([context, rms.log(), evenness.log()], dim=-1).detach()
        return HeadOutput(pose, self.spread(evidence), points, depths)

    def cell_points(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Features [B, C, h, w] -> what the N cells say: scene points [B, N, 3] and depths [B, N]
        in metres, weights [B, N] that sum to 1; and the context [B, hidden] of all cells.
        """
        x = self.context(features)
        x = x + self.globe(x.mean((2, 3)))[:, :, None, None]
        out = self.cells(x.relu()).float().flatten(2).transpose(1, 2)  # [B, N, 5]
        points = out[..., :3] * self.radius_m
        depths = torch.exp(out[..., 3].clamp(-4.0, 4.0)) * self.radius_m
        return points, depths, torch.softmax(out[..., 4], dim=-1), x.mean((2, 3))


HEADS = {'pooled': PooledHead, 'scene_points': ScenePointHead}
