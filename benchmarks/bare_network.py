"""VGG-16 with the recipe paper_indoor on one image, without ROS: what a GPU makes of it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

from posemap_ros.aprnet.network import network_input
from posemap_ros.camera import Camera
from posemap_ros.environment import make_aprnet
from posemap_ros.inference.runtime import choose_runtime
from posemap_ros.inference.solve import PoseSolver
from posemap_ros.nerf_p.scene import SceneFrame
from posemap_ros.recipe import load_recipe

WARM_UPS, CALLS = 10, 200


def time_bare_network(
    device: str, width: int = 854, height: int = 480, calls: int = CALLS
) -> dict[str, float]:
    """Milliseconds (median) from the host's image to the host's numbers or pose, one at a time.

    'network' is our runtime's, 'kernels' what the GPU is busy for in it, 'pose' has the solver
    after it, 'plain' is eager PyTorch in float32. Weights are random. The paper tells 6.27 ms at
    854x480 on an RTX 4090.
    """
    where = torch.device(device)
    camera = Camera(width, height, 0.9 * width, 0.9 * width, width / 2, height / 2)
    scene = SceneFrame(tuple(np.eye(4).ravel().tolist()), 1.0, 0.1, 2.0)
    net = make_aprnet(scene, camera, load_recipe('paper_indoor').aprnet)
    net = net.to(where, memory_format=torch.channels_last).eval()
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    infer, solve = choose_runtime(where).compile(net), PoseSolver(net)

    def plain() -> None:
        with torch.no_grad():
            pixels = torch.from_numpy(image[None]).to(where)
            net(network_input(pixels, camera)).T_world_cam.cpu()

    on_gpu = {} if where.type == 'cpu' else {'kernels': kernels_ms(lambda: infer(image), calls)}
    return {
        **on_gpu,
        'network': median_ms(lambda: infer(image), calls),
        'pose': median_ms(lambda: solve(infer(image)), calls),
        'plain': median_ms(plain, calls),
    }


def median_ms(work: Callable[[], object], calls: int) -> float:
    """Of so many calls, after some that warm up."""
    times = []
    for call in range(WARM_UPS + calls):
        started = time.perf_counter()
        work()
        if call >= WARM_UPS:
            times.append(1e3 * (time.perf_counter() - started))
    return statistics.median(times)


def kernels_ms(work: Callable[[], object], calls: int) -> float:
    """Mean milliseconds for which a GPU computes in one of so many calls; copies do not count."""
    for _ in range(WARM_UPS):
        work()
    with profile(activities=[ProfilerActivity.CUDA]) as kept:
        for _ in range(calls):
            work()
    seen = (e for e in kept.key_averages() if not e.key.startswith(('Memcpy', 'Memset')))
    return sum(event.self_device_time_total for event in seen) / 1e3 / calls
