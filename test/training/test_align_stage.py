"""The command line: whether the alignment was kept is said as it is."""

import pytest
import torch
from tiny_environment import make_tiny_dataset

from posemap_ros.environment import Environment
from training import align
from training.align import main


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return make_tiny_dataset(tmp_path_factory.mktemp('align') / 'room', 30)


@pytest.mark.parametrize('verification', ['off', 'always'])
def test_align_says_what_came_of_it(data, environment, capsys, verification):
    options = ['--steps', '1', '--verification', verification, '--every', '2']
    assert main(['--environment', str(environment), '--data', str(data), *options]) == 0
    revision = Environment.load(environment).revision
    assert f'the environment is at revision {revision}\n' in capsys.readouterr().out


def test_a_missing_environment_is_one_sentence(data, tmp_path, capsys):
    assert main(['--environment', str(tmp_path / 'none'), '--data', str(data)]) == 1
    assert 'there is no environment folder' in capsys.readouterr().err


def test_a_full_memory_says_what_to_lower(data, environment, capsys, monkeypatch):
    def fill(*arguments, **options):
        raise torch.OutOfMemoryError('CUDA out of memory. Tried to allocate 2.00 GiB')

    monkeypatch.setattr(align, 'align_environment', fill)
    assert main(['--environment', str(environment), '--data', str(data)]) == 1
    error = capsys.readouterr().err
    assert "the GPU's memory" in error and 'lower alignment.view_height' in error
