import json

import numpy as np
import pytest
from textured_room import CAMERA, drive, render

from posemap_ros.dataset import open_dataset
from posemap_ros.dataset.image_io import write_image
from posemap_ros.evaluation.errors import rotation_error_deg, translation_error_m
from posemap_ros.extraction.world_alignment import similarity_between
from training.sfm_poses import main

pytest.importorskip('pycolmap')
COUNT = 12


@pytest.fixture(scope='module')
def images(tmp_path_factory):
    """Mere images, in a folder of a name with a space."""
    folder = tmp_path_factory.mktemp('my room')
    for i, T in enumerate(drive(COUNT)):
        write_image(folder / f'{i:02d}.jpg', render(T)[0])
    return folder


def run(*arguments):
    return main([str(argument) for argument in arguments])


def test_mere_images_become_a_metric_dataset(images, tmp_path, capsys):
    true = drive(COUNT)
    apart = np.linalg.norm(true[0, :3, 3] - true[11, :3, 3])
    out = tmp_path / 'out'
    options = ('--focal', CAMERA.fx, '--distance', '00', '11', apart, '--threads', 1)
    assert run('--images', images, '--out', out, *options) == 0
    printed = capsys.readouterr().out
    assert '12 of 12 images registered (100 %)' in printed
    assert json.loads((out / 'transforms.json').read_text())['scale'] == 'metric'
    dataset = open_dataset(out)
    assert dataset.names == [f'images/{i:02d}' for i in range(COUNT)]
    assert dataset.camera == CAMERA
    assert (out / 'images/03.jpg').read_bytes() == (images / '03.jpg').read_bytes()
    poses = dataset.poses
    # z is up within the few degrees that the camera was held at an angle; the rest is free.
    to_true = similarity_between(poses[:, :3, 3], true[:, :3, 3])
    assert to_true.scale == pytest.approx(1.0, abs=0.02)
    assert to_true.rotation[2, 2] > 0.97
    moved = np.stack([to_true.of_pose(T) for T in poses])
    assert translation_error_m(moved, true).max() < 0.02
    assert rotation_error_deg(moved, true).max() < 1.0


def test_of_too_many_images_some_are_used_and_those_whose_distance_is_known(
    images, tmp_path, capsys
):
    options = ('--focal', CAMERA.fx, '--distance', '01', '10', 0.5, '--threads', 1)
    out = tmp_path / 'out'
    assert run('--images', images, '--out', out, '--max-images', 6, *options) == 0
    printed = capsys.readouterr().out
    assert '12 images are more than 6' in printed and '8 of 8 images registered' in printed
    names = open_dataset(out).names
    assert len(names) == 8 and {'images/01', 'images/10'} <= set(names)


def test_mistakes_are_one_sentence_and_leave_nothing(images, tmp_path, capsys):
    out = tmp_path / 'out'
    (tmp_path / 'empty').mkdir()
    for arguments, reason in (
        (('--images', tmp_path / 'empty'), 'there are no images'),
        (('--images', tmp_path / 'nowhere'), 'there is no such folder'),
        (('--images', images, '--distance', '00', '99', 1), '1 frame (99) is not in the dataset'),
        (('--images', images, '--distance', '00', '11', 'far'), "'far' is not a number"),
    ):
        assert run(*arguments, '--out', out) == 1
        error = capsys.readouterr().err
        assert reason in error and error.startswith('sfm_poses: ') and error.count('\n') == 1
        assert not out.exists()
