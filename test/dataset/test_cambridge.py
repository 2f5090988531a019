"""A folder as the scenes of Cambridge Landmarks come."""

import logging

import numpy as np
import pytest
from transforms3d.quaternions import mat2quat, rotate_vector

from posemap_ros.camera import Camera
from posemap_ros.dataset import DatasetError, open_dataset, open_part
from posemap_ros.dataset.image_io import write_image

WIDTH, HEIGHT = 96, 54
NAMES = [f'seq{s}/frame{i:05d}' for s in (1, 2) for i in (1, 2, 3)]


def truth(i):
    """T_world_cam with a rotation about all axes, tens of metres from the origin."""
    a, b = 0.3 * i, 0.2 - 0.1 * i
    R = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    R = R @ np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = R, (-23.625 + i, -1.75, 13.5 * i)
    return T


def write_cambridge(root, radial=0.0, focal=lambda i: 83.5 + i):
    """reconstruction.nvm in no order, its names .jpg, points behind; images .png; two lists."""
    lines, poses = [], []
    for i, name in enumerate(NAMES):
        (root / name).parent.mkdir(exist_ok=True)
        write_image(root / f'{name}.png', np.full((HEIGHT, WIDTH, 3), i, np.uint8))
        T = truth(i)
        quaternion = ' '.join(f'{q:.12f}' for q in mat2quat(T[:3, :3].T))  # w x y z, world to cam
        centre = ' '.join(f'{x:.9f}' for x in T[:3, 3])
        lines.append(f'{name}.jpg\t{focal(i):.6f} {quaternion} {centre} {radial} 0 \n')
        poses.append(f'{name}.png {centre} {quaternion}\n')
    points = '2\n1 2 3 100 100 100 2 0 5 1.5 2.5 1 6 3 4\n4 5 6 9 9 9 1 0 7 1 1\n\n\n\n0\n'
    body = ''.join(reversed(lines))
    (root / 'reconstruction.nvm').write_text(f'NVM_V3 \n\n{len(lines)}\n{body}\n{points}')
    title = 'Visual Landmark Dataset V1\nImageFile, Camera Position [X Y Z W P Q R]\n\n'
    (root / 'dataset_train.txt').write_text(title + ''.join(poses[:3]))
    (root / 'dataset_test.txt').write_text(title + ''.join(poses[3:]))
    return root


def edit(root, change):
    path = root / 'reconstruction.nvm'
    path.write_text(change(path.read_text()))


def test_poses_cameras_and_images(tmp_path):
    dataset = open_dataset(write_cambridge(tmp_path))
    assert dataset.names == NAMES
    np.testing.assert_allclose(dataset.poses, [truth(i) for i in range(6)], atol=1e-8)
    for i in range(6):
        assert dataset.camera_of(i) == Camera(WIDTH, HEIGHT, 83.5 + i, 83.5 + i, 48, 27)
        assert dataset.load(i)[0, 0, 0] == i
    assert dataset.camera.fx == 86.5


def test_the_quaternion_takes_the_world_to_the_camera(tmp_path):
    """By hand: a quarter turn about y, so the camera at (10, 0, 0) looks along the world's x."""
    write_cambridge(tmp_path)
    half = np.sqrt(0.5)
    world_to_camera = (half, 0, -half, 0)
    np.testing.assert_allclose(rotate_vector((1, 0, 0), world_to_camera), (0, 0, 1), atol=1e-12)
    line = f'seq1/frame00001.jpg 80 {half} 0 {-half} 0 10 0 0 0 0\n'
    edit(tmp_path, lambda text: f'NVM_V3\n\n1\n{line}')
    (pose,) = open_dataset(tmp_path).poses
    np.testing.assert_allclose(pose @ (0, 0, 5, 1), (15, 0, 0, 1), atol=1e-9)


def test_the_parts_are_the_authors(tmp_path):
    write_cambridge(tmp_path)
    assert open_part(tmp_path, 'train').names == NAMES[:3]
    assert open_part(tmp_path, 'test').names == NAMES[3:]


@pytest.mark.parametrize('radial', [-0.05, 0.08])
def test_visual_sfms_radial_coefficient_undoes_the_distortion(tmp_path, radial):
    camera = open_dataset(write_cambridge(tmp_path, radial, lambda i: 90)).camera
    for distorted in np.linspace(0.05, 0.6, 12):  # in focal lengths from the middle
        true = distorted * (1 + radial * distorted**2)
        seen = camera.project(np.array([0.8 * true, 0.6 * true, 1.0]))
        expected = 48 + 90 * 0.8 * distorted, 27 + 90 * 0.6 * distorted
        np.testing.assert_allclose(seen, expected, atol=0.01)


def test_missing_images_are_left_out_and_counted(tmp_path, caplog):
    write_cambridge(tmp_path)
    (tmp_path / f'{NAMES[1]}.png').unlink()
    with caplog.at_level(logging.WARNING):
        assert open_part(tmp_path, 'train').names == [NAMES[0], NAMES[2]]
    assert '1 image (seq1/frame00002) is listed, but not there; left out' in caplog.text


@pytest.mark.parametrize(
    ('change', 'word'),
    [
        (lambda text: '', 'not a VisualSFM model'),
        (lambda text: '\x00\xff' * 5000, 'not a VisualSFM model'),
        (lambda text: text.replace('\n6\n', '\nsix\n'), "the number of images is 'six'"),
        (lambda text: text[:300], 'image [0-5].*cut short'),
        (lambda text: text.replace('\n6\n', '\n100000000000\n'), 'image [67].*cut short|numbers'),
        (lambda text: text.replace('88.500000', 'wide'), 'frame00003.jpg.*not all numbers'),
        (lambda text: text.replace('88.500000', '-1'), 'frame00003.jpg.*fx must be positive'),
        (lambda text: text.replace('88.500000', '1 0 0 0'), 'frame00003.jpg.*quaternion'),
        (lambda text: text.replace('seq2/frame00003', '../../x'), 'outside the dataset'),
        (lambda text: text.replace('seq2/frame00003', '/etc/x'), 'outside the dataset'),
        (lambda text: text.replace('seq2/frame00003', 'seq1/frame00003'), 'more than once'),
    ],
)
def test_faults_are_named(tmp_path, change, word):
    write_cambridge(tmp_path)
    edit(tmp_path, change)
    with pytest.raises(DatasetError, match=word):
        open_dataset(tmp_path)


def test_a_scene_without_its_model_is_told_what_it_lacks(tmp_path):
    write_cambridge(tmp_path)
    (tmp_path / 'reconstruction.nvm').unlink()
    with pytest.raises(DatasetError, match='reconstruction.nvm is missing; it holds the poses'):
        open_dataset(tmp_path)
