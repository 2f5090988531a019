import numpy as np
import pytest
import transforms3d
from textured_room import drive

from posemap_ros.check.conventions import CONVENTIONS


def by_formula(text):
    (found,) = (c for c in CONVENTIONS if c.formula.startswith(text))
    return found


def same_but_for_the_world(a, b):
    np.testing.assert_allclose(np.linalg.inv(a[0]) @ a, np.linalg.inv(b[0]) @ b, atol=1e-9)


@pytest.mark.parametrize(('formula', 'roll'), [('quaternion (q[1]', 1), ('quaternion (q[3]', -1)])
def test_quaternions_in_another_order_are_put_right(formula, roll):
    """Written by another library: as w x y z and read as x y z w, or the other way round."""
    true = drive(30)
    written = true.copy()
    for pose in written:
        w, x, y, z = transforms3d.quaternions.mat2quat(pose[:3, :3])
        x, y, z, w = np.roll((x, y, z, w), roll)
        pose[:3, :3] = transforms3d.quaternions.quat2mat((w, x, y, z))
    np.testing.assert_allclose(by_formula(formula).correct(written), true, atol=1e-9)


def test_images_turned_counter_clockwise():
    """What was down in the image is right: the poses' y axis is the image's x."""
    true = drive(10)
    axes = np.eye(4)
    axes[:3, :3] = np.stack([(0, -1, 0), (1, 0, 0), (0, 0, 1)], axis=1)
    (convention,) = (c for c in CONVENTIONS if 'turned counter-clockwise' in c.name)
    same_but_for_the_world(convention.correct(true @ axes), true)


def test_all_conventions_give_rigid_poses_and_differ():
    poses = drive(10)
    corrected = np.stack([c.correct(poses) for c in CONVENTIONS])
    R = corrected[..., :3, :3]
    np.testing.assert_allclose(np.linalg.det(R), 1.0, atol=1e-9)
    squared = R @ np.swapaxes(R, -1, -2)
    np.testing.assert_allclose(squared, np.broadcast_to(np.eye(3), R.shape), atol=1e-9)
    relative = np.linalg.inv(corrected[:, :1]) @ corrected
    for i in range(len(CONVENTIONS)):
        for j in range(i):
            assert np.abs(relative[i] - relative[j]).max() > 1e-3
