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
    """Of `solve.ScenePointSolver`: of N cells the points in the scene [3 N] and in the camera's
    frame [3 N] and the weights [N]; what the context adds to the spread's hidden layer [rest].
    """
    points, depths, weights, context = head.cell_points(deep)
    parts = [
        points,
        depths[..., None] * head.rays,
        weights,
        nn.functional.linear(
            context, head.spread[0].weight[:, : context.shape[1]], head.spread[0].bias
        ),
    ]
    return torch.cat([value.reshape(1, -1) for value in parts], dim=1)


_SUMMARIES = {PooledHead: _summarise_pooled, ScenePointHead: _summarise_scene_points}
