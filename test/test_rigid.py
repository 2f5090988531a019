"""Rigid transforms, many at once."""

import numpy as np
from textured_room import drive

from posemap_ros.rigid import invert, relative_poses


def test_inverse_undoes_a_pose():
    poses = drive(5)
    np.testing.assert_allclose(invert(poses) @ poses, np.tile(np.eye(4), (5, 1, 1)), atol=1e-12)


def test_relative_pose_takes_points_from_the_first_camera_to_the_second():
    a, b = drive(20)[[0, 12]]
    point = np.array([0.3, -0.2, 2.0, 1.0])
    np.testing.assert_allclose(relative_poses(a, b) @ point, np.linalg.inv(b) @ (a @ point))
