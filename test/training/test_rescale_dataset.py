"""A scale that is found later: positions are multiplied, and nothing else changes."""

import json

import numpy as np
import pytest
from textured_room import CAMERA, drive, write_room

from posemap_ros.dataset import open_dataset, write_transforms_json
from training.rescale_dataset import main


@pytest.fixture
def room(tmp_path):
    dataset = write_room(tmp_path / 'room', drive(6))
    extra = {'scale': 'arbitrary', 'pose_source': 'structure from motion'}
    write_transforms_json(dataset.root, CAMERA, dataset.frames, extra)
    return dataset.root


def run(*arguments):
    return main([str(argument) for argument in arguments])


@pytest.mark.parametrize(
    'names', [('images/0000', 'images/0005'), ('0000', '0005'), ('0000.jpg', 'images/0005.jpg')]
)
def test_by_a_distance_between_two_photos(room, names, capsys):
    before = open_dataset(room)
    assert before.unit == 'units'
    apart = np.linalg.norm(before.poses[0, :3, 3] - before.poses[5, :3, 3])
    assert run('--data', room, '--distance', *names, 2.5) == 0
    assert f'6 frames are multiplied by {2.5 / apart:.6g}' in capsys.readouterr().out
    after = open_dataset(room)
    assert after.unit == 'm' and after.camera == before.camera and after.names == before.names
    expected = before.poses.copy()
    expected[:, :3, 3] *= 2.5 / apart
    np.testing.assert_allclose(after.poses, expected, atol=1e-12)
    content = json.loads((room / 'transforms.json').read_text())
    assert content['pose_source'] == 'structure from motion'


def test_what_nerfstudio_applied_is_undone_as_before(room):
    """Poses in the file are scale * (applied @ those of the source), which must grow."""
    path = room / 'transforms.json'
    content = json.loads(path.read_text())
    content['applied_transform'] = [[0, 1, 0, 0.5], [1, 0, 0, -2], [0, 0, -1, 3]]
    content['applied_scale'] = 0.25
    path.write_text(json.dumps(content))
    before = open_dataset(room).poses
    assert run('--data', room, '--factor', 10) == 0
    expected = before.copy()
    expected[:, :3, 3] *= 10
    np.testing.assert_allclose(open_dataset(room).poses, expected, atol=1e-9)


def test_mistakes_are_one_sentence_and_change_nothing(room, tmp_path, capsys):
    content = (room / 'transforms.json').read_text()
    for arguments, fault in (
        (('--distance', '0000', '0099', 1), '1 frame (0099) is not in the dataset'),
        (('--distance', '0000', '0001', 'far'), "'far' is not a number of metres"),
        (('--distance', '0000', '0000', 1), 'two different frames'),
        (('--distance', '0000', 'images/0000', 1), 'the same place'),
        (('--distance', '0000', '0001', -1), 'a positive number'),
    ):
        assert run('--data', room, *arguments) == 1
        error = capsys.readouterr().err
        assert fault in error and error.count('\n') == 1
        assert (room / 'transforms.json').read_text() == content
    with pytest.raises(SystemExit):
        run('--data', room)
