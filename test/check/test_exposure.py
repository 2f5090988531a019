import numpy as np
import pytest
from textured_room import drive, write_room

from posemap_ros.check.exposure import Exposure, judge_exposure, measure_exposure
from posemap_ros.check.pairs import find_pairs
from posemap_ros.check.timeline import timeline_of
from posemap_ros.two_view.features import FeatureMatcher


def exposure(root, gains):
    dataset = write_room(root / 'room', drive(16), gains)
    matcher = FeatureMatcher(dataset)
    return measure_exposure(matcher, find_pairs(matcher, timeline_of(dataset)))


def test_stops_are_of_the_same_surfaces(tmp_path):
    measured = exposure(tmp_path, np.where(np.arange(16) % 2, 1.6, 0.8))
    # One stop where one image of a pair is odd, none where both are alike.
    stops = np.abs(measured.stops)
    assert np.all((np.abs(stops - 1) < 0.12) | (stops < 0.12))
    assert 0.2 < np.mean(stops > 0.5) < 0.8
    assert judge_exposure(measured).severity == 'warning'


def test_constant_exposure_is_fine(room):
    steady = measure_exposure(room.matcher, room.pairs)
    assert np.percentile(np.abs(steady.stops), 95) < 0.15
    assert judge_exposure(steady).severity == 'ok'


@pytest.mark.parametrize(
    ('brightness', 'clipped', 'reason'), [(20.0, 0.1, 'are dark'), (200.0, 0.4, '40 % of the')]
)
def test_dark_and_clipped_images_are_warned_of(brightness, clipped, reason):
    bad = Exposure(np.arange(5), np.full(5, brightness), np.full(5, clipped), np.zeros(9))
    finding = judge_exposure(bad)
    assert finding.severity == 'warning' and reason in finding.text
