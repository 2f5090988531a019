import numpy as np
import pytest

from posemap_ros.messages.transform_tree import NotConnected, TransformTree


def pose(seed, x=0.0):
    rotation, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    T = np.eye(4)
    T[:3, :3] = rotation * np.sign(np.linalg.det(rotation))
    T[:3, 3] = (x, 2, 3)
    return T


def moved(x):
    T = np.eye(4)
    T[0, 3] = x
    return T


@pytest.fixture
def tree():
    """map -> odom -> base -> camera -> optical, and a wheel on the base."""
    tree = TransformTree(max_gap_ns=50)
    tree.add('map', 'odom', pose(0), None)
    tree.add('odom', '/base', moved(1), 100)
    tree.add('odom', 'base', moved(2), 140)
    tree.add('odom', 'base', moved(5), 200)
    tree.add('base', 'camera', pose(1), None)
    tree.add('camera', 'optical', pose(2), None)
    tree.add('base', 'wheel', pose(3), None)
    return tree


def test_down_the_whole_chain(tree):
    expected = pose(0) @ moved(1.5) @ pose(1) @ pose(2)
    np.testing.assert_allclose(tree.lookup('map', 'optical', 120), expected, atol=1e-12)


def test_upwards_and_across(tree):
    np.testing.assert_allclose(
        tree.lookup('optical', 'map', 120), np.linalg.inv(tree.lookup('map', 'optical', 120))
    )
    expected = np.linalg.inv(pose(3)) @ pose(1) @ pose(2)
    np.testing.assert_allclose(tree.lookup('wheel', '/optical', 7), expected, atol=1e-12)


def test_a_frame_in_itself(tree):
    np.testing.assert_array_equal(tree.lookup('optical', 'optical', 0), np.eye(4))


def test_gaps_matter_only_on_the_way(tree):
    assert tree.lookup('map', 'optical', 170) is None
    assert tree.lookup('map', 'optical', 99) is None
    assert tree.lookup('base', 'optical', 170) is not None
    assert tree.span_ns('map', 'optical') == (100, 200)
    assert tree.span_ns('base', 'optical') is None


def test_unconnected_frames(tree):
    tree.add('world', 'lighthouse', pose(4), None)
    with pytest.raises(NotConnected, match='map and lighthouse'):
        tree.lookup('map', 'lighthouse', 0)
    with pytest.raises(NotConnected, match='map and nothing'):
        tree.lookup('map', 'nothing', 0)


def test_two_parents_are_refused(tree):
    tree.add('map', 'base', moved(0), 300)
    with pytest.raises(NotConnected, match='base has two parents in TF, odom and map'):
        tree.lookup('map', 'optical', 120)
    np.testing.assert_allclose(tree.lookup('map', 'odom', 120), pose(0), atol=1e-12)


def test_a_loop_is_refused(tree):
    tree.add('optical', 'map', moved(0), None)
    with pytest.raises(NotConnected, match='loop'):
        tree.lookup('map', 'optical', 120)


def test_frames_are_listed(tree):
    assert tree.frames == ['base', 'camera', 'map', 'odom', 'optical', 'wheel']


def test_what_is_fixed_to_a_frame(tree):
    """From the nearest to the root, then what else is mounted there; nothing that moves."""
    tree.add('odom', 'other', moved(0), 100)
    assert tree.fixed_to('/optical') == ['optical', 'camera', 'base', 'wheel']
    assert tree.fixed_to('nothing') == ['nothing']
