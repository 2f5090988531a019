"""The demo owns up: too few localized images end it with a sentence and exit code 1."""

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('rclpy')

from demo import run_demo  # noqa: E402
from demo.run_demo import Failed, check_enough, row  # noqa: E402
from demo.viewer import Fix, Play  # noqa: E402

LOG = Path('node.log')


def play(localized, images):
    """A play at 10 Hz."""
    fixes = [
        Fix(k * 10**8, k * 10**8 + 10**7, 10.0, np.eye(4), np.eye(4)) for k in range(localized)
    ]
    return Play(images=images, fixes=fixes)


@pytest.mark.parametrize('localized', [0, 1, 26, 404])
def test_fewer_than_nine_in_ten_is_a_failure(localized):
    expected = rf'after refine, only {localized} of 450 images .* node\.log'
    with pytest.raises(Failed, match=expected):
        check_enough('after refine', play(localized, 450), LOG)


@pytest.mark.parametrize('localized', [405, 450])
def test_nine_in_ten_are_enough(localized):
    check_enough('before refine', play(localized, 450), LOG)


def test_a_row_counts_against_all_images_that_were_played():
    assert '405 of 450 images' in row('before refine', play(405, 450))


def test_a_failure_is_a_sentence_and_exit_code_1(monkeypatch, tmp_path):
    def failing(*_):
        raise Failed('before refine, only 26 of 450 images were localized')

    monkeypatch.setattr(run_demo, 'run', failing)
    monkeypatch.setattr(sys, 'argv', ['run_demo', '--out', str(tmp_path)])
    monkeypatch.setattr(run_demo.signal, 'signal', lambda *_: None)
    monkeypatch.setattr(run_demo.rclpy, 'init', lambda **_: None)
    monkeypatch.setattr(run_demo.rclpy, 'try_shutdown', lambda: None)
    with pytest.raises(SystemExit) as end:
        run_demo.main()
    assert end.value.code == 'demo: before refine, only 26 of 450 images were localized'
