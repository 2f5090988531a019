"""The part of APRNet that a runtime executes: a graph from an image to few numbers.

What no runtime has, the singular values of a 3x3 matrix, is left to `posemap_ros.inference.solve`.
The numbers that leave are so few that Python's lock is held for microseconds thereafter.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from posemap_ros.aprnet.heads import PooledHead, ScenePointHead
from posemap_ros.aprnet.network import APRNet


class PoseGraph(nn.Module):
    """Pixels uint8 RGB [1, H, W, 3] of the network's camera -> numbers [1, K] float32.

    First come those of the head, which its class in `solve` turns into a pose, then the
    descriptor.
    """

    def __init__(self, net: APRNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, pixels: Tensor) -> Tensor:
        deep = self.net.backbone(pixels.permute(0, 3, 1, 2).float() / 255.0)[1]
        summarise = _SUMMARIES[type(self.net.head)]
        return torch.cat([summarise(self.net.head, deep), self.net.descriptor(deep)], dim=1)


def _summarise_pooled(head: PooledHead, deep: Tensor) -> Tensor:
    """Of `solve.PooledSolver`: matrix and translation [12], log of the spread [2]."""
    pooled = head.pool(deep)
    return torch.cat([head.pose(pooled), head.spread(pooled)], dim=1)


def _summarise_scene_points(head: ScenePointHead, deep: Tensor) -> Tensor:
    """Of `solve.ScenePointSolver`: the weighted means of the points in the camera's and the
    scene's frame [3, 3], their variances [1, 1] and covariance [9], all that weighted Procrustes
    needs; how evenly the cells count [1]; what they add to the spread's hidden layer [rest].
    """
    points, depths, weights, context = head.cell_points(deep)
    in_camera = depths[..., None] * head.rays
    weights = weights[..., None]
    camera_mean = (weights * in_camera).sum(1, keepdim=True)
    scene_mean = (weights * points).sum(1, keepdim=True)
    in_camera, points = in_camera - camera_mean, points - scene_mean
    # Not as a matrix product, which would be in half precision on a GPU.
    covariance = (weights[..., None] * points[..., None] * in_camera[:, :, None]).sum(1)
    sums = [
        camera_mean,
        scene_mean,
        (weights * in_camera.square()).sum((1, 2)),
        (weights * points.square()).sum((1, 2)),
        covariance,
        -weights.square().sum(1).log(),
        nn.functional.linear(
            context, head.spread[0].weight[:, : context.shape[1]], head.spread[0].bias
        ),
    ]
    return torch.cat([value.reshape(1, -1) for value in sums], dim=1)


_SUMMARIES = {PooledHead: _summarise_pooled, ScenePointHead: _summarise_scene_points}
