import numpy as np
import pytest
from textured_room import CAMERA, drive

from posemap_ros.rigid import relative_poses
from posemap_ros.two_view.epipolar import sampson_px


def test_points_of_the_scene_lie_on_their_epipolar_lines():
    poses = drive(20)
    points = np.random.default_rng(0).uniform((-1, -1, 3), (1, 1, 6), (1, 50, 3))
    T_b_a = relative_poses(poses[:1], poses[9:10])
    in_b = points @ T_b_a[0, :3, :3].T + T_b_a[0, :3, 3]
    distance = sampson_px(CAMERA.project(points), CAMERA.project(in_b), T_b_a, CAMERA)
    assert np.nanmax(distance) < 1e-9


def test_distance_of_a_sideways_motion_by_hand():
    """Epipolar lines are the rows of the image: a point 2 px lower is 2 px off its line in either
    image, which Sampson's distance shares out: 2 / sqrt(2)."""
    T_b_a = np.eye(4)[None]
    T_b_a[0, 0, 3] = -0.5
    a = np.array([[[100.0, 80.0], [30.0, 20.0]]])
    b = a + [[[-7.0, 2.0], [-4.0, 0.0]]]
    np.testing.assert_allclose(sampson_px(a, b, T_b_a, CAMERA), [[np.sqrt(2), 0.0]], atol=1e-12)


def test_a_camera_that_only_turned_tests_the_turn():
    T_b_a = relative_poses(drive(20)[:1], drive(20)[9:10])
    T_b_a[0, :3, 3] = 0
    points = np.random.default_rng(0).uniform((-1, -1, 3), (1, 1, 6), (1, 50, 3))
    seen = CAMERA.project(points), CAMERA.project(points @ T_b_a[0, :3, :3].T)
    assert np.nanmax(sampson_px(*seen, T_b_a, CAMERA)) < 1e-9
    assert np.nanmedian(sampson_px(*seen, np.eye(4)[None], CAMERA)) == pytest.approx(
        np.nanmedian(np.abs(seen[1] - seen[0])[..., 1]) / np.sqrt(2), rel=1e-9
    )
