"""The command line: what it takes, and whether the alignment was kept is said as it is."""

import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from recordings import camera_info, compressed_image, jpeg, ns, write_bag
from textured_room import drive, render
from tiny_environment import CAMERA, make_tiny_dataset

from posemap_ros.alignment import on_images
from posemap_ros.dataset import open_dataset, open_images
from posemap_ros.environment import Environment
from posemap_ros.localizer import Estimate
from posemap_ros.verification.verifier import Verification
from training import align
from training.align import against_truth, images_at, main


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

    monkeypatch.setattr(on_images, 'align_environment', fill)
    assert main(['--environment', str(environment), '--data', str(data)]) == 1
    error = capsys.readouterr().err
    assert "the GPU's memory" in error and 'lower alignment.view_height' in error


@pytest.fixture
def photos(data, tmp_path):
    """The images of the dataset alone."""
    return shutil.copytree(data / 'images', tmp_path / 'my photos')


def test_a_folder_of_photos_will_do(photos, environment, capsys):
    options = ['--steps', '1', '--every', '2', '--device', 'cpu']
    assert main(['--environment', str(environment), '--data', str(photos), *options]) == 0
    printed = capsys.readouterr().out
    assert 'taken for those of the camera that the environment was built with' in printed
    assert 'the environment is at revision' in printed
    assert 'by the poses of the images' not in printed  # there are none


def test_photos_of_another_shape_are_refused(data, environment, capsys):
    narrow = replace(CAMERA, width=32, cx=16.0)
    with pytest.raises(ValueError, match='camera.yaml'):
        with images_at(data / 'images', None, None, narrow):
            pass


def test_a_bag_without_poses_will_do(tmp_path):
    def recorded():
        for i, T in enumerate(drive(20)[::2]):
            image = compressed_image(ns(i), jpeg(render(T)[0]))
            yield '/camera/image_raw/compressed', image, ns(i)
            yield '/camera/camera_info', camera_info(ns(i)), ns(i)

    bag = write_bag(tmp_path / 'my drive', recorded())
    with images_at(bag, None, None, CAMERA) as images:
        assert not images.is_posed and len(images) >= 3
        assert images.load(0).shape == (180, 240, 3)
        root = images.root
        # Of the camera that the bag tells, not of the environment's.
        assert images.camera == open_images(root).camera != CAMERA
    assert not root.exists()


def test_with_truth_the_outcome_is_in_metres_and_degrees(data, environment):
    """The network turns out to be 0.3 m off at first, and 0.1 m after it."""
    images = open_dataset(data)

    def localizing(environment, device, revision):
        return {0: 0.3, 1: 0.1}[revision]

    def off_by(metres, dataset, verifier=None):
        T = dataset.poses.copy()
        T[:, 0, 3] += metres
        estimates = [Estimate(pose, np.eye(6) * 1e-4, 10.0, np.ones(1)) for pose in T]
        return align.Evaluation(dataset.frames, tuple(estimates), 0)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(align, 'Localizer', lambda *a: Named(localizing(*a)))
        patch.setattr(align, 'localize_all', lambda net, *a, **k: off_by(net.metres, *a, **k))
        patch.setattr(align.Verifier, 'of', lambda _: None)
        said = against_truth(environment, images, 0, 1, 'cpu')
        of_all = f'(median of {len(images)})'
        assert f'was off by 0.300 m 0.00 deg {of_all} before' in said
        assert said.endswith(f'and is by 0.100 m 0.00 deg {of_all} now')
        same = against_truth(environment, images, 0, 0, 'cpu')
        assert same.endswith(f'the network is off by 0.300 m 0.00 deg {of_all}')


class Named:
    """Stands in for a localizer: what it is off by."""

    environment = None

    def __init__(self, metres):
        self.metres = metres


def test_poses_of_another_world_are_no_truth(data):
    images = open_dataset(data)
    for shift, differs in ((0.01, False), (2.0, True)):
        T = images.poses.copy()
        T[:, 1, 3] += shift
        found = tuple(Verification(True, '', pose, np.eye(6) * 1e-4) for pose in T)
        evaluation = align.Evaluation(images.frames, (), 0, found)
        assert bool(align._another_world(evaluation)) is differs


def test_the_outcome_is_printed_where_there_is_truth(data, environment, capsys):
    options = ['--steps', '1', '--every', '2', '--device', 'cpu']
    assert main(['--environment', str(environment), '--data', str(data), *options]) == 0
    printed = capsys.readouterr().out
    assert re.search(
        r'by the poses of the images, the network (is|was) off by \d+\.\d+ m \d', printed
    )
