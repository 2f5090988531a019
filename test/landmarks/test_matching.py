import numpy as np
import pytest

from posemap_ros.landmarks.keypoints import DETECTORS, make_detector
from posemap_ros.landmarks.matching import mean_descriptors, unit_vectors


@pytest.mark.parametrize('name', ['akaze', 'orb'])
def test_products_of_binary_descriptors_count_equal_bits(name):
    detector = make_detector(name)
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 256, (2, 20, detector.descriptor_size), dtype=np.uint8)
    differing = np.unpackbits(a ^ b, axis=1).mean(axis=1)
    product = (unit_vectors(a, detector) * unit_vectors(b, detector)).sum(axis=1)
    np.testing.assert_allclose(product, 1 - 2 * differing, atol=1e-5)


def test_vectors_have_unit_length():
    descriptors = np.random.default_rng(0).integers(0, 256, (20, 128), dtype=np.uint8)
    vectors = unit_vectors(descriptors, make_detector('sift'))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize('name', list(DETECTORS))
def test_the_mean_is_the_nearest_to_its_group(name):
    detector = make_detector(name)
    rng = np.random.default_rng(1)
    originals = rng.integers(0, 200, (12_000, detector.descriptor_size), dtype=np.uint8)
    group = np.concatenate([np.arange(12_000), np.arange(100), np.arange(100)])
    descriptors = originals[group]
    descriptors[12_000:12_100] ^= 1  # one bit of each byte, in one of three
    shuffled = rng.permutation(len(group))
    mean = mean_descriptors(descriptors[shuffled], group[shuffled], 12_000, detector)
    np.testing.assert_array_equal(mean, originals)
