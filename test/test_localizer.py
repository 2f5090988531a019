"""The localizer: one image in, a sound pose and covariance out, and nothing else needed."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from tiny_environment import CAMERA, circle_of_poses, photograph

from posemap_ros.camera import Camera, CameraMismatch
from posemap_ros.environment import Environment, InvalidEnvironment
from posemap_ros.localizer import Localizer

IMAGE = photograph(circle_of_poses(8)[1])


@pytest.fixture
def localizer(environment: Path) -> Localizer:
    return Localizer(environment, 'cpu')


def test_pose_and_covariance_are_sound(localizer: Localizer) -> None:
    estimate = localizer.localize(IMAGE, CAMERA)
    rotation = estimate.T_map_cam[:3, :3]
    assert np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-5)
    assert np.linalg.det(rotation) == pytest.approx(1.0, abs=1e-5)
    assert np.array_equal(estimate.T_map_cam[3], (0, 0, 0, 1))
    assert np.linalg.eigvalsh(estimate.covariance).min() > 0
    assert estimate.covariance[0, 0] == pytest.approx(estimate.sigma_translation_m**2)
    assert estimate.covariance[5, 5] == pytest.approx(np.radians(estimate.sigma_rotation_deg) ** 2)


def test_images_of_one_place_have_alike_descriptors(localizer: Localizer) -> None:
    poses = circle_of_poses(40)
    here, beside, opposite = (
        localizer.localize(photograph(poses[i]), CAMERA).descriptor for i in (0, 1, 20)
    )
    assert here.dtype == np.float32 and here.ndim == 1
    assert np.linalg.norm(here) == pytest.approx(1.0, abs=1e-5)
    assert here @ beside > here @ opposite


def test_the_same_image_gives_the_same_pose(localizer: Localizer) -> None:
    first, second = (localizer.localize(IMAGE, CAMERA).T_map_cam for _ in range(2))
    assert np.array_equal(first, second)


def test_it_is_the_network_that_answers(localizer: Localizer, environment: Path) -> None:
    net = Environment.load(environment).load_aprnet()
    pixels = torch.from_numpy(IMAGE).permute(2, 0, 1)[None].float() / 255.0
    with torch.no_grad():
        expected = net(pixels).T_world_cam[0].numpy()
    assert np.allclose(localizer.localize(IMAGE, CAMERA).T_map_cam, expected, atol=1e-4)


def test_another_camera_that_sees_the_same_gives_nearly_the_same_pose(
    localizer: Localizer,
) -> None:
    finer = Camera(128, 96, 100.0, 100.0, 64.0, 48.0)
    image = photograph(circle_of_poses(8)[1], finer)
    same = localizer.prepare(image, finer).astype(float)
    assert np.abs(same - localizer.prepare(IMAGE, CAMERA)).mean() < 2.0


def test_a_camera_that_sees_too_little_is_refused(localizer: Localizer) -> None:
    narrow = Camera(64, 48, 500.0, 500.0, 32.0, 24.0)
    with pytest.raises(CameraMismatch, match='sees only'):
        localizer.localize(IMAGE, narrow)


def test_revisions_are_swapped_and_swapped_back(localizer: Localizer, environment: Path) -> None:
    base = localizer.localize(IMAGE, CAMERA).T_map_cam
    loaded = Environment.load(environment)
    net = loaded.load_aprnet()
    with torch.no_grad():
        for parameter in net.head.parameters():
            parameter.mul_(1.5)
    assert loaded.add_revision(net, {}) == 1
    localizer.use(Environment.load(environment, 1))
    assert localizer.revision == 1
    assert not np.allclose(localizer.localize(IMAGE, CAMERA).T_map_cam, base)
    assert Localizer(environment, 'cpu').revision == 1
    localizer.use(Environment.load(environment, 0))
    assert np.array_equal(localizer.localize(IMAGE, CAMERA).T_map_cam, base)


def test_revisions_change_while_images_are_localized(
    localizer: Localizer, environment: Path
) -> None:
    """Each pose is that of one revision or the other."""
    loaded = Environment.load(environment)
    net = loaded.load_aprnet()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.mul_(1.1)
    loaded.add_revision(net, {})
    possible = [Localizer(environment, 'cpu', r).localize(IMAGE, CAMERA) for r in (0, 1)]
    done, poses = threading.Event(), []

    def localize() -> None:
        while not done.is_set():
            poses.append(localizer.localize(IMAGE, CAMERA))

    threads = [threading.Thread(target=localize) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in (1, 0, 1):
        localizer.use(Environment.load(environment, number))
        count = len(poses)
        while len(poses) < count + 4:
            time.sleep(0.001)
    done.set()
    for thread in threads:
        thread.join()
    matched = {
        index
        for pose in poses
        for index, known in enumerate(possible)
        if np.allclose(pose.T_map_cam, known.T_map_cam, atol=1e-5)
        and np.allclose(pose.descriptor, known.descriptor, atol=1e-5)
    }
    assert matched == {0, 1}
    for pose in poses:
        assert any(np.allclose(pose.T_map_cam, known.T_map_cam, atol=1e-5) for known in possible)


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='reads /proc')
def test_changing_revisions_takes_no_memory(localizer: Localizer) -> None:
    def resident_mb() -> float:
        pages = int(Path('/proc/self/statm').read_text().split()[1])
        return pages * os.sysconf('SC_PAGE_SIZE') / 1e6

    def change(times: int) -> None:
        for _ in range(times):
            localizer.use(Environment.load(localizer.environment.path, 0))
            localizer.localize(IMAGE, CAMERA)

    change(2)
    before = resident_mb()
    change(4)
    # The network is 5 MB; a leak of it alone would show.
    assert resident_mb() - before < 20.0


def test_an_environment_that_was_built_anew_for_another_camera_is_refused(
    localizer: Localizer, environment: Path
) -> None:
    manifest = environment / 'environment.yaml'
    values = yaml.safe_load(manifest.read_text())
    values['network_camera'].update(width=80, cx=40.0)
    manifest.write_text(yaml.safe_dump(values))
    before = localizer.localize(IMAGE, CAMERA)
    with pytest.raises(InvalidEnvironment, match='another camera'):
        localizer.use(Environment.load(environment, 0))
    assert np.array_equal(localizer.localize(IMAGE, CAMERA).T_map_cam, before.T_map_cam)


def test_neither_ros_nor_training_code_is_imported(environment: Path) -> None:
    """A robot runs the localizer without what trained it, nor what takes long to import."""
    code = (
        'import sys; from posemap_ros.localizer import Localizer; '
        f"Localizer({str(environment)!r}, 'cpu'); "
        'bad = [m for m in sys.modules '
        "if m.split('.')[0] in ('rclpy', 'rosbags', 'torchvision', 'roma') "
        "or m == 'torch._dynamo' or m.endswith(('trainer', 'building', 'training_loop'))]; "
        'sys.exit(str(bad) if bad else 0)'
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
