from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from posemap_ros.camera import Camera
from posemap_ros.dataset import DatasetError, PosedFrame, PosedImages
from posemap_ros.dataset.open_dataset import read_split
from posemap_ros.dataset.splits import SplitOptions, make_split, write_split
from posemap_ros.evaluation.errors import rotation_error_deg, translation_error_m

T_NS = 1_700_000_000 * 10**9
CAMERA = Camera(32, 24, 30, 30, 16, 12)


def drive(positions, folder='images', headings=None):
    frames = []
    for i, position in enumerate(positions):
        T = np.eye(4)
        a = np.radians(0 if headings is None else headings[i])
        T[:2, :2] = [[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]
        T[:3, 3] = position
        frames.append(PosedFrame(f'{folder}/{i:06d}', Path(f'/d/{folder}/{i}.png'), T))
    return frames


def dataset(*drives):
    return PosedImages(Path('/d'), CAMERA, tuple(frame for d in drives for frame in d))


def line(n, step=0.1):
    return np.stack([step * np.arange(n), np.zeros(n), np.zeros(n)], axis=1)


def test_blocks_with_margins_in_one_drive():
    """By hand: 400 frames, 80 to test in 8 blocks of 10, 5 frames of margin on both sides."""
    data = dataset(drive(line(400)))
    split = make_split(data)
    starts = [20 + 50 * k for k in range(8)]
    np.testing.assert_array_equal(split.test, [s + i for s in starts for i in range(10)])
    margin = {s + i for s in starts for i in (*range(-5, 0), *range(10, 15))}
    expected = sorted(set(range(400)) - set(split.test.tolist()) - margin)
    np.testing.assert_array_equal(split.train, expected)
    text = split.describe(data)
    assert '240 training and 80 test frames, 80 of margin; blocks held out' in text
    assert '0.' in text and 'm away (median)' in text


def test_no_training_frame_is_a_near_duplicate_wherever_it_is_in_the_drive():
    """Two laps of one circle, the second 1 cm beside the first, and turned the other way in half
    of it: what looks another way is no duplicate.
    """
    angle = np.linspace(0, 4.3 * np.pi, 600)
    radius = np.where(np.arange(600) < 300, 3.0, 3.01)
    positions = np.stack([radius * np.cos(angle), radius * np.sin(angle), 0 * angle], axis=1)
    headings = np.degrees(angle) + np.where(np.arange(600) > 450, 180, 0)
    data = dataset(drive(positions, headings=headings))
    options = SplitOptions(margin_m=0.2, margin_deg=10)
    split = make_split(data, options)
    poses, train = data.poses, split.train
    for i in split.test:
        near = translation_error_m(poses[train], poses[i]) < 0.2
        assert not (near & (rotation_error_deg(poses[train], poses[i]) < 10)).any()
    # Of the lap that looks back where the first looked forward, all but blocks and margins stays.
    turned = [i for i in train if i > 450]
    assert len(turned) == 149 - 2 * (15 + 10)
    loose = make_split(data, replace(options, margin_m=0, margin_deg=0))
    assert len(loose.train) > len(train) and len(loose.test) == len(split.test) == 120


def test_whole_drives_where_there_are_several():
    """From the last one on, as long as that comes closer to the share."""
    sizes = {'seq-01': 50, 'seq-02': 30, 'seq-03': 12, 'seq-04': 8}
    data = dataset(*(drive(line(n, 1 / n), folder) for folder, n in sizes.items()))
    split = make_split(data)
    assert split.drives == ('seq-03', 'seq-04')
    np.testing.assert_array_equal(split.test, range(80, 100))
    np.testing.assert_array_equal(split.train, range(80))
    assert 'drives seq-03, seq-04 held out' in split.describe(data)
    two = make_split(dataset(drive(line(10), 'a'), drive(line(90, 0.3), 'b')))
    assert two.drives == ('b',) and len(two.train) == 10


@pytest.mark.parametrize('stamped', [True, False])
def test_a_stereo_pair_is_one_drive_and_its_blocks_are_of_both_cameras(stamped):
    """By hand: of 100 moments 20 to 29 and 70 to 79 are tested, with 5 of margin around them."""
    left, right = line(100), line(100) + (0, 0.1, 0)
    data = dataset(drive(left, 'cam_left'), drive(right, 'cam_right'))
    if stamped:
        stamps = [T_NS + 10**8 * (i % 100) + 3 * 10**6 * (i // 100) for i in range(200)]
        frames = zip(data.frames, stamps)
        data = replace(data, frames=tuple(replace(f, stamp_ns=s) for f, s in frames))
    split = make_split(data)
    assert split.drives == () and 'blocks held out' in split.describe(data)
    tested = [*range(20, 30), *range(70, 80)]
    trained = [*range(15), *range(35, 65), *range(85, 100)]
    np.testing.assert_array_equal(split.test, [*tested, *(100 + i for i in tested)])
    np.testing.assert_array_equal(split.train, [*trained, *(100 + i for i in trained)])


def test_a_robot_with_two_cameras_that_drove_twice_is_tested_on_its_second_drive():
    data = []
    for day in range(2):
        for camera, aside in (('left', 0.0), ('right', 0.1)):
            data.append(drive(line(50, 0.1 + 0.02 * day) + (0, aside, 0), f'day{day}_{camera}'))
    split = make_split(dataset(*data))
    assert split.drives == ('day1_left + day1_right',)
    np.testing.assert_array_equal(split.test, range(100, 200))


def test_short_drives_have_fewer_blocks():
    split = make_split(dataset(drive(line(100))))
    runs = np.flatnonzero(np.diff(split.test) > 1)
    assert len(split.test) == 20 and len(runs) == 1


def test_a_camera_that_stands_still_cannot_be_divided():
    with pytest.raises(DatasetError, match='no training frame is outside the margins'):
        make_split(dataset(drive(np.zeros((100, 3)))))


@pytest.mark.parametrize(
    'wrong', [{'test_share': 0}, {'test_share': 1}, {'blocks': 0}, {'margin_m': -1}]
)
def test_options_out_of_range(wrong):
    with pytest.raises(DatasetError):
        SplitOptions(**wrong)


def test_what_is_written_is_a_split_and_nothing_is_overwritten_unasked(tmp_path):
    data = dataset(drive(line(100)))
    split = make_split(data)
    write_split(data, split, tmp_path)
    for name, part in (('train.txt', split.train), ('test.txt', split.test)):
        assert data.select(read_split(tmp_path / name)).names == [data.names[i] for i in part]
    before = (tmp_path / 'test.txt').read_text()
    other = make_split(data, SplitOptions(test_share=0.4))
    (tmp_path / 'train.txt').unlink()
    with pytest.raises(DatasetError, match='test.txt is there already; --overwrite'):
        write_split(data, other, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ['test.txt']
    assert (tmp_path / 'test.txt').read_text() == before
    write_split(data, other, tmp_path, overwrite=True)
    assert len(read_split(tmp_path / 'test.txt')) == 40
