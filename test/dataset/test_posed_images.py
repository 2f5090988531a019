from pathlib import Path

import numpy as np
import pytest

from posemap_ros.camera import Camera
from posemap_ros.dataset import DatasetError, ImageError, PosedFrame, PosedImages
from posemap_ros.dataset.image_io import write_image

CAMERA = Camera(32, 24, 30, 30, 16, 12)


def frames(root, *names):
    poses = [np.eye(4) * 1.0 for _ in names]
    for i, T in enumerate(poses):
        T[0, 3] = i
    return tuple(
        PosedFrame(name, Path(root) / f'{name}.png', T)
        for name, T in zip(names, poses, strict=True)
    )


def test_poses_are_stacked_in_order():
    dataset = PosedImages(Path('/d'), CAMERA, frames('/d', 'a', 'b', 'c'))
    assert len(dataset) == 3
    np.testing.assert_array_equal(dataset.poses[:, 0, 3], [0, 1, 2])


def test_images_are_read_only_when_asked_for(tmp_path):
    dataset = PosedImages(tmp_path, CAMERA, frames(tmp_path, 'a', 'missing'))
    image = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
    write_image(tmp_path / 'a.png', image)
    np.testing.assert_array_equal(dataset.load(0), image)
    with pytest.raises(ImageError, match='missing.png'):
        dataset.load(1)


def test_an_image_of_another_size_is_refused(tmp_path):
    write_image(tmp_path / 'a.png', np.zeros((24, 30, 3), np.uint8))
    with pytest.raises(ImageError, match='30x24.*32x24'):
        PosedImages(tmp_path, CAMERA, frames(tmp_path, 'a')).load(0)


def test_selection_keeps_the_order_of_the_names():
    dataset = PosedImages(Path('/d'), CAMERA, frames('/d', 'a', 'b', 'c'))
    assert [frame.name for frame in dataset.select(['c', 'a']).frames] == ['c', 'a']


@pytest.mark.parametrize(
    ('fraction', 'left'),
    [(1.0, range(11)), (0.2, [0, 5]), (0.5, [0, 1, 3, 5, 7, 9]), (0.01, [0])],
)
def test_thinning_is_even(fraction, left):
    dataset = PosedImages(Path('/d'), CAMERA, frames('/d', *'abcdefghijk'))
    assert [frame.T_world_cam[0, 3] for frame in dataset.thinned(fraction).frames] == list(left)


def test_a_fifth_is_every_fifth_frame():
    dataset = PosedImages(Path('/d'), CAMERA, frames('/d', *map(str, range(720))))
    thinned = dataset.thinned(0.2).frames
    assert [frame.T_world_cam[0, 3] for frame in thinned] == list(range(0, 720, 5))


def test_unknown_names_are_counted_and_some_listed():
    dataset = PosedImages(Path('/d'), CAMERA, frames('/d', 'a', 'b'))
    with pytest.raises(DatasetError, match=r"4 frames \(p, q, r, \.\.\.\) are not .*like 'a'"):
        dataset.select(['p', 'a', 'q', 'r', 's'])


def test_no_frames_and_double_names_are_refused():
    with pytest.raises(DatasetError, match='no frames'):
        PosedImages(Path('/d'), CAMERA, ())
    with pytest.raises(DatasetError, match=r'1 frame name \(a\) is more than once'):
        PosedImages(Path('/d'), CAMERA, frames('/d', 'a', 'b', 'a'))
