"""Folders are drives, unless they are cameras of one robot."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from textured_room import drive

from posemap_ros.camera import Camera
from posemap_ros.dataset import PosedFrame, PosedImages
from posemap_ros.dataset.drives import find_drives

CAMERA = Camera(32, 24, 30, 30, 16, 12)
CLOCK_NS = 1_700_000_000 * 10**9
# The right camera of a rig, 12 cm to the right and turned by 20 degrees.
BESIDE = np.eye(4)
BESIDE[:3, :3] = [[0.94, 0, 0.342], [0, 1, 0], [-0.342, 0, 0.94]]
BESIDE[0, 3] = 0.12


def folder(name, poses, seconds=None, start_ns=CLOCK_NS, names=None):
    """Frames with these poses [n, 4, 4], and stamps if there are times."""
    return [
        PosedFrame(
            f'{name}/{i if names is None else names[i]:04d}',
            Path(f'/d/{name}/{i}.png'),
            T,
            None if seconds is None else start_ns + round(1e9 * seconds[i]),
        )
        for i, T in enumerate(poses)
    ]


def found(*folders):
    dataset = PosedImages(Path('/d'), CAMERA, tuple(f for frames in folders for f in frames))
    return {d.name: d for d in find_drives(dataset)}


def noisy(poses, metres=0.01):
    out = poses.copy()
    out[:, :3, 3] += np.random.default_rng(0).normal(0, metres, (len(poses), 3))
    return out


def test_overlap_in_time_makes_one_drive_whatever_the_poses():
    t = 0.1 * np.arange(40)
    first, other = drive(80)[:40], drive(80)[40:]
    assert set(found(folder('a', first, t), folder('b', other, t + 1.0))) == {'a + b'}
    assert set(found(folder('a', first, t), folder('b', other, t + 5.0))) == {'a', 'b'}
    chain = found(folder('a', first, t), folder('b', other, t + 3), folder('c', other, t + 6))
    assert set(chain) == {'a + b + c'}


def test_moments_of_cameras_at_different_rates_are_the_nearest_in_time():
    """By hand: the second camera takes every other frame, 20 ms later, and stops earlier."""
    poses = drive(40)
    drives = found(
        folder('a', poses, 0.1 * np.arange(40)),
        folder('b', poses[:30:2], 0.2 * np.arange(15) + 0.02),
    )
    moments = drives['a + b'].moments
    np.testing.assert_array_equal(moments, [*range(40), *range(0, 30, 2)])
    np.testing.assert_array_equal(drives['a + b'].frames, range(55))


@pytest.mark.parametrize('seconds', [None, 0.1 * np.arange(40)])
def test_without_a_clock_poses_tell(seconds):
    """No stamps, or those of a simulation, which begins at 0 each time."""
    poses = drive(40)
    left = folder('left', poses, seconds, start_ns=0)
    assert set(found(left, folder('right', noisy(poses @ BESIDE), seconds, 0))) == {'left + right'}
    again = drive(80)[40:]
    assert set(found(left, folder('later', again, seconds, 0))) == {'left', 'later'}
    assert set(found(left, folder('turned', poses[::-1], seconds, 0))) == {'left', 'turned'}


def test_frames_are_paired_by_name_where_some_are_missing():
    poses = drive(60)
    kept = np.array([i for i in range(60) if i % 7 and i > 20])
    drives = found(folder('left', poses), folder('right', (poses @ BESIDE)[kept], names=kept))
    np.testing.assert_array_equal(drives['left + right'].moments, [*range(60), *kept])


def test_few_frames_are_no_camera():
    poses = drive(9)
    assert set(found(folder('left', poses), folder('right', poses @ BESIDE))) == {'left', 'right'}


def test_one_folder_is_one_drive_in_its_order():
    frames = folder('a', drive(30), 0.1 * np.arange(30))
    (whole,) = found(frames).values()
    np.testing.assert_array_equal(whole.moments, range(30))
    (shuffled,) = found([replace(frames[i], stamp_ns=None) for i in range(29, -1, -1)]).values()
    np.testing.assert_array_equal(shuffled.frames, range(30))
    np.testing.assert_array_equal(shuffled.moments, range(30))
