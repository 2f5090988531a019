"""Refine's child process by itself, as its parent starts it."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from kept_frames import frames

from posemap_ros.environment import Environment
from posemap_ros.node.refine_job import RefineJob, write_images
from posemap_ros.node.refine_worker import REST, REST_SECONDS


def start(
    folder: Path,
    environment: Path,
    revision: int,
    seconds: float,
    python: Sequence[str] = ('-m', 'posemap_ros.node.refine_worker'),
) -> subprocess.Popen:
    folder.mkdir()
    write_images(folder, frames())
    job = RefineJob(str(environment), revision, device='cpu', threads=1, seconds=seconds)
    job.write(folder)
    return subprocess.Popen(
        [sys.executable, *python, folder],
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


def test_it_rests_when_it_is_told_to(environment: Path, tmp_path: Path) -> None:
    said = f'rests {REST_SECONDS}'
    code = (
        'import sys, time\n'
        'from posemap_ros.node import refine_worker\n'
        "time.sleep = lambda seconds: print('rests', seconds, file=sys.stderr, flush=True)\n"
        'refine_worker.main()'
    )
    with start(tmp_path / 'job', environment, 0, seconds=600.0, python=['-c', code]) as process:
        process.stdin.write(REST.decode())
        process.stdin.flush()
        assert said in (line.strip() for line in process.stderr)
        process.stdin.close()


@pytest.mark.skipif(
    not Path('/proc/self/autogroup').exists(), reason='Linux does not share by session here'
)
@pytest.mark.parametrize('own_session', [True, False])
def test_steps_back_as_a_session_too_but_never_takes_others_of_its_session_along(own_session):
    code = (
        'from pathlib import Path\n'
        'from posemap_ros.node.refine_worker import _step_back\n'
        "group = Path('/proc/self/autogroup')\n"
        'before = group.read_text()\n'
        '_step_back()\n'
        'print(repr(before))\n'
        'print(repr(group.read_text()))'
    )
    said = subprocess.run(
        [sys.executable, '-c', code],
        capture_output=True,
        text=True,
        check=True,
        start_new_session=own_session,
    ).stdout
    before, after = said.splitlines()
    if own_session:
        assert ' nice 8' in after and ' nice 8' not in before
    else:  # nothing is read where the session has no share of its own, as in some containers
        assert after == before
