"""The paper's contribution: features of space which, volume-rendered, encode the camera's pose
(section 3.2).
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor, nn

from posemap_ros.camera import Camera
from posemap_ros.geometry import make_pose, project_to_so3
from posemap_ros.nerf_p.rendering import composite
from posemap_ros.support.device import mixed_precision

POSEMAP_CHANNELS = 256
POSEMAP_STRIDE = 16


def grid_size(camera: Camera) -> tuple[int, int]:
    """Rows and columns of the grid on which a camera's PoseMap is rendered."""
    return camera.height // POSEMAP_STRIDE, camera.width // POSEMAP_STRIDE


# Never forgotten: a recorded training step reads them where they are.
@cache
def grid_rays(camera: Camera, device: torch.device) -> Tensor:
    """Rays [N, 3] float32 of the grid's cells, row by row, optical axes, z = 1."""
    with torch.inference_mode(False):
        return camera.rays(stride=POSEMAP_STRIDE).reshape(-1, 3).to(device)


class PoseBranch(nn.Module):
    """Encoder from the trunk's position-only feature to a 256-d pose feature per sample.

    The feature holds no viewing direction: with it, the branch could encode the ray and ignore the
    scene (the recipe's ``pose_branch_sees_direction`` appends it all the same). The last layer is
    linear, and volume rendering is linear too, so the two are swapped: ``sum w_i (A h_i + b) =
    A (sum w_i h_i) + b sum w_i``. That is the same PoseMap for a fraction of the multiplications.
    """

    def __init__(self, feature_width: int, hidden: int = 128) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(feature_width, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU()
        )
        self.output = nn.Linear(hidden, POSEMAP_CHANNELS)

    def forward(self, feature: Tensor, weights: Tensor) -> Tensor:
        """Trunk features [R, S, feature_width] under rendering weights [R, S] -> pose features [R,
        256].
        """
        with mixed_precision(feature.device):
            hidden = self.encoder(feature)
        hidden = composite(weights, hidden.to(feature))
        return hidden @ self.output.weight.t() + weights.sum(-1, keepdim=True) * self.output.bias


class PoseDecoder(nn.Module):
    """PoseMap -> pose. It only exists to train the pose branch, and stays off the robot.

    The paper's decoder (1536-256-128-12) on the flattened map has 118 M weights in its first layer
    at 240x320; each cell is reduced to 16 channels first here. Positions are learned in radii of
    the scene, so that a street is no harder than a room.

    Args:
        cells: of the grid on which PoseMaps are rendered.
        radius_m: of the scene.
    """

    def __init__(self, cells: int, radius_m: float) -> None:
        super().__init__()
        self._radius_m = radius_m
        self.layers = nn.Sequential(
            nn.Linear(POSEMAP_CHANNELS, 16),
            nn.Flatten(),
            nn.Linear(16 * cells, 1536),
            nn.ReLU(),
            nn.Linear(1536, 256),
            nn.ReLU(),
            nn.Linear(256, 128),
            nn.ReLU(),
            nn.Linear(128, 12),
        )

    def forward(self, posemap: Tensor) -> tuple[Tensor, Tensor]:
        """PoseMap [B, N, 256] -> raw rotation [B, 3, 3] and position [B, 3] in radii, in the
        scene's frame.
        """
        out = self.layers(posemap)
        return out[:, :9].reshape(-1, 3, 3), out[:, 9:]

    def pose(self, posemap: Tensor) -> Tensor:
        """PoseMap [B, N, 256] -> pose [B, 4, 4] in the scene's frame, metres."""
        rotation, position = self(posemap)
        return make_pose(project_to_so3(rotation), self._radius_m * position)
