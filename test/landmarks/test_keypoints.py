import cv2
import numpy as np
import pytest

from posemap_ros.landmarks.keypoints import DETECTORS, make_detector

_RNG = np.random.default_rng(0)
_TEXTURE = cv2.GaussianBlur(_RNG.normal(size=(960, 1280)).astype(np.float32), (0, 0), 6)
_TEXTURE /= _TEXTURE.std()


def view(pixels_per_pixel, corner, size=(240, 320)):
    """The texture seen so that point p of the image is point `pixels_per_pixel * p + corner`."""
    first = np.array(corner) + 0.5 * pixels_per_pixel - 0.5
    M = np.float64([[pixels_per_pixel, 0, first[0]], [0, pixels_per_pixel, first[1]]])
    blurred = cv2.GaussianBlur(_TEXTURE, (0, 0), 0.45 * pixels_per_pixel)
    image = cv2.warpAffine(blurred, M, size[::-1], flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP)
    return np.clip(128 + 40 * image, 0, 255).astype(np.uint8)


@pytest.fixture(params=list(DETECTORS))
def detector(request):
    return make_detector(request.param)


def test_a_keypoint_is_where_it_is_whatever_the_size_of_the_image(detector):
    """Half a pixel in the wrong place is another distance in an image of another scale."""
    near, far = detector.detect(view(1.5, (41, 33))), detector.detect(view(3.0, (10, 10)))
    matches = cv2.BFMatcher(detector.norm, crossCheck=True).match(
        near.descriptors, far.descriptors
    )
    at_near = near.points[[m.queryIdx for m in matches]] * 1.5 + (41, 33)
    at_far = far.points[[m.trainIdx for m in matches]] * 3.0 + (10, 10)
    offsets = at_near - at_far
    same = offsets[np.linalg.norm(offsets, axis=1) < 6]
    assert len(same) > 40
    # In pixels of the texture. Half a pixel in the wrong place would be 0.75.
    np.testing.assert_allclose(np.median(same, axis=0), 0, atol=0.4)


@pytest.mark.parametrize('name', ['sift', 'akaze'])
@pytest.mark.parametrize('radius', [2.0, 5.0])
def test_a_blob_is_found_at_its_centre(name, radius):
    for centre in np.random.default_rng(1).uniform(50, 60, (5, 2)):
        v, u = np.mgrid[:110, :120] + 0.5
        square = (u - centre[0]) ** 2 + (v - centre[1]) ** 2
        image = (60 + 150 * np.exp(-square / (2 * radius**2))).round().astype(np.uint8)
        found = make_detector(name).detect(image)
        distance = np.linalg.norm(found.points - centre, axis=1)
        assert distance.min() < 0.1


def test_descriptors_are_bytes_and_points_lie_in_the_image(detector):
    found = detector.detect(view(2.0, (0, 0)), max_keypoints=150)
    assert len(found) == 150
    assert found.descriptors.dtype == np.uint8
    assert found.descriptors.shape == (150, detector.descriptor_size)
    assert found.points.dtype == found.scores.dtype == found.scales.dtype == np.float32
    assert (found.points > 0).all() and (found.points < (320, 240)).all()
    assert (np.diff(found.scores) <= 0).all()


def test_a_mask_is_kept_to(detector):
    mask = np.zeros((240, 320), np.uint8)
    mask[:, 160:] = 255
    found = detector.detect(view(2.0, (0, 0)), mask)
    assert len(found) > 20
    assert (found.points[:, 0] > 157).all()


def test_nothing_in_an_empty_image(detector):
    found = detector.detect(np.full((100, 100), 90, np.uint8))
    assert len(found) == 0
    assert found.points.shape == (0, 2)
    assert found.descriptors.shape == (0, detector.descriptor_size)


def test_quantised_rootsift_keeps_distances():
    sift = make_detector('sift')
    image = view(2.0, (0, 0))
    found = sift.detect(image, max_keypoints=200)
    length = np.linalg.norm(found.descriptors.astype(float), axis=1)
    np.testing.assert_allclose(length, 512, rtol=0.02)


def test_an_unknown_detector_is_refused():
    with pytest.raises(ValueError, match='sift, akaze, orb'):
        make_detector('surf')
