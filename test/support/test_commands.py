"""Commands that are given to copy are run as they are copied, in a shell."""

import ast
import importlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from recordings import drive, write_bag
from textured_room import drive as room_drive
from textured_room import write_room

from posemap_ros.dataset import open_dataset
from posemap_ros.dataset.transforms_json import rescale
from posemap_ros.support import commands

ROOT = Path(__file__).resolve().parents[2]
CALLS = ('stage', 'commands.stage')


@pytest.fixture
def started_as(monkeypatch):
    """Pretend that this program was started as some path."""

    def start(path, with_ros=None):
        monkeypatch.setattr(sys, 'argv', [str(path)])
        monkeypatch.delenv(commands.WITH_ROS, raising=False)
        if with_ros:
            monkeypatch.setenv(commands.WITH_ROS, str(with_ros))

    return start


def test_in_the_checkout_it_is_the_wrapper(started_as, monkeypatch, tmp_path):
    wrapper = ROOT / 'tools/with_ros'
    started_as('/venv/bin/evaluate', wrapper)
    monkeypatch.chdir(ROOT)
    assert commands.stage('check_dataset', '--data', 'my place/data') == (
        "tools/with_ros check_dataset --data 'my place/data'"
    )
    assert commands.pip_install('pycolmap') == 'tools/with_ros pip install pycolmap'
    monkeypatch.chdir(ROOT / 'test')
    assert commands.stage('align') == '../tools/with_ros align'
    monkeypatch.chdir(tmp_path)
    assert commands.stage('align') == f'{wrapper} align'


def test_started_by_ros_it_is_ros2_run(started_as):
    started_as('/ws/install/posemap_ros/lib/posemap_ros/localize')
    assert commands.stage('align', '--data', 'd') == 'ros2 run posemap_ros align --data d'
    assert commands.pip_install('x') == f'{sys.executable} -m pip install x'


def test_beside_the_program_or_as_a_module(started_as, monkeypatch, tmp_path):
    (tmp_path / 'align').touch(mode=0o755)
    started_as(tmp_path / 'evaluate')
    assert commands.stage('align') == str(tmp_path / 'align')
    monkeypatch.setenv('PATH', str(tmp_path))
    assert commands.stage('align') == 'align'
    started_as('/usr/bin/pytest')
    assert commands.stage('align') == f'{sys.executable} -m posemap_ros.training.align'


def run(command, folder):
    """In a shell, as somebody who copied it."""
    environment = {k: v for k, v in os.environ.items() if k != commands.WITH_ROS}
    done = subprocess.run(
        command, shell=True, cwd=folder, capture_output=True, text=True, env=environment
    )
    return done.returncode, done.stdout, done.stderr


def test_what_a_bag_is_said_to_need_runs_as_it_is_copied(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bag = write_bag(tmp_path / 'my drive', drive(n=4))
    listing = commands.stage('extract_bag', bag, '--list')
    code, printed, _ = run(listing, tmp_path)
    suggested = [line for line in printed.splitlines() if ' --pose-frame ' in line]
    assert code == 0 and len(suggested) == 1
    code, printed, error = run(suggested[0] + ' --min-translation 0', tmp_path)
    assert code == 0, error
    assert len(open_dataset(tmp_path / 'my drive_data')) == 4


def test_a_wrong_unit_is_put_right_by_what_the_check_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    root = tmp_path / 'in millimetres'
    write_room(root, room_drive(40))
    rescale(root, 1000.0)
    code, printed, _ = run(commands.stage('check_dataset', '--data', root), tmp_path)
    (fault,) = (line for line in printed.splitlines() if line.startswith('fault'))
    assert code == 1 and 'are these millimetres? ' in fault
    code, printed, error = run(fault.split('millimetres? ')[1], tmp_path)
    assert code == 0, error
    np.testing.assert_allclose(open_dataset(root).poses, room_drive(40), atol=1e-9)


def named_commands():
    """Stage and options of all commands in the sources whose stage is written out."""
    for folder in ('posemap_ros', 'training'):
        for path in (ROOT / folder).rglob('*.py'):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and ast.unparse(node.func) in CALLS:
                    words = [a.value for a in node.args if isinstance(a, ast.Constant)]
                    if words and isinstance(node.args[0], ast.Constant):
                        options = [w for w in words if str(w).startswith('--')]
                        yield str(path.relative_to(ROOT)), words[0], options


def test_every_command_that_is_named_is_one(capsys):
    found = list(named_commands())
    assert len({stage for _, stage, _ in found}) >= 6
    for path, stage, options in found:
        with pytest.raises(SystemExit):
            importlib.import_module(f'training.{stage}').main(['--help'])
        usage = capsys.readouterr().out
        assert all(f'{option} ' in usage for option in options), (path, stage, options)
