"""Whatever executes APRNet, the poses are those of PyTorch."""

import copy
import importlib.util
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_environment import CAMERA, RECIPE, circle_of_poses, photograph

from posemap_ros.aprnet.network import APRNet, network_input
from posemap_ros.camera import ImageAdapter
from posemap_ros.environment import Environment, make_aprnet
from posemap_ros.extraction.bag import Bag
from posemap_ros.geometry import rotation_error_deg, translation_error
from posemap_ros.inference.runtime import Runtime, choose_runtime, default_threads
from posemap_ros.inference.solve import PoseSolver
from posemap_ros.inference.torch_runtime import TorchRuntime
from posemap_ros.messages.image_message import to_rgb
from posemap_ros.nerf_p.scene import SceneFrame

DEMO = Path(__file__).parents[2] / 'demo'
CPU = torch.device('cpu')
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason='needs an NVIDIA GPU')


@pytest.fixture(params=['openvino', 'torch'])
def runtime(request: pytest.FixtureRequest) -> Runtime:
    if request.param == 'torch':
        return TorchRuntime(CPU, threads=1)
    pytest.importorskip('openvino', reason='OpenVINO is optional')
    return choose_runtime(CPU, threads=1)


@pytest.fixture(params=['vgg16', 'efficientnet_lite0'])
def backbone(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=['pooled', 'scene_points'])
def head(request: pytest.FixtureRequest) -> str:
    return request.param


def random_net(backbone: str, head: str, seed: int = 0) -> APRNet:
    torch.manual_seed(seed)
    scene = SceneFrame.from_poses(torch.from_numpy(circle_of_poses(30)))
    return make_aprnet(scene, CAMERA, replace(RECIPE.aprnet, backbone=backbone, head=head)).eval()


def assert_same(
    runtime: Runtime,
    net: APRNet,
    images: list[np.ndarray],
    digits: float = 1.0,
    device: torch.device = CPU,
):
    """Poses to 1 mm and 0.02 deg, spreads to 0.1 %, descriptors to 0.0001, of those of PyTorch on
    a processor; `digits` loosens.
    """
    there = copy.deepcopy(net).to(device)
    infer, solve = runtime.compile(there), PoseSolver(there)
    for image in images:
        pose, log_sigma, descriptor = solve(infer(image))
        with torch.no_grad():
            pixels = network_input(torch.from_numpy(image[None]), net.camera)
            expected = net(pixels)
            described = net.descriptor(net.backbone(pixels)[1])[0].numpy()
        truth = expected.T_world_cam[0].double()
        pose = torch.from_numpy(pose)
        assert translation_error(pose, truth) < 0.001 * digits
        assert rotation_error_deg(pose, truth) < 0.02 * digits
        np.testing.assert_allclose(log_sigma, expected.log_sigma[0].numpy(), atol=0.001 * digits)
        np.testing.assert_allclose(descriptor, described, atol=1e-4 * digits)


def photographs(count: int) -> list[np.ndarray]:
    return [photograph(pose) for pose in circle_of_poses(count)]


def test_poses_of_every_architecture_are_those_of_pytorch(runtime, backbone, head):
    assert_same(runtime, random_net(backbone, head), photographs(4))


def images_of_the_demo(adapter: ImageAdapter) -> list[np.ndarray]:
    images = []
    with Bag(DEMO / 'bags' / 'later') as bag:
        topic = '/camera/image_raw/compressed'
        for index, (_, data) in enumerate(bag.messages([topic])):
            if index % 60 == 0:
                images.append(adapter(to_rgb(bag.parse(topic, data))))
    assert len(images) > 5
    return images


def test_poses_of_a_trained_network_are_those_of_pytorch(runtime):
    environment = Environment.load(DEMO / 'environment')
    adapter = ImageAdapter(environment.camera, environment.network_camera)
    assert_same(runtime, environment.load_aprnet(), images_of_the_demo(adapter))


def test_the_next_network_has_its_own_weights_and_the_first_keeps_its(runtime):
    first, second = (random_net('efficientnet_lite0', 'scene_points', seed) for seed in (0, 1))
    image = photographs(3)[1]
    infer_first = runtime.compile(first)
    before = infer_first(image)
    infer_second = runtime.compile(second)
    assert not np.allclose(infer_second(image), before, atol=1e-3)
    np.testing.assert_allclose(infer_first(image), before, atol=1e-6)
    assert_same(runtime, second, [image])


@pytest.mark.parametrize('head', ['pooled', 'scene_points'])
def test_weights_take_the_place_of_others_or_the_network_is_converted_again(head, monkeypatch):
    pytest.importorskip('openvino', reason='OpenVINO is optional')
    from posemap_ros.inference import openvino_runtime

    first, second, third = (random_net('efficientnet_lite0', head, seed) for seed in range(3))
    runtime, converted = choose_runtime(CPU, threads=1), []
    convert = openvino_runtime._converted
    monkeypatch.setattr(
        openvino_runtime, '_converted', lambda net: converted.append(net) or convert(net)
    )
    images = photographs(2)
    assert_same(runtime, first, images)
    assert_same(runtime, second, images)
    assert len(converted) == 1
    monkeypatch.setattr(openvino_runtime, '_PREFIX', 'as it may be called one day.')
    assert_same(runtime, third, images)
    assert len(converted) == 2


def test_networks_of_several_architectures_in_turn(runtime):
    for head in ('pooled', 'scene_points', 'pooled'):
        assert_same(runtime, random_net('efficientnet_lite0', head), photographs(1))


def test_numbers_stay_what_they_are_when_the_next_image_comes(runtime):
    infer = runtime.compile(random_net('efficientnet_lite0', 'pooled'))
    one, other = photographs(2)
    numbers = infer(one)
    kept = numbers.copy()
    assert not np.array_equal(infer(other), kept)
    assert np.array_equal(numbers, kept)


def test_openvino_runs_on_a_cpu_where_it_is_installed():
    expected = 'OpenVINO' if importlib.util.find_spec('openvino') else 'PyTorch'
    assert choose_runtime(CPU).name.startswith(expected)


def test_without_openvino_pytorch_does(monkeypatch):
    monkeypatch.setitem(sys.modules, 'openvino', None)
    monkeypatch.delitem(sys.modules, 'posemap_ros.inference.openvino_runtime', raising=False)
    assert choose_runtime(CPU, threads=1).name.startswith('PyTorch')


@pytest.mark.parametrize('cores, threads', [(1, 1), (2, 1), (3, 1), (4, 2), (8, 4), (64, 4)])
def test_threads_leave_room_for_others(monkeypatch, cores, threads):
    monkeypatch.setattr('os.sched_getaffinity', lambda pid: set(range(cores)), raising=False)
    assert default_threads() == threads


@needs_cuda
def test_poses_on_cuda_are_nearly_those_of_pytorch():
    # Half precision: eleven bits of each feature.
    device = torch.device('cuda')
    environment = Environment.load(DEMO / 'environment')
    adapter = ImageAdapter(environment.camera, environment.network_camera)
    net, images = environment.load_aprnet(), images_of_the_demo(adapter)
    assert_same(choose_runtime(device), net, images, digits=5.0, device=device)


@needs_cuda
def test_numbers_on_cuda_are_nearly_those_of_pytorch(backbone, head):
    # Before the solver: the poses of a network that was never trained hang on the last bit.
    net = random_net(backbone, head)
    infer = choose_runtime(torch.device('cuda')).compile(copy.deepcopy(net).to('cuda'))
    expect = TorchRuntime(CPU, threads=1).compile(net)
    for image in photographs(4):
        off = np.linalg.norm(infer(image) - expect(image)) / np.linalg.norm(expect(image))
        assert off < 0.05


def test_openvino_reports_to_nobody():
    # In a process of its own: whoever imported openvino before, in this one, would decide.
    pytest.importorskip('openvino', reason='OpenVINO is optional')
    program = (
        'import sys, posemap_ros.inference.openvino_runtime\n'
        "assert sys.modules['openvino_telemetry'] is None\n"
        "assert not any(name.startswith('openvino_telemetry.') for name in sys.modules)\n"
    )
    subprocess.run([sys.executable, '-c', program], check=True)
