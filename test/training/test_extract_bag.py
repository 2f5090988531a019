import errno
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from recordings import (
    camera_info,
    compressed_image,
    drive,
    jpeg,
    ns,
    picture,
    pose_stamped,
    true_pose,
    write_bag,
)

from posemap_ros.dataset import open_dataset
from training.extract_bag import main

ROOT = Path(__file__).parents[2]
OF_CAMERA = ('--pose-frame', 'camera_optical', '--min-translation', '0')


@pytest.fixture
def bag(tmp_path):
    return write_bag(tmp_path / 'drive', drive(n=6))


def run(*arguments):
    return main([str(argument) for argument in arguments])


def failed(capsys, tmp_path, *arguments):
    """The command fails with one sentence, which is returned, and makes nothing."""
    before = sorted(tmp_path.iterdir())
    assert run(*arguments) == 1
    assert sorted(tmp_path.iterdir()) == before
    out, err = capsys.readouterr()
    assert out == '' and 'Traceback' not in err
    (sentence,) = (line for line in err.splitlines() if line.startswith('extract_bag: '))
    return sentence


def test_a_bag_becomes_a_dataset_and_the_report_says_so(bag, tmp_path, capsys):
    assert run(bag, '--out', tmp_path / 'data', *OF_CAMERA) == 0
    assert len(open_dataset(tmp_path / 'data')) == 6
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith('images from /camera/image_raw/compressed, camera from /camera/')
    assert lines[1] == '6 images: 6 kept'
    assert any(line.startswith('6 frames, 0.') and line.endswith(' m of path') for line in lines)
    assert re.fullmatch(r'\d\.\d s: (reading|decoding|writing|other).* \d+ %', lines[-1])


def test_options_reach_the_selection(bag, tmp_path):
    assert run(bag, '--out', tmp_path / 'data', *OF_CAMERA, '--every', 2, '--max-frames', 2) == 0
    frames = open_dataset(tmp_path / 'data').frames
    assert [frame.stamp_ns for frame in frames] == [ns(0.0), ns(0.4)]


def test_blurred_and_undistorted(tmp_path):
    """Both options reach the work: the images are encoded anew, and the soft one is kept."""
    messages = [message for message in drive(n=12) if message[0] != '/camera/camera_info']
    messages.append(('/camera/camera_info', camera_info(ns(0), d=(-0.2, 0, 0, 0, 0)), ns(0)))
    texture = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    for i, (topic, _, stamp) in enumerate(messages):
        if topic.startswith('/camera/image_raw'):
            soft = cv2.GaussianBlur(texture, (0, 0), 3.0 if stamp == ns(0.5) else 0.8)
            messages[i] = (topic, compressed_image(stamp, jpeg(soft)), stamp)
    bag = write_bag(tmp_path / 'drive', messages)
    assert run(bag, '--out', tmp_path / 'sharp', *OF_CAMERA) == 0
    assert run(bag, '--out', tmp_path / 'all', *OF_CAMERA, '--keep-blurred', '--undistort') == 0
    sharp, everything = open_dataset(tmp_path / 'sharp'), open_dataset(tmp_path / 'all')
    stamps = [ns(i / 10) for i in range(12)]
    assert [f.stamp_ns for f in everything.frames] == stamps
    assert [f.stamp_ns for f in sharp.frames] == [s for s in stamps if s != ns(0.5)]
    assert sharp.camera.distortion_model == 'plumb_bob'
    assert everything.camera.distortion_model == 'none'


@pytest.mark.parametrize('option', ['--pose-source', '--poses'])
def test_both_names_of_the_pose_source_are_one_option(bag, tmp_path, capsys, option):
    message = failed(capsys, tmp_path, bag, '--out', tmp_path / 'data', option, 'tf')
    assert 'TF does not connect map and camera_optical' in message


@pytest.mark.parametrize(
    'words', [('a', 'b', 'c'), (3, 3, 1.0), (0, 1, 0), (0, 1, 'nan'), (-1, 1, 2), (0, 1, 'inf')]
)
def test_impossible_distances(bag, tmp_path, capsys, words):
    with pytest.raises(SystemExit) as stop:
        run(bag, '--out', tmp_path / 'data', '--poses', 'sfm', '--distance', *words)
    assert stop.value.code == 2 and '--distance' in capsys.readouterr().err


def test_list_shows_topics_and_their_use(bag, capsys):
    assert run(bag, '--list') == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f'{bag}: 0.5 s'
    assert lines[1].split() == [
        '6',
        '/camera/camera_info',
        'sensor_msgs/msg/CameraInfo',
        '--camera-info-topic',
    ]
    assert lines[2].split()[-1] == '--image-topic' and lines[3].split()[-1] == '--pose-topic'


def test_out_is_needed(bag, capsys):
    with pytest.raises(SystemExit) as stop:
        run(bag)
    assert stop.value.code == 2 and '--out' in capsys.readouterr().err


@pytest.mark.parametrize('wrong', [('--every', 0), ('--max-gap', -1), ('--max-gap', 'nan')])
def test_numbers_out_of_range_are_refused(bag, tmp_path, capsys, wrong):
    with pytest.raises(SystemExit) as stop:
        run(bag, '--out', tmp_path / 'data', *wrong)
    assert stop.value.code == 2
    assert wrong[0].strip('-').replace('-', '_') in capsys.readouterr().err.replace('-', '_')


def test_mistakes_are_one_sentence(bag, tmp_path, capsys):
    out = tmp_path / 'data'
    assert 'does not say whose poses' in failed(capsys, tmp_path, bag, '--out', out)
    assert 'not there' in failed(capsys, tmp_path, tmp_path / 'no', '--out', out)
    assert 'not there' in failed(capsys, tmp_path, tmp_path / 'no', '--list')
    message = failed(capsys, tmp_path, bag, '--out', out, '--pose-topic', '/slam')
    assert 'no topic /slam; there are /camera/camera_info (CameraInfo), ' in message


def test_what_is_there_stays_unless_overwritten(bag, tmp_path, capsys):
    out = tmp_path / 'data'
    out.mkdir()
    (out / 'precious').write_text('')
    assert '--overwrite' in failed(capsys, tmp_path, bag, '--out', out, *OF_CAMERA)
    assert (out / 'precious').exists()
    assert run(bag, '--out', out, *OF_CAMERA, '--overwrite') == 0
    assert len(open_dataset(out)) == 6 and not (out / 'precious').exists()


def test_a_file_in_the_place_of_the_folder(bag, tmp_path, capsys):
    (tmp_path / 'data').write_text('')
    message = failed(capsys, tmp_path, bag, '--out', tmp_path / 'data', *OF_CAMERA)
    assert 'data: is a file' in message


def test_a_full_disk_leaves_nothing(bag, tmp_path, capsys, monkeypatch):
    write_bytes = Path.write_bytes

    def full(self, data):
        if self.name == '000003.jpg':
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write_bytes(self, data)

    monkeypatch.setattr(Path, 'write_bytes', full)
    message = failed(capsys, tmp_path, bag, '--out', tmp_path / 'data', *OF_CAMERA)
    assert 'the disk is full; free some space' in message
    monkeypatch.undo()
    assert run(bag, '--out', tmp_path / 'data', *OF_CAMERA) == 0


def test_ctrl_c_leaves_nothing_and_a_second_run_works(tmp_path):
    messages = []
    content = jpeg(picture(0, 1280, 960))
    for i in range(100):
        stamp = ns(i / 10)
        messages += [
            ('/image', compressed_image(stamp, content), stamp),
            ('/camera_info', camera_info(stamp, focal=1000.0, width=1280, height=960), stamp),
            ('/pose', pose_stamped(stamp, true_pose(i / 10)), stamp),
        ]
    bag = write_bag(tmp_path / 'drive', messages)
    out, partial = tmp_path / 'data', tmp_path / 'data.partial'
    command = [sys.executable, '-m', 'training.extract_bag', bag, '--out', out, *OF_CAMERA]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    while not (partial / 'images' / '000002.jpg').exists():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err.splitlines()[-1] == 'extract_bag: stopped; nothing half-made is left behind'
    assert 'Traceback' not in err
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ['drive']
    assert run(bag, '--out', out, *OF_CAMERA, '--max-frames', 5) == 0
    assert len(open_dataset(out)) == 5
