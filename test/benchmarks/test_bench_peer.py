"""The figures that bench_peer compares by, on errors that were made up."""

import math
from dataclasses import replace

import numpy as np
import pytest
from tiny_environment import CAMERA, make_tiny_dataset

from posemap_ros.dataset import open_dataset

pytest.importorskip('pycolmap')

from benchmarks.bench_peer import print_table, row, without_distortion  # noqa: E402


def test_a_row_counts_against_all_frames():
    metres, degrees = np.array([0.01, 0.04, 0.04, 0.30]), np.array([0.1, 6.0, 1.0, 2.0])
    found = row('name', 8, metres, degrees, [0.1, 0.2, 0.6], megabytes=5.0)
    assert (found.frames, found.poses) == (8, 4)
    assert found.median_m == pytest.approx(0.04) and found.median_deg == pytest.approx(1.5)
    assert found.close == pytest.approx(2 / 8), 'the frames without a pose are not close'
    assert found.off == 1
    assert found.seconds == pytest.approx(0.2), 'the median'


def test_a_method_without_poses_has_a_row(capsys):
    found = row('none', 3, np.array([]), np.array([]), [0.1], 0.0)
    assert found.poses == found.off == 0 and math.isnan(found.median_m)
    print_table([found])
    assert '0 of 3' in capsys.readouterr().out


def test_the_reference_is_given_images_without_distortion(tmp_path):
    lens = replace(CAMERA, distortion_model='plumb_bob', distortion=(-0.1, 0.0, 0.0, 0.0, 0.0))
    bent = replace(open_dataset(make_tiny_dataset(tmp_path / 'bent', 3)), camera=lens)
    bent = replace(bent, frames=tuple(replace(frame, camera=lens) for frame in bent.frames))
    flat = without_distortion(bent, tmp_path / 'flat')
    assert flat.camera == CAMERA and flat.names == bent.names
    assert np.array_equal(flat.poses, bent.poses)
    assert np.array_equal(flat.load(1), bent.load_as(1, CAMERA))
    assert without_distortion(flat, tmp_path / 'again') is flat
