"""The plain reference node: a VGG-16 that is the same as ours, and poses that are poses."""

import pytest
import torch
from torch import nn

pytest.importorskip('rclpy')

from benchmarks.plain_node import PlainNetwork  # noqa: E402
from posemap_ros.aprnet.backbones import Vgg16  # noqa: E402


def test_the_plain_network_has_our_backbones_layers() -> None:
    ours = [layer for layer in Vgg16().features if not isinstance(layer, nn.MaxPool2d)]
    plain = [layer for layer in PlainNetwork().features if not isinstance(layer, nn.MaxPool2d)]
    shapes = [
        [tuple(p.shape) for layer in layers for p in layer.parameters()]
        for layers in (ours, plain)
    ]
    assert shapes[0] == shapes[1]


def test_the_plain_network_gives_seven_numbers() -> None:
    with torch.no_grad():
        assert PlainNetwork().eval()(torch.zeros(1, 3, 64, 96)).shape == (1, 7)
