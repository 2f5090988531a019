"""Fixtures of the tests over real middleware."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rclpy
import torch
from launching import Launched, launching
from robot import NodeProcess, Robot
from tiny_environment import CAMERA, circle_of_poses, make_tiny_environment, photograph

from posemap_ros.aprnet.network import network_input
from posemap_ros.environment import Environment, write_environment
from posemap_ros.localizer import Localizer

# The network is untrained and its poses random: believe them all, unless a test is about that. And
# the machine may be busy: nothing is late.
PARAMETERS = {
    'device': 'cpu',
    'torch_threads': 1,
    'max_image_age': 30.0,
    'fix_timeout': 30.0,
    'transform_wait': 1.0,
    'max_sigma_translation': 1000.0,
    'max_sigma_rotation': 180.0,
    'max_disagreement_translation': 1000.0,
    'max_disagreement_rotation': 180.0,
    'check_image': False,  # the painted cube is all soft stripes
}


@pytest.fixture(scope='session', autouse=True)
def middleware() -> Iterator[None]:
    """ROS in this process."""
    rclpy.init()
    yield
    rclpy.shutdown()


@pytest.fixture(scope='session')
def views() -> list[np.ndarray]:
    """Photographs from around the place."""
    return [photograph(pose) for pose in circle_of_poses(40)]


@pytest.fixture(scope='session')
def environment(tmp_path_factory: pytest.TempPathFactory, views: list[np.ndarray]) -> Path:
    """An environment that no test changes, in which other views give other poses.

    Random weights alone give the same pose for every image, because signals fade on their way
    through a deep network; with the statistics of batch normalisation measured they do not.
    """
    folder = tmp_path_factory.mktemp('environment')
    tiny = Environment.load(make_tiny_environment(folder / 'tiny'))
    net = tiny.load_aprnet()
    for layer in net.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = 1.0
            layer.train()
    with torch.no_grad():
        net(network_input(torch.from_numpy(np.stack(views)), tiny.network_camera))
    return write_environment(
        folder / 'lively', tiny.camera, net, tiny.load_nerf_p(), tiny.recipe, (1.0, 1.0), {}
    ).path


@pytest.fixture(scope='session')
def slow_to_refine(tmp_path_factory: pytest.TempPathFactory, environment: Path) -> Path:
    """The same place, whose recipe asks a refine for so many steps that none is over during a
    test, however fast the machine. No test changes it.
    """
    lively = Environment.load(environment)
    alignment = replace(lively.recipe.alignment, epochs=10_000)
    return write_environment(
        tmp_path_factory.mktemp('environment') / 'slow_to_refine',
        lively.camera,
        lively.load_aprnet(),
        lively.load_nerf_p(),
        replace(lively.recipe, alignment=alignment),
        (1.0, 1.0),
        {},
    ).path


@pytest.fixture(scope='session')
def localizer(environment: Path) -> Localizer:
    """What the node should say, computed here."""
    return Localizer(environment, 'cpu')


@pytest.fixture
def next_view(views: list[np.ndarray]) -> Callable[[], np.ndarray]:
    """Another photograph each time."""
    index = iter(range(10**9))
    return lambda: views[next(index) % len(views)]


@contextmanager
def running_nodes(logs: Path, environment: Path) -> Iterator[Callable[..., NodeProcess]]:
    """Gives a function that starts a node with parameters; ends what was started."""
    nodes = []

    def start(*, ready: bool = True, **parameters: object) -> NodeProcess:
        values = PARAMETERS | {'environment': environment} | parameters
        node = NodeProcess(logs / f'node{len(nodes)}.log', **values)
        nodes.append(node)
        if ready:
            node.wait_for_log('ready')
        return node

    try:
        yield start
    finally:
        for node in nodes:
            node.kill()


@pytest.fixture
def start_node(tmp_path: Path, environment: Path) -> Iterator[Callable[..., NodeProcess]]:
    """Starts nodes for one test; waits until each is ready, unless told not to."""
    with running_nodes(tmp_path, environment) as start:
        yield start


@pytest.fixture
def robot() -> Iterator[Robot]:
    """A robot with a mounted camera; whether it has odometry depends on how a test drives it."""
    with Robot(CAMERA) as made:
        yield made


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Callable[..., Launched]]:
    """Runs a launch file of the package with arguments; ends what was started."""
    with launching(tmp_path) as start:
        yield start
