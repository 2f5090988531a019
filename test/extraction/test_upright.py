import cv2
import numpy as np
import pytest
from textured_room import drive

from posemap_ros.extraction.upright import is_upright_known, upright_rotation


@pytest.mark.parametrize('turn', [(0, 0, 0), (1.2, 0.4, -0.7), (np.pi, 0, 0), (0, -np.pi / 2, 0)])
def test_the_mean_up_of_the_cameras_becomes_z(turn):
    tilt = np.eye(4)
    tilt[:3, :3] = cv2.Rodrigues(np.array(turn, float))[0]
    poses = tilt @ drive(60)
    R = upright_rotation(poses)
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(R) == pytest.approx(1)
    up = -(R @ poses[:, :3, :3])[:, :, 1].mean(axis=0)
    np.testing.assert_allclose(up / np.linalg.norm(up), (0, 0, 1), atol=1e-9)


def test_cameras_held_every_way_leave_the_world_as_it_is():
    turns = np.random.default_rng(0).normal(size=(50, 3)) * 3
    poses = np.tile(np.eye(4), (50, 1, 1))
    poses[:, :3, :3] = [cv2.Rodrigues(turn)[0] for turn in turns]
    assert not is_upright_known(poses)
    np.testing.assert_array_equal(upright_rotation(poses), np.eye(3))
