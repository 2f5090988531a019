"""Which photos are compared for depth."""

import numpy as np

from posemap_ros.camera import Camera
from posemap_ros.stereo.partners import choose_partners

CAMERA = Camera(240, 180, 190.0, 190.0, 120.0, 90.0)


def row(*positions: float) -> np.ndarray:
    """Cameras side by side that look the same way."""
    poses = np.tile(np.eye(4), (len(positions), 1, 1))
    poses[:, 0, 3] = positions
    return poses


def test_partners_stand_aside_by_angles_that_tell_depth() -> None:
    # At 3 m, 0.105 m aside is 2 degrees, 0.21 m is 4, and 0.37 m is 7.
    poses = row(0.0, 0.02, 0.105, 0.21, 0.37, 2.0)
    assert choose_partners(poses, CAMERA, np.full(6, 3.0))[0] == [2, 3, 4]


def test_the_farther_things_are_the_farther_are_the_partners() -> None:
    poses = row(0.0, 0.105, 0.21, 0.37, 0.42, 0.74)
    near, far = (choose_partners(poses, CAMERA, np.full(6, d))[0] for d in (3.0, 6.0))
    assert near == [1, 2, 3]
    assert 1 not in far and 2 in far and 5 in far


def test_who_looks_elsewhere_or_stands_at_the_same_place_is_no_partner() -> None:
    poses = row(0.0, 0.0, 0.2)
    poses[2, :3, :3] = np.diag([-1.0, 1.0, -1.0])  # turned round
    assert choose_partners(poses, CAMERA, np.full(3, 3.0)) == [[], [], []]
