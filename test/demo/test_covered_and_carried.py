"""The third act, as messages: what is black, what is left out, and odometry that knows nothing."""

import copy
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip('rclpy')
rosbags = pytest.importorskip('rosbags.highlevel')

from rclpy.serialization import deserialize_message  # noqa: E402

from demo.covered_and_carried import CARRIED, COVERED, END, covered_and_carried  # noqa: E402
from demo.play_bag import IMAGES  # noqa: E402
from demo.stamps import headers, move_stamps, stamp_ns  # noqa: E402
from posemap_ros.node.messages import matrix  # noqa: E402

LATER = Path(__file__).parents[2] / 'demo' / 'bags' / 'later'
TRUTH = '/ground_truth/pose'
GAP_NS = round(1e9 * (CARRIED[1] - CARRIED[0]))


@pytest.fixture(scope='module')
def drive():
    """The drive's entries (when recorded, topic, message)."""
    import importlib

    entries = []
    with rosbags.AnyReader([LATER]) as reader:
        for connection, recorded, data in reader.messages():
            package, _, name = connection.msgtype.split('/')
            kind = getattr(importlib.import_module(f'{package}.msg'), name)
            entries.append((recorded, connection.topic, deserialize_message(bytes(data), kind)))
    return entries


@pytest.fixture(scope='module')
def act(drive):
    return list(covered_and_carried(iter(copy.deepcopy(drive))))


def of(entries, topic):
    """Seconds since the drive's first stamp, and messages."""
    start = stamp_ns(entries[0][2])
    return [(1e-9 * (stamp_ns(m) - start), m) for _, t, m in entries if t == topic]


def test_the_act_is_continuous_in_time(act):
    recorded = [at for at, _, _ in act]
    assert recorded == sorted(recorded)
    for topic, gap in ((IMAGES, 0.1), ('/tf', 0.05), (TRUTH, 0.1)):
        seconds = [s for s, _ in of(act, topic)]
        assert np.diff(seconds).min() > 0 and np.diff(seconds).max() < gap
        assert seconds[-1] == pytest.approx(END - (CARRIED[1] - CARRIED[0]), abs=0.1)
    for (at, topic, message), (_, other, _) in zip(act, act):
        assert topic == other and 0 <= at - stamp_ns(message) < 20_000_000


def test_images_are_black_while_the_camera_is_covered_and_only_then(act):
    for seconds, message in of(act, IMAGES)[::5]:
        brightest = cv2.imdecode(np.frombuffer(message.data, np.uint8), cv2.IMREAD_COLOR).max()
        assert (brightest == 0) == (COVERED[0] <= seconds < COVERED[1])


def test_the_truth_jumps_where_the_robot_is_carried(drive, act):
    true = {stamp_ns(m): m for _, t, m in drive if t == TRUTH}
    start, jumps = stamp_ns(drive[0][2]), []
    before = None
    for seconds, message in of(act, TRUTH):
        carried = seconds >= CARRIED[0]
        original = true[stamp_ns(message) + GAP_NS * carried]
        assert message.pose == original.pose
        p = np.array([message.pose.position.x, message.pose.position.y])
        if before is not None and np.linalg.norm(p - before) > 0.2:
            jumps.append((seconds, np.linalg.norm(p - before)))
        before = p
    assert start and len(jumps) == 1
    assert jumps[0][0] == pytest.approx(CARRIED[0], abs=0.1) and jumps[0][1] > 2.0


def test_odometry_goes_on_as_if_it_had_not_moved(drive, act):
    def poses(entries):
        return [(s, matrix(m.transforms[0].transform)) for s, m in of(entries, '/tf')]

    after = [(s, T) for s, T in poses(act)]
    steps = [
        np.linalg.norm((np.linalg.inv(a) @ b)[:3, 3])
        for (_, a), (_, b) in zip(after[:-1], after[1:])
    ]
    assert max(steps) < 0.03, 'at most 0.45 m/s at 33 Hz'
    # Each motion after the cut is the one that was recorded.
    recorded = [T for s, T in poses(drive) if CARRIED[1] <= s < END]
    shown = [T for s, T in after if s >= CARRIED[0] - 1e-6]
    assert len(recorded) == len(shown)
    for k in range(0, len(shown) - 40, 40):
        motions = [np.linalg.inv(T[k]) @ T[k + 40] for T in (recorded, shown)]
        assert np.allclose(*motions, atol=1e-9)


def test_stamps_move_in_every_message(drive):
    for _, _, message in drive[:60]:
        moved = copy.deepcopy(message)
        move_stamps(moved, 1_500_000_000)
        assert len(headers(moved)) == len(headers(message))
        assert stamp_ns(moved) - stamp_ns(message) == 1_500_000_000
