"""The inference benchmark compares like with like: all candidates find the same pose."""

import numpy as np
import pytest
import torch

from benchmarks.bench_inference import NETWORKS, blobs, eager, installed, make_network

LIGHT = NETWORKS[0]


@pytest.mark.parametrize('candidate', installed())
def test_candidates_find_the_same_pose(candidate: str) -> None:
    threads = torch.get_num_threads()
    try:
        net = make_network(LIGHT)
        image = blobs(net, 0)
        expected = eager(net, threads)(image)
        assert np.allclose(installed()[candidate](net, threads)(image), expected, atol=1e-3)
    finally:
        torch.set_num_threads(threads)
