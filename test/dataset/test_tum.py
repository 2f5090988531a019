"""A folder as the sequences of TUM's RGB-D benchmark come, and a trajectory beside any images."""

import logging

import numpy as np
import pytest
from transforms3d.quaternions import mat2quat

from posemap_ros.camera import Camera
from posemap_ros.dataset import DatasetError, open_dataset
from posemap_ros.dataset.image_io import write_image

START = 1305031102
CALIBRATION = """\
image_width: 64
image_height: 48
camera_name: left
camera_matrix:
  rows: 3
  cols: 3
  data: [50.0, 0.0, 31.5, 0.0, 51.0, 23.5, 0.0, 0.0, 1.0]
distortion_model: plumb_bob
distortion_coefficients:
  rows: 1
  cols: 5
  data: [0.1, -0.2, 0.001, 0.002, 0.0]
"""


def truth(seconds):
    """T_world_cam: drives along x at 1 m/s and turns about z at 0.5 rad/s."""
    c, s = np.cos(0.5 * seconds), np.sin(0.5 * seconds)
    return np.array([[c, -s, 0, seconds], [s, c, 0, 2], [0, 0, 1, 1.5], [0, 0, 0, 1.0]])


def image_name(i):
    """Called by its time: the first at 0.123456 s, the next 0.13 s later."""
    return f'{START + (130_000 * i + 123_456) / 1e6:.6f}'


def write_tum(root, size=(640, 480), rate_hz=100):
    """Poses for 1 s; eight images every 0.13 s, the last of them after the poses' end."""
    (root / 'rgb').mkdir(parents=True)
    lines = ['# ground truth trajectory', "# file: 'desk.bag'", '# timestamp tx ty tz qx qy qz qw']
    for k in range(rate_hz + 1):
        T = truth(k / rate_hz)
        w, x, y, z = mat2quat(T[:3, :3])
        numbers = [*T[:3, 3], x, y, z, w]
        lines.append(f'{START + k / rate_hz:.4f} ' + ' '.join(f'{n:.7f}' for n in numbers))
    (root / 'groundtruth.txt').write_text('\n'.join(lines) + '\n')
    lines = ['# color images', "# file: 'desk.bag'", '# timestamp filename']
    for i in range(8):
        name = f'rgb/{image_name(i)}.png'
        write_image(root / name, np.full((size[1], size[0], 3), i, np.uint8))
        lines.append(f'{name[4:-4]} {name}')
    (root / 'rgb.txt').write_text('\n'.join(lines) + '\n')
    for name in ('depth.txt', 'accelerometer.txt'):
        (root / name).write_text('# nothing\n')
    return root


def test_a_sequence_of_the_benchmark(tmp_path, caplog):
    root = write_tum(tmp_path / 'rgbd_dataset_freiburg1_desk')
    with caplog.at_level(logging.WARNING):
        dataset = open_dataset(root)
    assert dataset.names == [f'rgb/{image_name(i)}' for i in range(7)]
    assert '1 image' in caplog.text and 'is not between two poses' in caplog.text
    for i, frame in enumerate(dataset.frames):
        assert frame.stamp_ns == START * 10**9 + 130_000_000 * i + 123_456_000
        np.testing.assert_allclose(frame.T_world_cam, truth(0.13 * i + 0.123456), atol=1e-5)
    assert dataset.load(3)[0, 0, 0] == 3
    # As the benchmark's page gives it, for pixel centres at whole numbers.
    assert dataset.camera == Camera(
        640, 480, 517.3, 516.5, 319.1, 255.8,
        'plumb_bob', (0.2624, -0.9531, -0.0054, 0.0026, 1.1633),
    )  # fmt: skip


def test_the_third_camera_is_undistorted(tmp_path):
    camera = open_dataset(write_tum(tmp_path / 'rgbd_dataset_freiburg3_long_office')).camera
    assert camera == Camera(640, 480, 535.4, 539.2, 320.6, 248.1)


def test_another_camera_as_ros_calibrates_it(tmp_path):
    write_tum(tmp_path, (64, 48))
    (tmp_path / 'camera.yaml').write_text(CALIBRATION)
    assert open_dataset(tmp_path).camera == Camera(
        64, 48, 50, 51, 32, 24, 'plumb_bob', (0.1, -0.2, 0.001, 0.002, 0)
    )


def test_without_a_listing_the_images_are_called_by_their_time(tmp_path):
    write_tum(tmp_path / 'freiburg2_xyz')
    (tmp_path / 'freiburg2_xyz' / 'rgb.txt').unlink()
    (tmp_path / 'freiburg2_xyz' / 'rgb').rename(tmp_path / 'freiburg2_xyz' / 'images')
    dataset = open_dataset(tmp_path / 'freiburg2_xyz')
    assert dataset.names[1] == f'images/{image_name(1)}'
    np.testing.assert_allclose(dataset.poses[1], truth(0.253456), atol=1e-5)


def test_where_poses_stop_there_are_no_frames(tmp_path, caplog):
    root = write_tum(tmp_path / 'freiburg1')
    lines = (root / 'groundtruth.txt').read_text().splitlines()
    (root / 'groundtruth.txt').write_text('\n'.join(lines[:33] + lines[63:]))
    with caplog.at_level(logging.WARNING):
        names = open_dataset(root).names
    assert names == [f'rgb/{image_name(i)}' for i in (0, 1, 4, 5, 6)]
    assert '3 images' in caplog.text


def write_poses(root, seconds):
    """Poses of the drive at these times, as groundtruth.txt."""
    lines = []
    for s in seconds:
        T = truth(s)
        w, x, y, z = mat2quat(T[:3, :3])
        numbers = ' '.join(f'{n:.7f}' for n in (*T[:3, 3], x, y, z, w))
        lines.append(f'{START + round(s, 4):.4f} {numbers}')
    (root / 'groundtruth.txt').write_text('\n'.join(lines))


@pytest.mark.parametrize('interval_s', [0.1, 0.101, 0.2, 1.0])
def test_slow_poses_with_jitter_are_interpolated_too(tmp_path, interval_s):
    root = write_tum(tmp_path / 'freiburg1')
    count = round(3 / interval_s)
    jitter = np.random.default_rng(0).uniform(-1e-3, 1e-3, count)
    write_poses(root, interval_s * np.arange(count) + jitter)
    dataset = open_dataset(root)
    assert len(dataset) == 8
    # By hand: at 1 m/s along x, where the drive is a straight line.
    np.testing.assert_allclose(dataset.poses[:, 0, 3], 0.13 * np.arange(8) + 0.123456, atol=2e-3)


def test_of_slow_poses_too_a_missing_stretch_is_a_gap(tmp_path, caplog):
    """By hand: at 5 Hz two may be 0.6 s apart; of 0.2 to 1.0 s, without the three in between, none
    of the images is known.
    """
    root = write_tum(tmp_path / 'freiburg1')
    write_poses(root, [0, 0.2, 1.0, *(1 + 0.2 * np.arange(1, 10))])
    with caplog.at_level(logging.WARNING):
        names = open_dataset(root).names
    assert names == [f'rgb/{image_name(i)}' for i in (0, 7)]
    assert 'not between two poses at most 0.6 s apart' in caplog.text


@pytest.mark.parametrize('apart_s', [0.13, 2.0])
def test_one_pose_for_each_image_with_rounded_stamps(tmp_path, apart_s):
    """However slowly they come, and where rounding puts the first pose after its image."""
    root = write_tum(tmp_path / 'freiburg1')
    seconds = [0.123456 + apart_s * i for i in range(8)]
    listed = zip(seconds, sorted((root / 'rgb').iterdir()))
    (root / 'rgb.txt').write_text(
        '\n'.join(f'{START + s:.6f} rgb/{path.name}' for s, path in listed)
    )
    write_poses(root, seconds)
    dataset = open_dataset(root)
    assert len(dataset) == 8
    np.testing.assert_allclose(dataset.poses, [truth(s) for s in seconds], atol=1e-4)


def test_poses_too_slow_for_any_image_are_not_taken_for_another_clock(tmp_path):
    root = write_tum(tmp_path / 'freiburg1')
    write_poses(root, [-3, 0, 3, 6])
    with pytest.raises(DatasetError, match='at most 1.1 s apart; the poses are too far apart'):
        open_dataset(root)


def test_other_clocks_are_suspected(tmp_path):
    root = write_tum(tmp_path / 'freiburg1')
    text = (root / 'groundtruth.txt').read_text()
    (root / 'groundtruth.txt').write_text(text.replace(str(START)[:-2], '17050311'))
    with pytest.raises(DatasetError, match='8 images .*do the clocks of images and poses differ'):
        open_dataset(root)


@pytest.mark.parametrize(
    ('name', 'content', 'word'),
    [
        ('groundtruth.txt', '', 'groundtruth.txt: the file is empty'),
        ('groundtruth.txt', '# timestamp tx\n', 'nothing but comments'),
        ('groundtruth.txt', '\x00\x01', 'groundtruth.txt: line 1: 1 columns'),
        ('groundtruth.txt', '1 2 3\n', 'line 1: 3 columns where 8'),
        ('groundtruth.txt', '1 x 2 3 0 0 0 1\n', 'line 1.*not all numbers'),
        ('groundtruth.txt', '1 nan 2 3 0 0 0 1\n', 'line 1.*NaN'),
        ('groundtruth.txt', '1 1 2 3 0 0 0 9\n', 'line 1.*quaternion .* has length 9'),
        ('groundtruth.txt', '1e999999999 1 2 3 0 0 0 1\n', 'not a time'),
        ('groundtruth.txt', 'nan 1 2 3 0 0 0 1\n', "'nan' is not a time"),
        ('rgb.txt', '1 ../../x.jpg\n', 'outside the dataset'),
        ('rgb.txt', '1 /etc/x.jpg\n', 'outside the dataset'),
        ('rgb.txt', f'{START}.5 rgb/no.png\n', r'1 image \(rgb/no\) is listed, but not there'),
        ('camera.yaml', '', 'camera.yaml: the file is empty'),
        ('camera.yaml', 'a: [b: }', 'camera.yaml is not YAML'),
        ('camera.yaml', '!!python/object/apply:os.system [ls]', 'an alias or a tag'),
        ('camera.yaml', '[' * 5000, 'nested more than'),
        ('camera.yaml', 'fx: 500', 'not a calibration as ROS writes it'),
        ('camera.yaml', 'just words', 'not a calibration as ROS writes it'),
        ('camera.yaml', CALIBRATION.replace('50.0', '-50.0'), 'fx must be positive'),
        ('camera.yaml', CALIBRATION.replace('0.001, 0.002, ', ''), 'plumb_bob|coefficients'),
    ],
)
def test_faults_are_named(tmp_path, name, content, word):
    root = write_tum(tmp_path / 'freiburg1')
    (root / name).write_text(content)
    with pytest.raises(DatasetError, match=word):
        open_dataset(root)


def test_an_unknown_camera_is_asked_for(tmp_path):
    with pytest.raises(DatasetError, match='the camera is not known, because neither .*camera.ya'):
        open_dataset(write_tum(tmp_path / 'my_drive', (64, 48)))


def test_images_of_another_size_than_the_benchmarks(tmp_path):
    with pytest.raises(DatasetError, match='freiburg1 are 640x480, this one is 64x48'):
        open_dataset(write_tum(tmp_path / 'freiburg1', (64, 48)))
