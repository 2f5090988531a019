"""What executes APRNet fastest, in one run: PyTorch, torch.jit, ONNX Runtime, OpenVINO.

    tools/with_ros python -m benchmarks.bench_inference

From the image at the network's size to pose, spread and descriptor, with one thread and two: on
its own, beside a busy Python thread of the same process, as a ROS node has them, and beside a busy
process. Also what each costs to start with, and how far its poses are from those of eager PyTorch.
ONNX Runtime is left out where onnxruntime and onnx are not installed: the project does not need
them.
"""

from __future__ import annotations

import argparse
import io
import multiprocessing
import statistics
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch

from posemap_ros.aprnet.network import APRNet, network_input
from posemap_ros.camera import Camera
from posemap_ros.environment import Environment
from posemap_ros.geometry import rotation_error_deg, translation_error
from posemap_ros.inference.pose_graph import PoseGraph
from posemap_ros.inference.runtime import Infer
from posemap_ros.inference.solve import PoseSolver
from posemap_ros.inference.torch_runtime import TorchRuntime
from posemap_ros.nerf_p.scene import SceneFrame
from posemap_ros.support.command_line import run_stage

CPU = torch.device('cpu')
DEMO = Path(__file__).parents[1] / 'demo' / 'environment'
NETWORKS = ('efficientnet_lite0 scene_points', 'vgg16 scene_points', 'vgg16 pooled')
ROUNDS = 3
# Image -> T_world_cam [4, 4].
Localize = Callable[[np.ndarray], np.ndarray]


def make_network(name: str) -> APRNet:
    """The demo's light network as it was trained, or a VGG-16 with random weights."""
    backbone, head = name.split()
    if backbone == 'efficientnet_lite0':
        return Environment.load(DEMO, 0).load_aprnet()
    torch.manual_seed(0)
    camera = Camera(320, 240, 205.0, 205.0, 160.0, 120.0)
    scene = SceneFrame(tuple(np.eye(4).ravel()), radius_m=3.0, near_m=0.15, middle_m=3.0)
    net = APRNet(scene, camera, backbone, head, feature_stride=8)
    return net.to(memory_format=torch.channels_last).eval()


def eager(net: APRNet, threads: int) -> Localize:
    """PyTorch as it is, with the pose's own singular value decomposition."""
    torch.set_num_threads(threads)

    def localize(image: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            deep = net.backbone(network_input(torch.from_numpy(image[None]), net.camera))[1]
            net.descriptor(deep).numpy()
            return net.pose(deep).T_world_cam[0].numpy()

    return localize


def split(net: APRNet, threads: int) -> Localize:
    """PyTorch up to the few numbers that NumPy makes the pose of: the node without OpenVINO."""
    return solved(net, TorchRuntime(CPU, threads).compile(net))


def frozen(net: APRNet, threads: int) -> Localize:
    """torch.jit, traced, frozen and optimized."""
    torch.set_num_threads(threads)
    pixels = torch.zeros(1, net.camera.height, net.camera.width, 3, dtype=torch.uint8)
    with torch.no_grad():
        traced = torch.jit.trace(PoseGraph(net).eval(), pixels, check_trace=False)
        graph = torch.jit.optimize_for_inference(torch.jit.freeze(traced))

    def infer(image: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return graph(torch.from_numpy(image[None]))[0].numpy()

    return solved(net, infer)


def onnxruntime(net: APRNet, threads: int) -> Localize:
    """ONNX Runtime with what PyTorch exports."""
    import onnxruntime

    pixels = torch.zeros(1, net.camera.height, net.camera.width, 3, dtype=torch.uint8)
    exported = io.BytesIO()
    torch.onnx.export(PoseGraph(net).eval(), (pixels,), exported, dynamo=False)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(
        exported.getvalue(), options, providers=['CPUExecutionProvider']
    )
    name = session.get_inputs()[0].name
    return solved(net, lambda image: session.run(None, {name: image[None]})[0][0])


def openvino(net: APRNet, threads: int) -> Localize:
    """OpenVINO: the node."""
    from posemap_ros.inference.openvino_runtime import OpenVinoRuntime

    return solved(net, OpenVinoRuntime(threads).compile(net))


def solved(net: APRNet, infer: Infer) -> Localize:
    """The network's numbers made a pose."""
    solve = PoseSolver(net)
    return lambda image: solve(infer(image))[0]


CANDIDATES = {
    'PyTorch, eager': eager,
    'PyTorch, eager, NumPy': split,
    'torch.jit, frozen': frozen,
    'ONNX Runtime': onnxruntime,
    'OpenVINO': openvino,
}


def installed() -> dict[str, Callable[[APRNet, int], Localize]]:
    """The candidates that can run here."""
    needs = {'ONNX Runtime': ('onnxruntime', 'onnx'), 'OpenVINO': ('openvino',)}
    return {
        name: make
        for name, make in CANDIDATES.items()
        if all(find_spec(module) for module in needs.get(name, ()))
    }


def blobs(net: APRNet, seed: int) -> np.ndarray:
    """A picture of smooth blobs, uint8 RGB at the network's size."""
    coarse = torch.rand(1, 3, 6, 8, generator=torch.Generator().manual_seed(seed))
    size = (net.camera.height, net.camera.width)
    fine = torch.nn.functional.interpolate(coarse, size, mode='bilinear')
    return (255.0 * fine[0]).byte().permute(1, 2, 0).contiguous().numpy()


@contextmanager
def nothing_else() -> Iterator[None]:
    yield


@contextmanager
def busy_thread() -> Iterator[None]:
    """A thread that always has Python to run."""
    done = threading.Event()

    def spin() -> None:
        while not done.is_set():
            sum(range(100))

    thread = threading.Thread(target=spin, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@contextmanager
def busy_process() -> Iterator[None]:
    """Another process that always has something to compute."""
    process = multiprocessing.get_context('spawn').Process(target=_spin_forever, daemon=True)
    process.start()
    time.sleep(1.0)
    try:
        yield
    finally:
        process.kill()
        process.join()


def _spin_forever() -> None:
    while True:
        pass


CONDITIONS = {
    'alone': nothing_else,
    'busy thread': busy_thread,
    'busy process': busy_process,
}


def measure_speed(network: str, threads: int, seconds: float) -> dict[str, dict[str, float]]:
    """Median milliseconds an image, by candidate and condition. The candidates take turns."""
    warnings.simplefilter('ignore')
    net = make_network(network)
    image = blobs(net, 0)
    ready = {name: make(net, threads) for name, make in installed().items()}
    times: dict[str, dict[str, list[float]]] = {name: {} for name in ready}
    for condition, load in CONDITIONS.items():
        with load():
            for _ in range(ROUNDS):
                for name, localize in ready.items():
                    torch.set_num_threads(threads)
                    taken = times[name].setdefault(condition, [])
                    localize(image)
                    end = time.perf_counter() + seconds / ROUNDS
                    while (start := time.perf_counter()) < end:
                        localize(image)
                        taken.append(1e3 * (time.perf_counter() - start))
    return {
        name: {condition: statistics.median(taken) for condition, taken in rows.items()}
        for name, rows in times.items()
    }


def measure_start(network: str, name: str) -> dict[str, float]:
    """What one candidate costs beyond PyTorch and the network, to start and an image, in processor
    time with one thread; and how far its poses are off.
    """
    warnings.simplefilter('ignore')
    torch.set_num_threads(1)
    net = make_network(network)
    images = [blobs(net, seed) for seed in range(8)]
    memory, start = _resident_mb(), time.process_time()
    localize = CANDIDATES[name](net, 1)
    localize(images[0])
    seconds, memory = time.process_time() - start, _resident_mb() - memory
    start = time.process_time()
    for image in images:
        localize(image)
    processor_ms = 1e3 * (time.process_time() - start) / len(images)
    reference = eager(net, 1)
    errors = []
    for image in images:
        found, expected = (
            torch.from_numpy(np.asarray(pose, np.float64))
            for pose in (localize(image), reference(image))
        )
        errors.append(
            (
                1e3 * float(translation_error(found, expected)),
                float(rotation_error_deg(found, expected)),
            )
        )
    mm, deg = map(max, zip(*errors))
    return {
        'seconds': seconds,
        'memory_mb': memory,
        'processor_ms': processor_ms,
        'mm': mm,
        'deg': deg,
    }


def _resident_mb() -> float:
    return int(Path('/proc/self/statm').read_text().split()[1]) * 4096 / 1e6


def apart(function: Callable, *arguments: object) -> dict:
    """Call a function in a process of its own."""
    with ProcessPoolExecutor(1, multiprocessing.get_context('spawn')) as pool:
        return pool.submit(function, *arguments).result()


def run(arguments: argparse.Namespace) -> None:
    """Measure everything and print it."""
    for network in arguments.networks:
        camera = make_network(network).camera
        print(f'\n{network}, {camera.width}x{camera.height}')
        heads = [f'{threads} thr. {c}' for threads in (1, 2) for c in CONDITIONS]
        print(f'{"ms an image (median)":24}' + ''.join(f'{head:>20}' for head in heads))
        by_threads = [apart(measure_speed, network, n, arguments.seconds) for n in (1, 2)]
        for name in installed():
            cells = ''
            for times in by_threads:
                for condition in CONDITIONS:
                    ms = times[name][condition]
                    ratio = times['PyTorch, eager'][condition] / ms
                    cells += f'{ms:>12.1f} {f"({ratio:.1f}x)":>7}'
            print(f'{name:24}{cells}')
        print(f'\n{"":24}{"start":>10}{"memory":>10}{"an image":>12}{"largest error":>24}')
        for name in installed():
            r = apart(measure_start, network, name)
            print(
                f'{name:24}{r["seconds"]:>8.2f} s{r["memory_mb"]:>7.0f} MB'
                f'{r["processor_ms"]:>9.1f} ms{r["mm"]:>11.4f} mm {r["deg"]:>6.4f} deg',
                flush=True,
            )


def main(argv: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog='bench_inference', description=__doc__)
    add = parser.add_argument
    add('--networks', nargs='+', choices=NETWORKS, default=NETWORKS, help='default: all')
    add(
        '--seconds',
        type=float,
        default=2.0,
        metavar='S',
        help='how long each is measured under each condition (default: %(default)g)',
    )
    arguments = parser.parse_args(argv)
    return run_stage('bench_inference', lambda: run(arguments), ValueError)


if __name__ == '__main__':
    sys.exit(main())
