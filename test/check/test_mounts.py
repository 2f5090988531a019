import json

import numpy as np
import pytest
from textured_room import drive

from posemap_ros.check.conventions import CONVENTIONS
from posemap_ros.check.fit import fit_epipolar
from posemap_ros.check.geometry_findings import judge_geometry
from posemap_ros.check.mounts import judge_mounts, mount_conventions
from posemap_ros.dataset import DatasetError, PosedFrame, PosedImages
from posemap_ros.dataset.mounts import MOST_FRAMES, Mounts
from posemap_ros.dataset.transforms_json import read_mounts

OPTICAL = np.array([[0.0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
BASE = np.array([[1.0, 0, 0, 0.3], [0, 1, 0, -0.1], [0, 0, 1, 0.6], [0, 0, 0, 1]]) @ OPTICAL
FRAMES = {'camera_optical': np.eye(4), 'camera_link': OPTICAL, 'base_link': BASE}


def extracted(room, true, used):
    """The room's dataset as it would be, had poses of `true` been taken for those of `used`."""
    mounts = Mounts(used, FRAMES)
    move = np.linalg.inv(FRAMES[true]) @ FRAMES[used]
    frames = [PosedFrame(f.name, f.path, f.T_world_cam @ move) for f in room.dataset.frames]
    return PosedImages(room.dataset.root, room.dataset.camera, tuple(frames)), mounts


def test_corrections_undo_the_wrong_frame(room):
    dataset, mounts = extracted(room, 'camera_optical', 'base_link')
    corrections = mounts.corrections()
    assert list(corrections) == ['camera_optical', 'camera_link']
    np.testing.assert_allclose(dataset.poses @ corrections['camera_optical'], drive(60), atol=1e-9)


@pytest.mark.parametrize('true', FRAMES)
@pytest.mark.parametrize('used', FRAMES)
def test_the_right_frame_is_named_whichever_was_used(room, true, used):
    dataset, mounts = extracted(room, true, used)
    conventions = [*CONVENTIONS, *mount_conventions(mounts)]
    fit = fit_epipolar(room.pairs, dataset.poses, room.timeline, room.matcher.camera, conventions)
    finding, *others = judge_geometry(dataset, room.pairs, fit, room.timeline)
    assert [other.severity for other in others] == ['ok', 'ok']
    if true == used:
        assert finding.severity == 'ok'
    else:
        assert finding.severity == 'fault'
        assert f'those of {true}, and not of {used}' in finding.text
        assert finding.way_out == f'extract the bag again with --pose-frame {true}'


def test_extraction_says_which_frame_fits(room):
    dataset, mounts = extracted(room, 'camera_optical', 'base_link')
    said = judge_mounts(dataset, mounts)
    assert said.startswith('WARNING: the poses are those of camera_optical, not of base_link')
    assert said.endswith('--pose-frame camera_optical')
    dataset, mounts = extracted(room, 'base_link', 'base_link')
    assert judge_mounts(dataset, mounts).startswith(
        'the poses fit the images as those of base_link'
    )


def test_how_far_the_test_is_shows(room):
    dataset, mounts = extracted(room, 'base_link', 'camera_optical')
    shown = {}

    def progress(items, what, total):
        for done, item in enumerate(items, 1):
            shown[what] = done, total
            yield item

    judge_mounts(dataset, mounts, progress)
    assert shown['matching images'] == (45, 45)
    conventions = 1 + len(mounts.corrections())
    assert shown['trying conventions'] == (conventions, conventions)


def test_mounts_are_read_from_the_dataset_as_they_were_written(tmp_path):
    mounts = Mounts('base_link', FRAMES)
    write(tmp_path, mounts.to_dict())
    read = read_mounts(tmp_path)
    assert read.used == 'base_link' and list(read.T_frame_cam) == list(FRAMES)
    np.testing.assert_array_equal(read.T_frame_cam['base_link'], BASE)


@pytest.mark.parametrize(
    'wrong',
    [
        [],
        {'used': 'base_link'},
        {'used': 'other', 'T_frame_cam': {'base_link': np.eye(4).tolist()}},
        {'used': 'a', 'T_frame_cam': {'a': [[1]]}},
        {'used': 'a', 'T_frame_cam': {'a': np.eye(4).tolist(), '\x1b[2J': np.eye(4).tolist()}},
        {
            'used': '0',
            'T_frame_cam': {str(i): np.eye(4).tolist() for i in range(MOST_FRAMES + 1)},
        },
    ],
)
def test_mounts_that_are_none_are_refused(tmp_path, wrong):
    write(tmp_path, wrong)
    with pytest.raises(DatasetError, match='transforms.json: mounts'):
        read_mounts(tmp_path)


def write(folder, mounts):
    (folder / 'transforms.json').write_text(json.dumps({'frames': [], 'mounts': mounts}))
