"""The bounded coordinates in which a radiance field sees the world."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from posemap_ros.geometry import mean_pose
from posemap_ros.support.ranges import Within

# The smallest radius: a camera that only turned on the spot still looks at a room, not at a point.
MIN_RADIUS_M = 0.5
# Of the radius. Closer things are inside the camera's housing, farther ones are the horizon.
_NEAR, _FAR = 0.05, 100.0
# Farther than any place reaches in whose coordinates can be computed, see dataset/trainable.py.
_LARGEST_M = 1e6


@dataclass(frozen=True)
class SceneFrame:
    """Where the cameras were and how far away things are; fixed by the training data.

    Attributes:
        centre: mean training pose ``T_world_scene`` as 16 numbers, row-major.
        radius_m: half the side of the cube, aligned with that pose, in which space is linear. It
            holds all training cameras and a margin. Outside, space is contracted, so that the far
            field stays finite; half of what is seen, at least, lies within twice the radius.
        near_m: depth of a ray's first sample.
        middle_m: depth of a ray's middle sample: evenly spaced before, evenly in disparity behind.
            Most of what is seen lies about there or before it.
    """

    centre: tuple[float, ...]
    radius_m: float
    near_m: float
    middle_m: float

    @classmethod
    def from_poses(
        cls,
        T_world_cam: Tensor,
        points: Tensor | None = None,
        depths: Tensor | None = None,
        margin: float = 1.5,
    ) -> SceneFrame:
        """Measure the frame from training poses [N, 4, 4].

        Args:
            points: [M, 3] points of the scene in the world, metres, if some are known.
            depths: [M] their depths where they were seen.
            margin: of the cube around the cameras.

        In a room that was driven through, the points change nothing: the cameras' own cube is a
        good measure. They enlarge the cube where the cameras hardly moved, and bring the samples
        closer where they moved much farther than they see.
        """
        centre = mean_pose(T_world_cam.double())

        def reach(positions: Tensor) -> Tensor:
            local = (positions.double() - centre[:3, 3]) @ centre[:3, :3]
            return local.abs().amax(dim=-1)

        reached = reach(T_world_cam[:, :3, 3])
        # A pose far from where nearly all are is a mistake, and would make everything coarse.
        farthest = min(float(reached.max()), margin * float(reached.quantile(0.98)))
        radius = max(farthest * margin, MIN_RADIUS_M)
        near, middle = _NEAR * radius, radius
        if points is not None and depths is not None:
            # Half of them: what lies on the horizon would make all that is near too coarse.
            radius = max(radius, float(reach(points).quantile(0.5)) / 2.0)
            # The half, because the very nearest is out of focus, smooth, or not seen twice.
            near = min(_NEAR * radius, float(depths.quantile(0.01)) / 2.0)
            middle = min(radius, float(depths.quantile(0.9)), 2.0 * float(depths.quantile(0.5)))
        return cls(tuple(centre.flatten().tolist()), radius, near, middle)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SceneFrame:
        """Inverse of `to_dict`; without near and middle, those of the radius.

        Raises:
            KeyError, TypeError, ValueError: entries missing, of a wrong type, or of no place.
        """
        radius = float(values['radius_m'])
        near, middle = values.get('near_m', _NEAR * radius), values.get('middle_m', radius)
        scene = cls(tuple(map(float, values['centre'])), radius, float(near), float(middle))
        Within(MIN_RADIUS_M, _LARGEST_M).check(radius, 'radius_m')
        if not 0.0 < scene.near_m < scene.middle_m < scene.far_m:
            raise ValueError(
                f'near_m {scene.near_m:g} and middle_m {scene.middle_m:g} do not rise'
            )
        centre = np.reshape(scene.centre, (4, 4))
        rotation = centre[:3, :3]
        if not np.abs(centre).max() < _LARGEST_M or not np.allclose(
            rotation @ rotation.T, np.eye(3), atol=1e-3
        ):
            raise ValueError('centre is no pose')
        return scene

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and lists, as YAML takes them."""
        return {**asdict(self), 'centre': list(self.centre)}

    @property
    def T_world_scene(self) -> Tensor:
        """The mean training pose, [4, 4] float32."""
        return torch.tensor(self.centre, dtype=torch.float32).reshape(4, 4)

    @property
    def far_m(self) -> float:
        """Depth of a ray's last sample, which stands for everything behind it."""
        return _FAR * self.radius_m

    def normalise(self, points: Tensor) -> Tensor:
        """World points [..., 3] in metres to contracted coordinates [..., 3] in [-1, 1].

        The inner cube of half side ``radius_m`` fills [-0.5, 0.5]; all the rest of space fills
        what is left. The contraction is that of mip-NeRF 360 (equation 10), in the maximum norm so
        that it fills a cube.
        """
        centre = _on_device(self.centre, points.device, points.dtype)
        local = (points - centre[:3, 3]) @ (centre[:3, :3] / self.radius_m)
        norm = local.abs().amax(dim=-1, keepdim=True).clamp_min(1.0)
        return local * ((2.0 - 1.0 / norm) / norm) / 2.0

    def spacing_to_depth(self, spacing: Tensor) -> Tensor:
        """Map sample positions in [0, 1] to depths in metres, from near to far.

        The first half is linear in depth up to the middle, the second linear in disparity beyond
        it, like the contraction.
        """
        near, far = self.near_m / self.middle_m, self.far_m / self.middle_m
        linear = near + 2.0 * spacing * (1.0 - near)
        disparity = 1.0 / (1.0 + (2.0 * spacing - 1.0).clamp_min(0.0) * (1.0 / far - 1.0))
        return torch.where(spacing < 0.5, linear, disparity) * self.middle_m

    def depth_to_spacing(self, depth: Tensor) -> Tensor:
        """The inverse of `spacing_to_depth`, from metres; what is nearer than near, or farther
        than far, is 0 or 1.
        """
        near, far = self.near_m / self.middle_m, self.far_m / self.middle_m
        depth = depth / self.middle_m
        linear = 0.5 * (depth - near) / (1.0 - near)
        disparity = 0.5 + 0.5 * (1.0 / depth.clamp_min(1e-6) - 1.0) / (1.0 / far - 1.0)
        return torch.where(depth < 1.0, linear, disparity).clamp(0.0, 1.0)


# Never forgotten: a recorded training step reads it where it is.
@cache
def _on_device(centre: tuple[float, ...], device: torch.device, dtype: torch.dtype) -> Tensor:
    """A pose [4, 4] where it is needed in each step: to bring it there makes a GPU wait."""
    with torch.inference_mode(False):
        return torch.tensor(centre, dtype=torch.float32).reshape(4, 4).to(device, dtype)
