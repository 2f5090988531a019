"""The demo's drives: what a small robot can do, inside the room, clear of what stands there."""

import numpy as np
import pytest
from nearness import to_nearest

from demo.drives import (
    LATER,
    MAPPING,
    SPEED,
    STEP_S,
    TURN_RATE,
    camera_mount,
    camera_poses,
    frame_steps,
    odometry,
    true_motion,
)
from demo.scene import later_room, mapped_room

ROOMS = {MAPPING: mapped_room, LATER: later_room}
ROBOT_RADIUS_M = 0.15


@pytest.mark.parametrize('drive', ROOMS)
def test_motion_is_smooth_and_within_the_robots_limits(drive):
    t, x, y, heading, v, w = true_motion(drive).T
    assert np.allclose(np.diff(t), STEP_S)
    assert v.min() >= 0 and v.max() <= SPEED + 1e-9
    assert np.abs(w).max() <= TURN_RATE + 1e-9
    assert np.abs(np.diff(v)).max() < 0.01 and np.abs(np.diff(w)).max() < 0.03
    # It moves where it looks: no side-slip.
    assert np.allclose(np.diff(x) * np.sin(heading[:-1]), np.diff(y) * np.cos(heading[:-1]))
    # It drives or turns until the end.
    assert np.mean((v < 0.02) & (np.abs(w) < 0.02)) < 0.01


@pytest.mark.parametrize('drive', ROOMS)
def test_the_robot_runs_into_nothing(drive):
    path = true_motion(drive)[::40, 1:3]
    for name, thing in ROOMS[drive]().items():
        if name in ('shell', 'rug'):
            continue
        points = np.concatenate([mesh.vertices for mesh, _ in thing.placed()])
        low = points[points[:, 2] < 0.9][:, :2]
        if len(low):
            apart = np.linalg.norm(path[:, None] - low, axis=-1).min()
            assert apart > ROBOT_RADIUS_M, f'{name} is {apart:.2f} m from the path'


def test_the_camera_looks_forward_and_up_a_little():
    T_base_link, T_link_optical = camera_mount()
    right, down, forward = (T_base_link @ T_link_optical)[:3, :3].T
    assert np.allclose(right, (0, -1, 0))
    assert forward[0] > 0.98 and 0.05 < forward[2] < 0.2
    assert down[2] < -0.98


def test_the_later_drive_stays_near_what_was_mapped():
    metres, degrees = to_nearest(camera_poses(LATER), camera_poses(MAPPING))
    assert metres.max() < 0.4 and degrees.max() < 20
    assert np.median(metres) > 0.05, 'it should not be the same path'


def test_odometry_starts_at_zero_and_drifts_plausibly():
    motion = true_motion(MAPPING)
    estimated = odometry(motion, MAPPING.seed)
    assert np.allclose(estimated[0], 0)
    x, y, heading = motion[0, 1:4]
    c, s = np.cos(heading), np.sin(heading)
    true = (motion[:, 1:3] - (x, y)) @ np.array([[c, -s], [s, c]])
    length = motion[:, 4].sum() * STEP_S
    drift = np.linalg.norm(estimated[-1, :2] - true[-1])
    assert 0.003 * length < drift < 0.05 * length


def test_frames_are_evenly_spaced():
    steps = frame_steps(LATER) * STEP_S
    assert len(steps) == LATER.frames
    assert np.diff(steps).mean() == pytest.approx(1 / LATER.rate_hz, rel=1e-3)
