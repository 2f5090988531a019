"""Of too many photos, one of each view is kept."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from posemap_ros.dataset.image_io import write_image
from posemap_ros.extraction.photo_choice import choose_photos

SHARP = {1, 7, 10, 18, 22, 29}  # one in each run


@pytest.fixture(scope='module')
def video(tmp_path_factory):
    """Thirty frames of a camera that slides along a wall: 3 of 320 px each, so that every fifth
    shows a new view (0.04 of the width); all but a few a little blurred, one of them damaged.
    """
    folder = tmp_path_factory.mktemp('video')
    wall = np.random.default_rng(0).integers(0, 255, (240, 1000), np.uint8)
    wall = cv2.GaussianBlur(wall, (0, 0), 2.0)
    paths = []
    for i in range(30):
        picture = wall[:, 3 * i : 3 * i + 320]
        if i not in SHARP:
            picture = cv2.GaussianBlur(picture, (0, 0), 1.0)
        paths.append(folder / f'{i:02d}.png')
        write_image(paths[-1], np.repeat(picture[..., None], 3, axis=2))
    paths[3].write_bytes(paths[3].read_bytes()[:2000])
    return paths


def test_of_few_all_are_kept_unseen():
    assert choose_photos([Path('/nowhere')] * 30, 30) == list(range(30))


def test_of_many_the_sharpest_of_each_view(video):
    assert choose_photos(video, 29) == sorted(SHARP)


def test_of_still_too_many_an_even_share_and_what_is_needed(video):
    assert choose_photos(video, 3) == [1, 10, 29]
    assert choose_photos(video, 3, needed=(4, 29)) == [1, 4, 10, 29]


def test_photos_of_different_things_are_all_views(tmp_path):
    rng = np.random.default_rng(0)
    paths = [tmp_path / f'{i}.jpg' for i in range(9)]
    for path in paths:
        small = rng.integers(0, 255, (60, 80, 3), np.uint8)
        write_image(path, cv2.resize(small, (1280, 960), interpolation=cv2.INTER_CUBIC))
    assert choose_photos(paths, 5) == [0, 2, 4, 6, 8]
