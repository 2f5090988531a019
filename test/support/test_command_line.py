"""What every stage does with a mistake: one sentence, no traceback, before any work."""

import argparse
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from posemap_ros.support.command_line import number, run_stage
from training import ablate, align, convert_dataset, evaluate, extract_bag, sfm_poses

# A finder that is asked for torch presses Ctrl-C.
INTERRUPT = """
import os, signal, sys
from importlib.abc import MetaPathFinder
class Finder(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == 'torch':
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder())
sys.argv[0] = sys.argv.pop()
from training.evaluate import main
"""


def test_errors_are_one_sentence_that_obeys_no_terminal(capsys) -> None:
    def fail() -> None:
        raise ValueError('the file \x1b[31mred\n is missing')

    assert run_stage('align', fail, ValueError) == 1
    assert capsys.readouterr().err == 'align: the file \\x1b[31mred\\n is missing\n'


def test_mistakes_of_ours_keep_their_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        run_stage('align', lambda: 1 / 0, ValueError)


def test_ctrl_c_during_imports_is_one_sentence() -> None:
    run = [sys.executable, '-c', INTERRUPT, '/usr/bin/evaluate']
    stopped = subprocess.run(run, capture_output=True, text=True)
    assert stopped.returncode == -signal.SIGINT
    assert stopped.stderr == 'evaluate: stopped before it began\n'
    other = subprocess.run([*run[:-1], 'notebook'], capture_output=True, text=True)
    assert 'KeyboardInterrupt' in other.stderr


@pytest.mark.parametrize('text', ['0', '-1', '11', 'nan', 'inf', '', 'x', '1' * 5000])
@pytest.mark.parametrize('kind', [int, float])
def test_numbers_out_of_range_are_refused(kind: type, text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        number(kind, 1, 10)(text)
    assert number(kind, 1, 10)('10') == 10


@pytest.mark.parametrize(
    ('main', 'options'),
    [
        (align, '--steps -1'),
        (align, '--steps 0'),
        (align, '--seconds nan'),
        (align, '--seconds -1'),
        (align, '--every 0'),
        (align, '--seed -1'),
        (evaluate, '--revision -1'),
        (ablate, '--out x --fractions 0'),
        (ablate, '--out x --fractions nan'),
        (ablate, '--out x --seeds 99999999999'),
        (ablate, '--out x --align-steps 0'),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_stages_refuse_them_at_once(main, options: str, capsys) -> None:
    needed = ['--data', 'nowhere'] + ([] if main is ablate else ['--environment', 'nowhere'])
    with pytest.raises(SystemExit, match='2'):
        main.main([*needed, *options.split()])
    last = capsys.readouterr().err.splitlines()[-1]
    assert f'error: argument {options.split()[-2]}: it must be at least' in last


@pytest.mark.parametrize(
    ('main', 'options'),
    [
        (convert_dataset, '--data x --out y --origin nan 0 0'),
        (sfm_poses, '--images x --out y --focal nan'),
        (sfm_poses, '--images x --out y --every 0'),
        (extract_bag, 'x --out y --max-gap nan'),
        (extract_bag, 'x --out y --min-translation nan'),
        (extract_bag, 'x --out y --every 0'),
    ],
)
def test_so_do_those_that_make_datasets(main, options: str, capsys) -> None:
    with pytest.raises(SystemExit, match='2'):
        main.main(options.split())
    assert 'Traceback' not in capsys.readouterr().err


def test_where_no_folder_can_be_made_is_said_first(tmp_path: Path, capsys) -> None:
    """Not even root makes files in /proc. The data are not looked at: there are none."""
    nowhere = str(tmp_path / 'nowhere')
    assert convert_dataset.main(['--data', nowhere, '--out', '/proc/out']) == 1
    assert capsys.readouterr().err.startswith('convert_dataset: /proc: ')
