from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from posemap_ros.camera import Camera, CameraMismatch
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


def test_frames_are_known_by_their_files_too():
    """The folder may be left out, unless another frame would be called the same."""
    paths = ('one/a.jpg', 'one/b.jpg', 'two/b.jpg', 'two/c.d.png')
    named = [PosedFrame(p.rpartition('.')[0], Path('/d/images') / p, np.eye(4)) for p in paths]
    dataset = PosedImages(Path('/d'), CAMERA, tuple(named))

    def found(name):
        return dataset.select([name]).names[0]

    for name in ('one/a', 'one/a.jpg', 'images/one/a.jpg', 'a', 'a.jpg'):
        assert found(name) == 'one/a'
    assert found('two/b.jpg') == 'two/b'
    assert found('c.d') == found('c.d.png') == 'two/c.d'
    for name in ('b', 'b.jpg', 'a.png', 'images/one/a', 'three/a'):
        with pytest.raises(DatasetError, match='not in the dataset'):
            found(name)
    with pytest.raises(DatasetError, match='more than once'):
        dataset.select(['a', 'one/a.jpg'])


def test_frames_without_poses_have_none_to_give():
    first, second = frames('/d', 'a', 'b')
    dataset = PosedImages(Path('/d'), CAMERA, (first, replace(second, T_world_cam=None)))
    assert not dataset.is_posed and dataset.select(['a']).is_posed
    with pytest.raises(DatasetError, match='sfm_poses'):
        dataset.poses  # noqa: B018


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


def test_each_frame_goes_through_its_own_camera(tmp_path):
    """A longer lens magnifies: the view of a shorter one finds its pixels closer together."""
    wide, narrow = Camera(64, 48, 40, 40, 32, 24), Camera(64, 48, 60, 60, 32, 24)
    a, b = frames(tmp_path, 'a', 'b')
    dataset = PosedImages(tmp_path, wide, (a, replace(b, camera=narrow)))
    assert [dataset.camera_of(i) for i in range(2)] == [wide, narrow]
    columns = np.broadcast_to((np.arange(64) * 4).astype(np.uint8)[:, None], (48, 64, 3))
    for name in 'ab':
        write_image(tmp_path / f'{name}.png', columns)
    np.testing.assert_array_equal(dataset.load_as(0, wide), columns)
    seen = dataset.load_as(1, narrow.resized(32, 24))
    np.testing.assert_allclose(seen[12, :, 0], np.arange(32) * 8 + 2, atol=1)
    # A pixel of the wide view at u sees the narrow image at 32 + (u - 32) * 60 / 40.
    u = np.arange(12, 52)
    expected = (32 + (u + 0.5 - 32) * 1.5 - 0.5) * 4
    narrower = Camera(40, 30, 40, 40, 20, 15)
    np.testing.assert_allclose(dataset.load_as(1, narrower)[15, :, 0], expected, atol=2)


def test_a_frame_whose_camera_saw_too_little_is_named(tmp_path):
    write_image(tmp_path / 'a.png', np.zeros((24, 32, 3), np.uint8))
    with pytest.raises(CameraMismatch, match='a.png: .* sees only'):
        PosedImages(tmp_path, CAMERA, frames(tmp_path, 'a')).load_as(
            0, Camera(32, 24, 15, 15, 16, 12)
        )


def test_the_camera_that_stands_for_all_is_the_median_of_the_commonest_size():
    upright = Camera(24, 32, 31, 31, 12, 16)
    cameras = [upright, *(Camera(32, 24, f, f, 16, 12) for f in (35, 30, 31)), upright]
    named = frames('/d', *'abcde')
    dataset = PosedImages.of(
        Path('/d'), [replace(f, camera=c) for f, c in zip(named, cameras, strict=True)]
    )
    assert dataset.camera == cameras[3]
    assert dataset.select(['b']).camera == cameras[3]
    with pytest.raises(DatasetError, match='no frames'):
        PosedImages.of(Path('/d'), [])
