import numpy as np
import pytest

from posemap_ros.dataset.coverage import measure_coverage


def looking(heading_deg, pitch_deg=0.0, position=(0, 0, 0)):
    """A camera (OpenCV axes) looking that way, level, z of the world up."""
    h, p = np.radians(heading_deg), np.radians(pitch_deg)
    forward = np.array([np.cos(p) * np.cos(h), np.cos(p) * np.sin(h), np.sin(p)])
    right = np.array([np.sin(h), -np.cos(h), 0])
    T = np.eye(4)
    T[:3, :3] = np.column_stack([right, np.cross(forward, right), forward])
    T[:3, 3] = position
    return T


def test_a_square_drive_by_hand():
    corners = [(0, 0, 1), (3, 0, 1), (3, 4, 1.5), (0, 4, 1)]
    coverage = measure_coverage(np.stack([looking(45, -10, corner) for corner in corners]))
    assert coverage.frames == 4
    assert coverage.path_length_m == pytest.approx(3 + np.hypot(4, 0.5) + np.hypot(3, 0.5))
    assert coverage.extent_m == pytest.approx((3, 4, 0.5))
    assert coverage.height_m == (1, 1.5)
    assert coverage.spacing_m == pytest.approx((3 + np.hypot(3, 0.5)) / 2)
    assert coverage.headings == pytest.approx(1 / 36)
    assert coverage.largest_blind_deg == 350
    assert coverage.pitch_deg == pytest.approx((-10, -10))


def test_the_blind_range_goes_round_the_circle():
    coverage = measure_coverage(np.stack([looking(h + 5) for h in range(60, 300, 10)]))
    assert coverage.headings == pytest.approx(24 / 36)
    assert coverage.largest_blind_deg == 120


def test_looking_everywhere():
    coverage = measure_coverage(np.stack([looking(h + 5) for h in range(0, 360, 10)]))
    assert (coverage.headings, coverage.largest_blind_deg) == (1, 0)


def test_one_frame():
    coverage = measure_coverage(looking(0)[None])
    assert (coverage.path_length_m, coverage.spacing_m) == (0, 0)
    assert '1 frames' in str(coverage)


def test_spacing_across_blocks_is_that_of_all_pairs():
    random = np.random.default_rng(0)
    poses = np.stack([looking(0, 0, p) for p in random.normal(size=(600, 3))])
    apart = np.linalg.norm(poses[:, None, :3, 3] - poses[None, :, :3, 3], axis=-1)
    apart[np.diag_indices(600)] = np.inf
    assert measure_coverage(poses).spacing_m == pytest.approx(np.median(apart.min(axis=1)))
