import cv2
import numpy as np
import pytest

from posemap_ros.extraction.image_motion import ImageMotion

WIDTH, HEIGHT = 320, 240


@pytest.fixture(scope='module')
def wall():
    texture = np.random.default_rng(0).integers(0, 255, (HEIGHT, 4000), np.uint8)
    return cv2.GaussianBlur(texture, (0, 0), 2.5)


def new_views(motion, pictures):
    return [index for index, picture in enumerate(pictures) if motion.moved(picture)]


def window(wall, x):
    return np.ascontiguousarray(wall[:, x : x + WIDTH])


def test_a_new_view_each_time_the_picture_has_moved_far_enough(wall):
    """3 px a frame; the sixth frame after a view is the first that is 16 px off, 0.05 of 320."""
    pictures = [window(wall, 3 * i) for i in range(30)]
    assert new_views(ImageMotion(0.05), pictures) == [0, 6, 12, 18, 24]


def test_standing_still_shows_one_view(wall):
    assert new_views(ImageMotion(0.05), [window(wall, 7)] * 20) == [0]


def test_a_sudden_turn_is_a_new_view(wall):
    pictures = [window(wall, x) for x in (0, 0, 2000, 2000, 2000)]
    assert new_views(ImageMotion(0.05), pictures) == [0, 2]


def test_turning_about_the_viewing_axis_is_motion_too(wall):
    first = window(wall, 0)

    def turned(degrees):
        turn = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), degrees, 1)
        return cv2.warpAffine(first, turn, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT)

    # The median corner is about 100 px off the middle: 16 px are about 9 degrees there.
    views = new_views(ImageMotion(0.05), [turned(2 * i) for i in range(12)])
    assert views[0] == 0 and views[1] in (4, 5, 6)


def test_blank_views_are_passed_over_until_there_is_something_to_see(wall):
    blank = np.full((HEIGHT, WIDTH), 128, np.uint8)
    assert new_views(ImageMotion(0.05), [blank, blank, window(wall, 0), window(wall, 0)]) == [0, 2]


def test_another_size_is_another_view(wall):
    first = window(wall, 0)
    assert new_views(ImageMotion(0.05), [first, first[:100], first[:100]]) == [0, 1]
