from dataclasses import replace

import numpy as np
import pytest
from textured_room import CAMERA

from posemap_ros.check.findings import Finding
from posemap_ros.check.record import FILE_NAME, read_record, write_record
from posemap_ros.dataset import PosedFrame, PosedImages


@pytest.fixture
def dataset(tmp_path):
    frames = [PosedFrame(f'{i}', tmp_path / f'{i}.jpg', np.eye(4)) for i in range(3)]
    return PosedImages(tmp_path, CAMERA, tuple(frames))


def test_a_check_that_was_never_run(dataset):
    assert read_record(dataset) == 'never run'


def test_the_outcome_is_that_of_the_findings(dataset):
    good, doubtful = Finding('scale', 'ok', 'metres'), Finding('exposure', 'warning', 'dark')
    write_record(dataset, [good, doubtful])
    assert read_record(dataset) == 'passed'
    write_record(dataset, [good, Finding('pose jumps', 'fault', 'they jump', 'cut')])
    assert read_record(dataset) == 'failed: pose jumps: they jump'


def test_a_check_of_other_poses_does_not_count(dataset):
    write_record(dataset, [])
    moved = np.eye(4)
    moved[0, 3] = 0.01
    frames = (replace(dataset.frames[0], T_world_cam=moved), *dataset.frames[1:])
    assert read_record(replace(dataset, frames=frames)).startswith('never run on these poses')


@pytest.mark.parametrize('text', ['', '[1]', 'verdict: 3', 'a: *b', '\x00'])
def test_a_damaged_record_is_no_record(dataset, text):
    (dataset.root / FILE_NAME).write_text(text)
    assert read_record(dataset).startswith('not known')


def test_what_a_terminal_would_obey_is_not_printed(dataset):
    write_record(dataset, [Finding('scale', 'fault', '\x1b[2J')])
    assert '\x1b' not in read_record(dataset)
