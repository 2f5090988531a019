"""The command line of the training stages: one work folder for one training."""

import os
from pathlib import Path

import pytest
import torch
import yaml
from tiny_environment import RECIPE, make_tiny_dataset

from posemap_ros.building.build import prepare_build, work_folder
from posemap_ros.building.scene import scene_of
from posemap_ros.support.files import claimed
from posemap_ros.training_loop import InvalidCheckpoint
from training import build_environment, train_aprnet, train_nerf_p


@pytest.fixture(scope='module')
def arguments(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    root = tmp_path_factory.mktemp('stages')
    (root / 'tiny.yaml').write_text(yaml.safe_dump(RECIPE.to_dict()))
    data = make_tiny_dataset(root / 'data')
    return ['--data', str(data), '--recipe', str(root / 'tiny.yaml'), '--device', 'cpu']


@pytest.mark.parametrize('stage', [build_environment, train_nerf_p, train_aprnet])
def test_a_second_training_in_the_same_folder_is_refused(
    arguments: list[str], stage, tmp_path: Path, capsys
) -> None:
    work = work_folder(tmp_path / 'out')
    with claimed(work):
        (work / 'views.pt').touch()
        assert stage.main([*arguments, '--out', str(tmp_path / 'out')]) == 1
    error = capsys.readouterr().err
    assert error.count('\n') == 1 and f'another training works in {work}' in error
    assert (work / 'views.pt').exists()


def test_what_is_refused_leaves_nothing_behind(
    arguments: list[str], tmp_path: Path, capsys
) -> None:
    out = tmp_path / 'out'
    out.mkdir()
    (out / 'thesis.txt').touch()
    assert build_environment.main([*arguments, '--out', str(out)]) == 1
    assert '--overwrite' in capsys.readouterr().err
    assert not work_folder(out).exists()


def test_weights_that_are_none_are_refused_before_the_work(
    arguments: list[str], tmp_path: Path, capsys
) -> None:
    options = ['--out', str(tmp_path / 'out'), '--backbone-weights', str(tmp_path / 'none.pth')]
    for stage in (build_environment, train_aprnet):
        assert stage.main([*arguments, *options]) == 1
        assert 'none.pth' in capsys.readouterr().err
    for content in (None, {}, [1], b'no archive'):
        if isinstance(content, bytes):
            (tmp_path / 'none.pth').write_bytes(content)
        else:
            torch.save(content, tmp_path / 'none.pth')
        assert build_environment.main([*arguments, *options]) == 1
        error = capsys.readouterr().err
        assert 'none.pth' in error and error.count('\n') == 1
    os.unlink(tmp_path / 'none.pth')
    os.mkfifo(tmp_path / 'none.pth')
    assert build_environment.main([*arguments, *options]) == 1
    assert 'none.pth is a pipe' in capsys.readouterr().err
    assert not work_folder(tmp_path / 'out').exists()


@pytest.mark.parametrize('text', ['', 'radius_m: 1.0', '[' * 5000, 'centre: [1'])
def test_a_damaged_scene_is_named(arguments: list[str], tmp_path: Path, text: str) -> None:
    build = prepare_build(Path(arguments[1]), RECIPE, tmp_path, device='cpu')
    path = build.make_folder('scene') / 'scene.yaml'
    path.write_text(text)
    with pytest.raises(InvalidCheckpoint, match=f'{path}.*remove it'):
        scene_of(build)
