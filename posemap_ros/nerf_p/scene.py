"""The bounded coordinates in which a radiance field sees the world."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from posemap_ros.geometry import mean_pose

# The smallest radius: a camera that only turned on the spot still looks at a room, not at a point.
MIN_RADIUS_M = 0.5


@dataclass(frozen=True)
class SceneFrame:
    """Where the cameras were, and how far they roamed; fixed by the training poses.

    Attributes:
        centre: mean training pose ``T_world_scene`` as 16 numbers, row-major.
        radius_m: half the side of the cube, aligned with that pose, which holds all training
            cameras and a margin. Inside it space is linear; outside it is contracted, so that the
            far field stays finite.
    """

    centre: tuple[float, ...]
    radius_m: float

    @classmethod
    def from_poses(cls, T_world_cam: Tensor, margin: float = 1.5) -> SceneFrame:
        """Measure the frame from training poses [N, 4, 4]."""
        centre = mean_pose(T_world_cam.double())
        local = (T_world_cam[:, :3, 3].double() - centre[:3, 3]) @ centre[:3, :3]
        radius = max(float(local.abs().max()) * margin, MIN_RADIUS_M)
        return cls(tuple(centre.flatten().tolist()), radius)

    @property
    def T_world_scene(self) -> Tensor:
        """The mean training pose, [4, 4] float32."""
        return torch.tensor(self.centre, dtype=torch.float32).reshape(4, 4)

    @property
    def near_m(self) -> float:
        """Distance of a ray's first sample: closer things than this are inside the camera's
        housing.
        """
        return 0.05 * self.radius_m

    @property
    def far_m(self) -> float:
        """Distance of a ray's last sample, which stands for everything behind it."""
        return 100.0 * self.radius_m

    def normalise(self, points: Tensor) -> Tensor:
        """World points [..., 3] in metres to contracted coordinates [..., 3] in [-1, 1].

        The inner cube of half side ``radius_m`` fills [-0.5, 0.5]; all the rest of space fills
        what is left. The contraction is that of mip-NeRF 360 (equation 10), in the maximum norm so
        that it fills a cube.
        """
        centre = self.T_world_scene.to(points)
        local = (points - centre[:3, 3]) @ (centre[:3, :3] / self.radius_m)
        norm = local.abs().amax(dim=-1, keepdim=True).clamp_min(1.0)
        return local * ((2.0 - 1.0 / norm) / norm) / 2.0

    def spacing_to_depth(self, spacing: Tensor) -> Tensor:
        """Map sample positions in [0, 1] to depths in metres, from near to far.

        The first half is linear in depth up to the radius, the second linear in disparity beyond
        it, like the contraction.
        """
        near, far = self.near_m / self.radius_m, self.far_m / self.radius_m
        linear = near + 2.0 * spacing * (1.0 - near)
        disparity = 1.0 / (1.0 + (2.0 * spacing - 1.0).clamp_min(0.0) * (1.0 / far - 1.0))
        return torch.where(spacing < 0.5, linear, disparity) * self.radius_m
