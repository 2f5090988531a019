"""The executable `view`, as a user runs it: beside a node and a robot, over real middleware."""

import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from contextlib import suppress

import cv2
import numpy as np
import pytest
from robot import PATIENCE_SECONDS, executable, nanoseconds, wait_until
from tiny_environment import tiny_landmarks

from posemap_ros.environment import Environment

rr = pytest.importorskip('rerun')

from posemap_ros.live_view import paths  # noqa: E402

T_ODOM_BASE = np.eye(4)


@pytest.fixture
def mapped_environment(tmp_path, environment):
    """An environment with landmarks, whose verdicts would mean nothing."""
    folder = shutil.copytree(environment, tmp_path / 'environment')
    Environment.load(folder).add_landmarks(tiny_landmarks().to_bytes(), {})
    return folder


@pytest.fixture
def start_view(tmp_path):
    """Starts the view; gives the process, and a function that reads what it printed."""
    started = []

    def start(*arguments):
        log = tmp_path / 'view.log'
        with log.open('wb') as file:
            process = subprocess.Popen(
                [executable('view'), *map(str, arguments)], stdout=file, stderr=subprocess.STDOUT
            )
        started.append(process)

        def printed():
            text = log.read_text(errors='replace')
            assert process.poll() is None or 'the view' in text, text
            return text if 'the view' in text else ''

        wait_until(printed, 'where the view can be seen')
        return process, printed

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_a_file_holds_what_happened(
    start_node, robot, mapped_environment, next_view, start_view, tmp_path
):
    file = tmp_path / 'drive.rrd'
    process, printed = start_view('--to', file)
    start_node(
        environment=mapped_environment, verification='off', refine_min_frames=12, fix_timeout=5.0
    )

    def drive_until_seen(topic):
        robot.drive_until(
            lambda: robot.node.count_subscribers(topic) > 1, topic, next_view, T_ODOM_BASE
        )

    drive_until_seen('image')  # by the node and the view
    poses = len(robot.poses)
    robot.drive_until(lambda: len(robot.poses) > poses + 40, 'poses', next_view, T_ODOM_BASE)
    robot.set_parameter('max_sigma_translation', 0.001)
    robot.drive_until(
        lambda: any('rejected' in text for text in said_so_far(file)),
        'the end of what is to be seen, in the file',
        next_view,
        T_ODOM_BASE,
    )
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE_SECONDS) == 0, printed()
    assert 'Traceback' not in printed() and 'RerunWarning' not in printed(), printed()

    recording = load(file)
    stamps, positions = column(recording, paths.ROBOT, 'Translation3D')
    published = {
        nanoseconds(pose): pose.pose.position for pose in robot.poses if nanoseconds(pose)
    }
    both = [index for index, stamp in enumerate(stamps) if stamp in published]
    assert len(both) > 20
    for index in both:
        p = published[stamps[index]]
        np.testing.assert_allclose(positions[index][0], (p.x, p.y, p.z), atol=1e-5)
    assert column(recording, paths.SPREAD, 'HalfSize3D')[0]
    _, images = column(recording, paths.IMAGE, 'Blob')
    assert decoded(images[0]).shape == next_view().shape
    for path in (paths.VIEW, paths.POSEMAP):
        _, pictures = column(recording, path, 'Blob')
        assert decoded(pictures[0]).shape == (240, 320, 3)
    assert all(value[0] > 0 for value in column(recording, f'{paths.LATENCY}/pose', 'Scalar')[1])
    assert column(recording, f'{paths.RATE}/poses', 'Scalar')[0]
    said = {text[0] for text in column(recording, paths.STATE_LOG, 'Text')[1]}
    assert 'localized' in said
    assert any('ready' in text[0] for text in column(recording, paths.NODE_LOG, 'Text')[1])
    assert 'idle' in column(recording, paths.REFINE_LOG, 'Text')[1][0][0]

    landmarks = tiny_landmarks()
    points = static(recording, paths.POINTS, 'Position3D')
    np.testing.assert_allclose(np.stack(points), landmarks.points, atol=1e-6)
    [path] = static(recording, paths.MAPPED_PATH, 'LineStrip3D')
    np.testing.assert_allclose(np.stack(path), landmarks.T_world_cam[:, :3, 3], atol=1e-6)


def test_a_browser_gets_a_page_with_all_that_it_needs(start_view, tmp_path):
    with socket.socket() as other:  # something else is where the view would be
        with suppress(OSError):  # and was there before this test
            other.bind(('', 9090))
            other.listen()
        process, printed = start_view()
    address = printed().split('the view is at ')[1].split()[0]
    assert ':9090?' not in address
    page = urllib.request.urlopen(address, timeout=30).read().decode()
    assert 're_viewer.js' in page
    with urllib.request.urlopen(f'{address.split("?")[0]}/re_viewer_bg.wasm', timeout=30) as wasm:
        assert wasm.read(4) == b'\0asm'
    assert 'make_default: true' in received(address.split('?url=')[1], tmp_path / 'received.rrd')
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_SECONDS) == 0


def test_without_rerun_the_way_out_is_one_sentence():
    program = (
        "import sys; sys.modules['rerun'] = None; "
        'from posemap_ros.live_view.view import main; sys.exit(main([]))'
    )
    done = subprocess.run(
        [sys.executable, '-c', program], capture_output=True, text=True, timeout=PATIENCE_SECONDS
    )
    assert done.returncode == 1
    assert done.stderr.count('\n') == 1 and 'pip install rerun-sdk' in done.stderr


def received(address, file):
    """What a viewer gets at an address, printed: until it has got the layout of the page."""
    rerun = [sys.executable, '-m', 'rerun']
    viewer = subprocess.Popen([*rerun, address, '--save', str(file)])

    def printed():
        done = subprocess.run([*rerun, 'rrd', 'print', str(file)], capture_output=True, text=True)
        return done.stdout if 'BlueprintActivationCommand' in done.stdout else ''

    try:
        return wait_until(printed, 'the layout of the page')
    finally:
        viewer.kill()
        viewer.wait()


def load(file):
    """The recording in a file."""
    return rr.dataframe.load_recording(file)


def said_so_far(file):
    """By the node, in a file that is still being written."""
    try:
        return [text[0] for text in column(load(file), paths.NODE_LOG, 'Text')[1]]
    except (ValueError, KeyError):  # the end of it is on its way
        return []


def column(recording, path, component):
    """Times in ns and values of one column, where it has some."""
    view = recording.view(index=paths.TIMELINE, contents={path: [component]})
    table = view.select().read_all()
    times = table.column(paths.TIMELINE).cast('int64').to_pylist()
    values = table.column(f'{path}:{component}').to_pylist()
    kept = [(time, value) for time, value in zip(times, values) if value]
    return [time for time, _ in kept], [value for _, value in kept]


def static(recording, path, component):
    """The value of one column that has no time."""
    view = recording.view(index=paths.TIMELINE, contents={path: [component]})
    table = view.select_static().read_all()
    return table.column(f'{path}:{component}').to_pylist()[0]


def decoded(blob):
    """The picture in a blob."""
    return cv2.imdecode(np.array(blob[0], np.uint8), cv2.IMREAD_COLOR)
