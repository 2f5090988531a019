"""Refine's child process by itself, as its parent starts it."""

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from tiny_environment import circle_of_poses, photograph

from posemap_ros.environment import Environment
from posemap_ros.node.refine_worker import IMAGES_FILE, JOB_FILE, RefineJob


def start(folder: Path, environment: Path, revision: int, seconds: float) -> subprocess.Popen:
    folder.mkdir()
    np.save(folder / IMAGES_FILE, np.stack([photograph(pose) for pose in circle_of_poses(8)]))
    job = RefineJob(str(environment), revision, device='cpu', threads=1, seconds=seconds)
    (folder / JOB_FILE).write_text(json.dumps(asdict(job)))
    return subprocess.Popen(
        [sys.executable, '-m', 'posemap_ros.node.refine_worker', folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize('revision', [0, 1])
def test_it_starts_from_the_revision_in_use(
    environment: Path, tmp_path: Path, revision: int
) -> None:
    """Not from the newest: that may have been reset, or be another robot's."""
    base = Environment.load(environment)
    assert base.add_revision(base.load_aprnet(), {}) == 1
    assert base.add_revision(base.load_aprnet(), {}) == 2
    with start(tmp_path / 'job', environment, revision, seconds=0.0) as process:
        *_, last = process.stdout
        process.stdin.close()
    assert json.loads(last)['result']['revision'] == revision


def test_the_folder_goes_with_who_made_it(environment: Path, tmp_path: Path) -> None:
    """A parent that is killed cannot remove it; all that the child sees is its input's end."""
    process = start(tmp_path / 'job', environment, 0, seconds=600.0)
    first = process.stdout.readline()
    assert 'progress' in json.loads(first), process.stderr.read()
    assert (tmp_path / 'job').exists()
    process.communicate()
    assert not (tmp_path / 'job').exists()
