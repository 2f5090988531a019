"""Test cameras far from the training cameras, on clusters whose centres are known."""

import numpy as np
import pytest

from posemap_ros.experiments.outliers import farthest, outlier_distances

# Two tight clusters, at the origin and at 10 m, also far away from the world's origin.
RING = 0.1 * np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]], dtype=float)
TRAINING = np.concatenate([RING, RING + [10, 0, 0]])
TEST = np.array([[0, 0, 0.5], [10, 3, 0], [5, 0, 0], [0.1, 0, 0]], dtype=float)


@pytest.mark.parametrize('offset', [0.0, 5000.0])
def test_distances_go_to_the_nearest_centre(offset: float) -> None:
    distances = outlier_distances(TRAINING + offset, TEST + offset, clusters=2)
    assert distances == pytest.approx([0.5, 3.0, 5.0, 0.1], abs=1e-3)


def test_the_farthest_come_first() -> None:
    # With as many clusters as positions, each training camera is a centre.
    assert farthest(TRAINING, TEST, count=2).tolist() == [2, 1]
    assert len(farthest(TRAINING, TEST)) == 4
