import numpy as np
import pytest

from posemap_ros.dataset import DatasetError
from posemap_ros.dataset.pose_matrix import checked_pose, pose_from_quaternion


def pose():
    c, s = np.cos(0.3), np.sin(0.3)
    return np.array([[c, -s, 0, 1.0], [s, c, 0, 2], [0, 0, 1, 3], [0, 0, 0, 1]])


def changed(**entries):
    T = pose()
    for where, value in entries.items():
        T[int(where[1]), int(where[2])] = value
    return T


def test_a_pose_passes_unchanged():
    np.testing.assert_allclose(checked_pose(pose().tolist(), 'x'), pose(), atol=1e-15)


def test_rounding_is_projected_away():
    rounded = pose().round(3)
    assert np.abs(rounded[:3, :3] @ rounded[:3, :3].T - np.eye(3)).max() > 1e-5
    R = checked_pose(rounded, 'x')[:3, :3]
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-14)
    np.testing.assert_allclose(R, pose()[:3, :3], atol=1e-3)


@pytest.mark.parametrize(
    ('matrix', 'word'),
    [
        (changed(r00=np.nan), 'NaN'),
        (changed(r13=np.inf), 'infinite'),
        (pose() @ np.diag([1.0, 1, -1, 1]), 'reflection'),
        (pose() @ np.diag([2.0, 2, 2, 1]), 'scaled by 2'),
        (pose() @ np.diag([1.0, 1, 1.2, 1]), 'stretches'),
        (changed(r00=0.3), 'stretches'),
        (np.zeros((4, 4)) + np.diag([0, 0, 0, 1.0]), 'scaled by 0'),
        (changed(r33=2.0), 'last row'),
        (pose().T, 'transposed'),
        (np.eye(3), r'shape \(3, 3\)'),
        ([[1, 2], [3]], 'numbers'),
        ('pose', 'numbers'),
        ([[10**400] * 4] * 4, 'numbers'),
    ],
)
def test_what_is_wrong_is_said(matrix, word):
    with pytest.raises(DatasetError, match=f'^frame 7: .*{word}'):
        checked_pose(matrix, 'frame 7')


def test_quaternions_are_x_y_z_w():
    T = pose_from_quaternion([1, 2, 3], [0, 0, np.sin(0.15), np.cos(0.15)], 'x')
    np.testing.assert_allclose(T, pose(), atol=1e-15)


@pytest.mark.parametrize('axis', range(3))
def test_each_axis_of_the_quaternion_turns_right_handed(axis):
    q = np.zeros(4)
    q[[axis, 3]] = np.sqrt(0.5)
    T = pose_from_quaternion(np.zeros(3), q, 'x')
    start, end = np.eye(3)[(axis + 1) % 3], np.eye(3)[(axis + 2) % 3]
    np.testing.assert_allclose(T[:3, :3] @ start, end, atol=1e-15)


@pytest.mark.parametrize(
    ('position', 'quaternion', 'word'),
    [
        ([np.nan, 0, 0], [0, 0, 0, 1], 'NaN'),
        ([0, 0, 0], [0, 0, np.nan, 1], 'NaN'),
        ([0, 0, 0], [0, 0, 0, 0], 'length 0'),
        ([0, 0, 0], [0, 0, 1, 1], 'length 1.41'),
    ],
)
def test_impossible_quaternions_are_refused(position, quaternion, word):
    with pytest.raises(DatasetError, match=f'^pose 3: .*{word}'):
        pose_from_quaternion(position, quaternion, 'pose 3')
