"""Which images can be placed in time."""

import pytest

from posemap_ros.node.stamps import FrameRefused, StampCheck

SECOND = 10**9
NOW = 1000 * SECOND


def test_fresh_images_in_order_pass():
    stamps = StampCheck()
    for age in (0.4, 0.3, 0.2):
        assert stamps.check(int(NOW - age * SECOND), NOW, max_age=0.5) == 0


@pytest.mark.parametrize(
    ('stamp', 'now', 'sentence'),
    [
        (0, NOW, 'stamp is zero'),
        (-SECOND, NOW, 'stamp is zero or before that'),
        (NOW, 0, 'nothing was published on /clock'),
        (NOW - 2 * SECOND, NOW, '2.0 s old, more than max_image_age'),
        (NOW + 2 * SECOND, NOW, '2.0 s in the future'),
    ],
)
def test_refusals_say_why_and_are_forgotten(stamp, now, sentence):
    stamps = StampCheck()
    with pytest.raises(FrameRefused, match=sentence):
        stamps.check(stamp, now, max_age=1.0)
    assert stamps.check(NOW - SECOND // 2, NOW, max_age=1.0) == 0


def test_without_a_limit_any_age_passes():
    assert StampCheck().check(1, NOW, max_age=0.0) == 0
    assert StampCheck().check(2 * NOW, NOW, max_age=0.0) == 0


@pytest.mark.parametrize('back', [0, SECOND // 10, SECOND])
def test_repeated_and_disordered_images_are_refused(back):
    stamps = StampCheck()
    stamps.check(NOW, NOW, max_age=0.0)
    with pytest.raises(FrameRefused, match='not newer'):
        stamps.check(NOW - back, NOW, max_age=0.0)
    assert stamps.check(NOW + 1, NOW, max_age=0.0) == 0


def test_a_recording_that_starts_again_is_noticed_once():
    stamps = StampCheck()
    stamps.check(NOW, NOW, max_age=0.0)
    assert stamps.check(NOW - 60 * SECOND, NOW, max_age=0.0) == pytest.approx(60)
    assert stamps.check(NOW - 59 * SECOND, NOW, max_age=0.0) == 0


def test_clear():
    stamps = StampCheck()
    stamps.check(NOW, NOW, max_age=0.0)
    stamps.clear()
    assert stamps.check(NOW, NOW, max_age=0.0) == 0
