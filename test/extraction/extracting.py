"""Extraction of small bags, for the tests of what comes out."""

import numpy as np
import pytest
from recordings import (
    START_NS,
    camera_info,
    compressed_image,
    jpeg,
    ns,
    picture,
    pose,
    rotation,
    transforms,
    write_bag,
)

from posemap_ros.evaluation.errors import rotation_error_deg, translation_error_m
from posemap_ros.extraction.bag import BagError
from posemap_ros.extraction.bag_recording import BagOptions
from posemap_ros.extraction.frame_selection import FrameSelection
from posemap_ros.extraction.from_bag import extract_bag

IMAGE, INFO = '/camera/image_raw/compressed', '/camera/camera_info'
ALL = FrameSelection(min_translation_m=0, min_rotation_deg=0)
OF_CAMERA = BagOptions(pose_frame='camera_optical', selection=ALL)

# A camera on a mast: looking forward and down, rolled a little, in two static steps.
BASE_TO_LINK = pose(rotation((0.1, 1, 0), 20), (0.2, -0.05, 0.9))
LINK_TO_OPTICAL = pose(np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]]), (0.01, 0.02, 0))


def static_tf():
    entries = (
        ('base_link', 'camera_link', BASE_TO_LINK),
        ('camera_link', 'camera_optical', LINK_TO_OPTICAL),
    )
    return ('/tf_static', transforms(START_NS, *entries), START_NS)


def images(seconds, **kwargs):
    """JPEG images and camera_info at these times."""
    for i, t in enumerate(seconds):
        yield IMAGE, compressed_image(ns(t), jpeg(picture(i)), **kwargs), ns(t)
        yield INFO, camera_info(ns(t)), ns(t)


def extract(tmp_path, messages, options=OF_CAMERA, storage='mcap', zstd=None, **kwargs):
    path = write_bag(tmp_path / 'drive', messages, storage, zstd)
    return extract_bag(path, tmp_path / 'out', options, **kwargs)


def refused(tmp_path, messages, word, options=OF_CAMERA):
    """Extraction stops with one sentence that has the word in it, and leaves nothing behind."""
    with pytest.raises(BagError, match=word) as caught:
        extract(tmp_path, messages, options)
    assert '\n' not in str(caught.value)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ['drive']


def assert_close(T, expected, metres=1e-3, degrees=0.05):
    assert translation_error_m(T, expected).max() < metres
    assert rotation_error_deg(T, expected).max() < degrees
