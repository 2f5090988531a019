"""Pictures beside each other keep their pixels, and have words around them."""

import numpy as np

from posemap_ros.map_view.panels import side_by_side


def test_pictures_stand_side_by_side_under_their_names() -> None:
    left, right = np.full((40, 60, 3), 200, np.uint8), np.full((40, 90, 3), 100, np.uint8)
    plain = side_by_side({'a': left, 'b': right})
    height = plain.shape[0] - 40
    assert plain.shape == (40 + height, 150, 3) and height > 0
    np.testing.assert_array_equal(plain[height:, :60], left)
    np.testing.assert_array_equal(plain[height:, 60:], right)
    assert np.ptp(plain[:height, :60]) > 100 and np.ptp(plain[:height, 60:]) > 100


def test_the_caption_is_below_and_says_what_it_is_told() -> None:
    picture = {'': np.zeros((40, 300, 3), np.uint8)}
    plain, one, other = (side_by_side(picture, text) for text in ('', 'localized', 'lost'))
    assert one.shape[0] > plain.shape[0]
    np.testing.assert_array_equal(one[: len(plain)], plain)
    assert not np.array_equal(one, other)


def test_any_text_can_be_a_caption() -> None:
    picture = {'PoseMap': np.zeros((40, 60, 3), np.uint8)}
    side_by_side(picture, 'é∞\n' + 500 * 'x')
