"""Every format as our own, through the command line."""

import numpy as np
import pytest
from test_cambridge import write_cambridge
from test_open_dataset import write_seven_scenes
from test_tum import write_tum
from textured_room import drive, write_room

from posemap_ros.dataset import open_dataset, open_part, write_transforms_json
from posemap_ros.dataset.mounts import Mounts
from posemap_ros.dataset.transforms_json import read_mounts
from training.convert_dataset import main
from training.split_dataset import main as split_main


@pytest.mark.parametrize('write', [write_cambridge, write_seven_scenes, write_tum])
def test_frames_cameras_and_parts_stay(tmp_path, write):
    source = tmp_path / 'freiburg1'
    source.mkdir()
    if write is write_tum:
        source.rmdir()
    write(source)
    assert main(['--data', str(source), '--out', str(tmp_path / 'out')]) == 0
    old, new = open_dataset(source), open_dataset(tmp_path / 'out')
    assert new.names == [f'images/{name}' for name in old.names]
    np.testing.assert_allclose(new.poses, old.poses, atol=1e-12)
    assert [f.stamp_ns for f in new.frames] == [f.stamp_ns for f in old.frames]
    for i in range(len(old)):
        assert new.camera_of(i) == old.camera_of(i)
        np.testing.assert_array_equal(new.load(i), old.load(i))
    for part in ('train', 'test'):
        expected = [f'images/{name}' for name in open_part(source, part).names]
        assert open_part(tmp_path / 'out', part).names == expected


def test_our_own_form_is_not_nested_and_another_origin_moves_positions(tmp_path):
    write_seven_scenes(tmp_path / 'scene')
    assert main(['--data', str(tmp_path / 'scene'), '--out', str(tmp_path / 'a')]) == 0
    arguments = ['--data', str(tmp_path / 'a'), '--out', str(tmp_path / 'b')]
    assert main([*arguments, '--origin', '1', '-2', '0.5']) == 0
    a, b = open_dataset(tmp_path / 'a'), open_dataset(tmp_path / 'b')
    assert a.names == b.names
    moved = a.poses.copy()
    moved[:, :3, 3] -= (1, -2, 0.5)
    np.testing.assert_allclose(b.poses, moved, atol=1e-12)


def test_an_arbitrary_scale_and_the_mounts_of_a_bag_stay(tmp_path):
    dataset = write_room(tmp_path / 'a', drive(3))
    mounts = Mounts('b', {'b': np.eye(4), 'c': np.diag([-1.0, -1.0, 1.0, 1.0])})
    extra = {'scale': 'arbitrary', 'mounts': mounts.to_dict()}
    write_transforms_json(dataset.root, dataset.camera, dataset.frames, extra)
    assert main(['--data', str(tmp_path / 'a'), '--out', str(tmp_path / 'b')]) == 0
    assert open_dataset(tmp_path / 'b').unit == 'units'
    assert list(read_mounts(tmp_path / 'b').T_frame_cam) == ['b', 'c']


def test_a_folder_in_use_stays_as_it_is(tmp_path, capsys):
    write_seven_scenes(tmp_path / 'scene')
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out' / 'thesis.txt').write_text('years of work')
    arguments = ['--data', str(tmp_path / 'scene'), '--out', str(tmp_path / 'out')]
    assert main(arguments) == 1
    assert 'out is not empty; give another folder, or --overwrite' in capsys.readouterr().err
    assert [p.name for p in (tmp_path / 'out').iterdir()] == ['thesis.txt']
    assert main([*arguments, '--overwrite']) == 0
    assert len(open_dataset(tmp_path / 'out')) == 6


def test_a_named_format_and_a_fault_in_one_sentence(tmp_path, capsys):
    write_seven_scenes(tmp_path / 'scene')
    arguments = ['--data', str(tmp_path / 'scene'), '--out', str(tmp_path / 'out')]
    assert main([*arguments, '--format', 'cambridge']) == 1
    assert 'reconstruction.nvm is missing' in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()


def test_splitting_on_the_command_line(tmp_path, capsys):
    write_seven_scenes(tmp_path / 'scene', sequences=3)
    assert split_main(['--data', str(tmp_path / 'scene')]) == 0
    assert '6 training and 3 test frames' in capsys.readouterr().out
    assert open_part(tmp_path / 'scene', 'test').names[0] == 'seq-03/frame-000000'
    assert len(open_part(tmp_path / 'scene', 'train')) == 6
    assert split_main(['--data', str(tmp_path / 'scene')]) == 1
    assert 'train.txt is there already; --overwrite' in capsys.readouterr().err
    assert split_main(['--data', str(tmp_path / 'scene'), '--test-share', '2']) == 1
