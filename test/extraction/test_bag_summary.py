import shlex

import numpy as np
import pytest
from recordings import (
    START_NS,
    camera_info,
    compressed_image,
    drive,
    jpeg,
    ns,
    odometry,
    path_of,
    picture,
    pose,
    pose_stamped,
    raw_image,
    transforms,
    true_pose,
    write_bag,
    write_ros1_bag,
)

from posemap_ros.dataset import open_dataset
from posemap_ros.extraction.bag_summary import summarize_bag
from training.extract_bag import main

MOUNT = pose(np.eye(3), (0, 0, 1))


def robot(n=6):
    """A bag of a robot with two cameras, odometry, SLAM, a planner, and the whole TF."""
    entries = [('base_link', name, MOUNT) for name in ('left_optical', 'right_optical')]
    yield '/tf_static', transforms(START_NS, *entries), START_NS
    for i in range(n):
        stamp, T = ns(i / 10), true_pose(i / 10)
        for side in ('left', 'right'):
            image = compressed_image(stamp, jpeg(picture(i)), f'{side}_optical')
            yield f'/{side}/image_raw/compressed', image, stamp
            yield f'/{side}/camera_info', camera_info(stamp), stamp
        yield '/left/depth', raw_image(stamp, picture(i)[..., 0], '16UC1'), stamp
        yield '/odom', odometry(stamp, T), stamp
        yield '/slam/pose', pose_stamped(stamp, T), stamp
        yield '/plan', path_of(stamp, [(stamp, T)]), stamp
        tf = (('map', 'odom', np.eye(4)), ('odom', 'base_link', T))
        yield '/tf', transforms(stamp, *tf), stamp


def commands(summary):
    """From the stage's name on; before it stands what starts a stage, see test_commands.py."""
    found = []
    for line in summary.splitlines():
        if ' --out ' in line and not line.startswith('#'):
            words = shlex.split(line)
            (start,) = (i for i, word in enumerate(words) if word.endswith('extract_bag'))
            found.append(words[start:])
    return found


def test_a_table_of_topics_and_their_use(tmp_path):
    bag = write_bag(tmp_path / 'my drive', robot())
    lines = summarize_bag(bag).splitlines()
    assert lines[0] == f'{bag}: 0.5 s'
    uses = {words[1]: words[3:] for line in lines[1:11] if (words := line.split())}
    assert uses['/left/camera_info'] == ['--camera-info-topic']
    assert uses['/right/image_raw/compressed'] == ['--image-topic']
    assert uses['/odom'] == uses['/slam/pose'] == ['--pose-topic']
    assert uses['/tf'] == ['--pose-source', 'tf']
    assert uses['/plan'] == uses['/left/depth'] == []


@pytest.mark.parametrize('write', [write_bag, write_ros1_bag])
def test_every_suggested_command_works_as_it_is(tmp_path, write, capsys):
    """But for where it goes, and poses from the images, which take long."""
    bag = write(tmp_path / 'my drive.bag', robot())
    suggested = commands(summarize_bag(bag))
    assert len(suggested) == 2 * 5
    for number, words in enumerate(suggested):
        assert words[1] == str(bag) and words[2:4] == ['--out', 'my drive_data']
        if 'sfm' in words:
            continue
        out = tmp_path / str(number)
        assert main([*words[1:3], str(out), *words[4:], '--min-translation', '0']) == 0
        found = open_dataset(out).poses
        mount = np.eye(4) if words[-1].endswith('_optical') else MOUNT
        expected = np.stack([true_pose(i / 10) @ mount for i in range(6)])
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_what_is_suggested_for_each_kind_of_poses(tmp_path):
    summary = summarize_bag(write_bag(tmp_path / 'drive', robot()))
    left = [words[6:] for words in commands(summary) if words[5].startswith('/left')]
    assert left == [
        ['--pose-topic', '/odom'],
        ['--pose-topic', '/slam/pose', '--pose-frame', 'left_optical'],
        ['--pose-topic', '/slam/pose', '--pose-frame', 'base_link'],
        ['--pose-source', 'tf', '--map-frame', 'map'],
        ['--poses', 'sfm'],
    ]
    assert 'left_optical in map from TF: map -> odom -> base_link -> left_optical' in summary


def test_odometry_that_no_tf_connects_with_the_camera(tmp_path):
    messages = [message for message in drive(n=3) if message[0] != '/pose']
    messages.append(('/odom', odometry(ns(0), true_pose(0)), ns(0)))
    summary = summarize_bag(write_bag(tmp_path / 'drive', messages))
    assert 'they say base_link, which no TF in the bag connects' in summary
    assert commands(summary)[0][-2:] == ['--pose-frame', 'camera_optical']


def test_without_poses_only_the_images_are_left(tmp_path):
    summary = summarize_bag(write_bag(tmp_path / 'drive', drive(n=2, with_poses=False)))
    assert [words[-2:] for words in commands(summary)] == [['--poses', 'sfm']]


def test_an_uncalibrated_camera_is_said(tmp_path):
    messages = [message for message in drive(n=2) if message[0] != '/camera/camera_info']
    summary = summarize_bag(write_bag(tmp_path / 'drive', messages))
    assert commands(summary) == []
    assert '/camera/image_raw/compressed cannot be used: no camera_info' in summary


def test_tf_that_contradicts_itself_does_not_hide_the_rest(tmp_path):
    messages = list(robot(n=2))
    messages.append(('/tf', transforms(ns(0.2), ('elsewhere', 'base_link', MOUNT)), ns(0.2)))
    summary = summarize_bag(write_bag(tmp_path / 'drive', messages))
    assert not any('tf' in words for words in commands(summary))
    assert ['--pose-frame', 'left_optical'] in [words[-2:] for words in commands(summary)]
