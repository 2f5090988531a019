import json
import logging
from dataclasses import replace

import numpy as np
import pytest

from posemap_ros.camera import Camera
from posemap_ros.dataset import (
    DatasetError,
    PosedFrame,
    open_dataset,
    open_part,
    write_transforms_json,
)
from posemap_ros.dataset.image_io import write_image

CAMERA = Camera(32, 24, 30.5, 30.25, 16.5, 12.25)
MIRROR = np.diag([1, 1, -1, 1]).tolist()


def pose(i):
    c, s = np.cos(0.1 * i), np.sin(0.1 * i)
    return np.array([[c, 0, s, 0.2 * i], [0, 1, 0, 1.5], [-s, 0, c, -0.1 * i], [0, 0, 0, 1]])


def write_own(root, n=4, camera=CAMERA, **extra):
    (root / 'images').mkdir()
    frames = []
    for i in range(n):
        path = root / 'images' / f'{i:06d}.png'
        write_image(path, np.full((camera.height, camera.width, 3), i, np.uint8))
        frames.append(PosedFrame(f'images/{i:06d}', path, pose(i), 1_700_000_000_000_000_001 + i))
    write_transforms_json(root, camera, frames, extra)
    return root


def write_seven_scenes(root, sequences=2, frames=3, suffix='.png', size=(64, 48)):
    for s in range(1, sequences + 1):
        folder = root / f'seq-{s:02d}'
        folder.mkdir(parents=True)
        for i in range(frames):
            image = np.full((size[1], size[0], 3), i, np.uint8)
            write_image(folder / f'frame-{i:06d}.color{suffix}', image)
            np.savetxt(folder / f'frame-{i:06d}.pose.txt', pose(i))
            (folder / f'frame-{i:06d}.depth.png').write_bytes(b'')
    return root


def edit(root, change):
    """Rewrite transforms.json after `change` has been at its content."""
    path = root / 'transforms.json'
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


# --- our own form


@pytest.mark.parametrize(
    'camera',
    [
        CAMERA,
        Camera(32, 24, 30, 30, 16, 12, 'plumb_bob', (0.1, -0.2, 0.01, 0.02, 0.003)),
        Camera(32, 24, 30, 30, 16, 12, 'equidistant', (0.1, -0.2, 0.01, 0.02)),
        Camera(32, 24, 30, 30, 16, 12, 'equidistant', (0.0, 0, 0, 0)),
        Camera(32, 24, 30, 30, 16, 12, 'rational_polynomial', tuple(np.arange(1, 9) / 100)),
        Camera(32, 24, 30, 30, 16, 12, 'rational_polynomial', tuple(np.arange(1, 13) / 100)),
    ],
)
def test_what_was_written_is_read(tmp_path, camera):
    dataset = open_dataset(write_own(tmp_path, camera=camera))
    assert dataset.camera == camera
    assert [frame.name for frame in dataset.frames] == [f'images/{i:06d}' for i in range(4)]
    assert [frame.stamp_ns for frame in dataset.frames][1] == 1_700_000_000_000_000_002
    np.testing.assert_allclose(dataset.poses, [pose(i) for i in range(4)], atol=1e-15)
    assert dataset.load(3).shape == (24, 32, 3) and dataset.load(3).max() == 3


def test_frames_without_stamps_come_in_the_order_of_their_names(tmp_path):
    def as_exported(content):
        for frame in content['frames']:
            del frame['stamp_ns']
        content['frames'] = [content['frames'][i] for i in (2, 3, 1, 0)]

    edit(write_own(tmp_path), as_exported)
    dataset = open_dataset(tmp_path)
    assert [frame.name for frame in dataset.frames] == [f'images/{i:06d}' for i in range(4)]
    np.testing.assert_allclose(dataset.poses, [pose(i) for i in range(4)], atol=1e-15)


def test_the_file_is_nerfstudios(tmp_path):
    """Keys and axes as nerfstudio documents them: OpenGL, so y and z of the camera are flipped."""
    write_own(tmp_path, bag='drive.mcap')
    content = json.loads((tmp_path / 'transforms.json').read_text())
    assert content['camera_model'] == 'PINHOLE' and content['bag'] == 'drive.mcap'
    shared = {key: content[key] for key in ('w', 'h', 'fl_x', 'fl_y', 'cx', 'cy')}
    assert shared == {'w': 32, 'h': 24, 'fl_x': 30.5, 'fl_y': 30.25, 'cx': 16.5, 'cy': 12.25}
    frame = content['frames'][2]
    assert frame['file_path'] == 'images/000002.png'
    T = np.array(frame['transform_matrix'])
    np.testing.assert_allclose(T[:, 0], pose(2)[:, 0])
    np.testing.assert_allclose(T[:, 1:3], -pose(2)[:, 1:3])
    np.testing.assert_allclose(T[:, 3], pose(2)[:, 3])


def test_instant_ngps_angle_of_view_is_enough(tmp_path):
    write_own(tmp_path)

    def only_angle(content):
        for key in ('camera_model', 'w', 'h', 'fl_x', 'fl_y', 'cx', 'cy'):
            del content[key]
        content['camera_angle_x'] = 2 * np.arctan(16 / 40)

    edit(tmp_path, only_angle)
    camera = open_dataset(tmp_path).camera
    assert (camera.width, camera.height, camera.cx, camera.cy) == (32, 24, 16, 12)
    assert (camera.fx, camera.fy) == pytest.approx((40, 40))


def test_a_frame_may_have_its_own_intrinsics(tmp_path):
    write_own(tmp_path)
    edit(tmp_path, lambda content: content['frames'][1].update(fl_x=30.5))
    own = {'fl_x': 31, 'k1': 0.1, 'camera_model': 'OPENCV'}
    edit(tmp_path, lambda content: content['frames'][2].update(own))
    dataset = open_dataset(tmp_path)
    assert dataset.camera == CAMERA
    assert [dataset.camera_of(i) for i in (0, 1, 3)] == [CAMERA] * 3
    assert dataset.camera_of(2) == Camera(
        32, 24, 31, 30.25, 16.5, 12.25, 'plumb_bob', (0.1, 0, 0, 0, 0)
    )


def test_several_cameras_are_written_where_nerfstudio_looks_for_them(tmp_path):
    """It reads what is given for all frames, and only else what a frame says."""
    write_own(tmp_path)
    own = [replace(CAMERA, fx=f) for f in (30, 31, 31, 33)]
    frames = [
        replace(frame, camera=camera)
        for frame, camera in zip(open_dataset(tmp_path).frames, own, strict=True)
    ]
    write_transforms_json(tmp_path, CAMERA, frames)
    content = json.loads((tmp_path / 'transforms.json').read_text())
    assert set(content) == {'camera_model', 'frames'}
    assert [frame['fl_x'] for frame in content['frames']] == [30, 31, 31, 33]
    dataset = open_dataset(tmp_path)
    assert [dataset.camera_of(i) for i in range(4)] == own and dataset.camera == own[1]


def test_images_that_are_missing_are_left_out_and_counted(tmp_path, caplog):
    write_own(tmp_path)
    for i in (1, 2):
        (tmp_path / 'images' / f'{i:06d}.png').unlink()
    with caplog.at_level(logging.WARNING):
        dataset = open_dataset(tmp_path)
    assert dataset.names == ['images/000000', 'images/000003']
    assert len(caplog.records) == 1 and '2 images (images/000001, images/000002)' in caplog.text
    np.testing.assert_allclose(dataset.poses[1], pose(3), atol=1e-15)


def test_blender_scenes_leave_out_the_ending_and_come_in_parts(tmp_path):
    """As NeRF's synthetic scenes: transforms_train.json, ./train/r_0, one angle of view."""
    for part, n in (('train', 3), ('test', 2)):
        (tmp_path / part).mkdir()
        entries = []
        for i in range(n):
            write_image(tmp_path / part / f'r_{i}.png', np.zeros((24, 32, 3), np.uint8))
            entries.append({'file_path': f'./{part}/r_{i}', 'rotation': 0.1,
                            'transform_matrix': np.eye(4).tolist()})  # fmt: skip
        (tmp_path / f'transforms_{part}.json').write_text(
            json.dumps({'camera_angle_x': 2 * np.arctan(16 / 40), 'frames': entries})
        )
    dataset = open_dataset(tmp_path)
    assert dataset.names == ['train/r_0', 'train/r_1', 'train/r_2', 'test/r_0', 'test/r_1']
    assert dataset.camera.fx == pytest.approx(40) and dataset.load(4).shape == (24, 32, 3)
    assert open_part(tmp_path, 'train').names == dataset.names[:3]
    assert open_part(tmp_path, 'test').names == dataset.names[3:]


def test_what_nerfstudio_did_to_the_poses_is_undone(tmp_path):
    """Its own poses are scale * (applied_transform @ pose of the source)."""
    write_own(tmp_path)
    applied = np.array([[0, 1, 0, 0.5], [1, 0, 0, -2], [0, 0, -1, 3], [0, 0, 0, 1.0]])

    def apply(content):
        for frame in content['frames']:
            T = applied @ frame['transform_matrix']
            T[:3, 3] *= 0.25
            frame['transform_matrix'] = T.tolist()
        content.update(applied_transform=applied[:3].tolist(), applied_scale=0.25)

    edit(tmp_path, apply)
    np.testing.assert_allclose(
        open_dataset(tmp_path).poses, [pose(i) for i in range(4)], atol=1e-12
    )


def test_nerfstudios_own_division_is_followed(tmp_path):
    write_own(tmp_path)
    names = [f'images/{i:06d}.png' for i in range(4)]
    edit(tmp_path, lambda c: c.update(train_filenames=names[:3], test_filenames=names[3:]))
    assert open_part(tmp_path, 'test').names == ['images/000003']


@pytest.mark.parametrize(
    ('change', 'word'),
    [
        (lambda c: c.pop('frames'), '"frames"'),
        (lambda c: c.update(frames=[]), '"frames"'),
        (lambda c: c['frames'][1].pop('file_path'), 'frame 1 has no "file_path"'),
        (lambda c: c['frames'][1].pop('transform_matrix'), '000001.*no "transform_matrix"'),
        (lambda c: c['frames'][1].update(file_path='../../x.jpg'), 'outside the dataset'),
        (lambda c: c['frames'][1].update(file_path='/etc/x.jpg'), 'outside the dataset'),
        (lambda c: c['frames'][1].update(file_path='images/a.exr'), 'not a .jpg or .png'),
        (lambda c: [f.update(file_path=f['file_path'][1:]) for f in c['frames']], '4 images .*n'),
        (lambda c: c['frames'][1].update(file_path='..\\..\\x.jpg'), 'outside the dataset'),
        (lambda c: c.update(applied_scale=0), 'applied_scale'),
        (lambda c: c.update(applied_transform=[[1, 2]]), 'applied_transform'),
        (lambda c: c.update(train_filenames='all'), 'train_filenames'),
        (lambda c: c['frames'][1].update(file_path='images/000000.png'), 'more than once'),
        (lambda c: c['frames'][1].update(stamp_ns='now'), 'stamp_ns'),
        (lambda c: c['frames'][1]['transform_matrix'][0].__setitem__(0, float('nan')), 'NaN'),
        (lambda c: c['frames'][1].update(transform_matrix=MIRROR), 'reflection'),
        (lambda c: c.pop('fl_x'), 'fl_x'),
        (lambda c: c.update(fl_x='wide'), 'not numbers'),
        (lambda c: c.update(fl_x=-3), 'fx must be positive'),
        (lambda c: c.update(camera_model='EQUIRECTANGULAR'), 'EQUIRECTANGULAR'),
        (lambda c: c.update(camera_model='OPENCV', k4=0.1), 'k4'),
    ],
)
def test_faults_in_transforms_json_are_named(tmp_path, change, word):
    write_own(tmp_path)
    edit(tmp_path, change)
    with pytest.raises(DatasetError, match=word):
        open_dataset(tmp_path)


@pytest.mark.parametrize('content', ['', '{"frames": [', '[1, 2]', '[' * 100_000])
def test_broken_json_is_refused(tmp_path, content):
    (tmp_path / 'transforms.json').write_text(content)
    with pytest.raises(DatasetError, match='transforms.json'):
        open_dataset(tmp_path)


# --- 7-Scenes


@pytest.mark.parametrize('suffix', ['.png', '.jpg'])
def test_seven_scenes(tmp_path, suffix):
    dataset = open_dataset(write_seven_scenes(tmp_path, suffix=suffix))
    assert [frame.name for frame in dataset.frames] == [
        f'seq-{s:02d}/frame-{i:06d}' for s in (1, 2) for i in range(3)
    ]
    assert dataset.camera == Camera(64, 48, 52.5, 52.5, 32, 24)
    np.testing.assert_allclose(dataset.poses[4], pose(1), atol=1e-12)
    assert dataset.load(5).shape == (48, 64, 3)


def test_frames_where_tracking_was_lost_are_left_out_with_a_warning(tmp_path, caplog):
    write_seven_scenes(tmp_path)
    np.savetxt(tmp_path / 'seq-01' / 'frame-000001.pose.txt', np.full((4, 4), np.nan))
    with caplog.at_level(logging.WARNING):
        dataset = open_dataset(tmp_path)
    assert len(dataset) == 5
    assert '1 frame (seq-01/frame-000001) is left out' in caplog.text


def test_the_sequences_of_each_part_are_those_of_the_authors(tmp_path):
    """A scene's TrainSplit.txt and TestSplit.txt, as they come: CRLF, no zeros before numbers."""
    write_seven_scenes(tmp_path, sequences=12, frames=1)
    (tmp_path / 'TrainSplit.txt').write_bytes(b'sequence1\r\nsequence12\r\n')
    (tmp_path / 'TestSplit.txt').write_bytes(b'sequence3\r\nsequence14\r\n')
    train = ['seq-01/frame-000000', 'seq-12/frame-000000']
    assert open_part(tmp_path, 'train').names == train
    assert open_part(tmp_path, 'test').names == ['seq-03/frame-000000']


def test_all_tracking_lost(tmp_path):
    write_seven_scenes(tmp_path, sequences=1, frames=1)
    np.savetxt(tmp_path / 'seq-01' / 'frame-000000.pose.txt', np.full((4, 4), np.nan))
    with pytest.raises(DatasetError, match='no frame remains'):
        open_dataset(tmp_path)


def test_images_without_a_pose_are_refused(tmp_path):
    write_seven_scenes(tmp_path)
    (tmp_path / 'seq-02' / 'frame-000002.pose.txt').unlink()
    with pytest.raises(DatasetError, match=r'1 image \(seq-02/frame-000002\) is without a .pose'):
        open_dataset(tmp_path)


@pytest.mark.parametrize(
    ('content', 'word'),
    [
        ('', 'the file is empty'),
        ('\x00', 'numbers'),
        ('1 2 x', 'numbers'),
        ('1 ' * 15, '16 numbers, not 15'),
    ],
)
def test_broken_pose_files_are_named(tmp_path, content, word):
    write_seven_scenes(tmp_path)
    (tmp_path / 'seq-01' / 'frame-000000.pose.txt').write_text(content)
    with pytest.raises(DatasetError, match=f'seq-01/frame-000000.pose.txt: .*{word}'):
        open_dataset(tmp_path)


def test_a_wrong_rotation_is_named(tmp_path):
    write_seven_scenes(tmp_path)
    path = tmp_path / 'seq-01' / 'frame-000002.pose.txt'
    np.savetxt(path, np.diag([1, -1, 1, 1]))
    with pytest.raises(DatasetError, match=f'{path}: the rotation is a reflection'):
        open_dataset(tmp_path)


def test_images_of_another_shape_are_refused(tmp_path):
    write_seven_scenes(tmp_path, size=(64, 36))
    with pytest.raises(DatasetError, match='64x36'):
        open_dataset(tmp_path)


# --- finding the reader, splits


def test_folders_that_are_no_dataset(tmp_path):
    with pytest.raises(DatasetError, match='nowhere: the dataset is not there'):
        open_dataset(tmp_path / 'nowhere')
    with pytest.raises(DatasetError, match='no dataset of a known kind'):
        open_dataset(tmp_path)
    write_seven_scenes(tmp_path)
    with pytest.raises(DatasetError, match='give its parent'):
        open_dataset(tmp_path / 'seq-01')
    with pytest.raises(DatasetError, match='is a file'):
        open_dataset(tmp_path / 'seq-01' / 'frame-000000.pose.txt')


def test_a_split_selects_by_name(tmp_path):
    write_seven_scenes(tmp_path)
    split = tmp_path / 'train.txt'
    split.write_text('# held out\r\nseq-02/frame-000001\r\n\r\nseq-01/frame-000000\r\n')
    dataset = open_dataset(tmp_path, split)
    names = [frame.name for frame in dataset.frames]
    assert names == ['seq-02/frame-000001', 'seq-01/frame-000000']


@pytest.mark.parametrize(
    ('content', 'word'),
    [
        (b'seq-09/frame-000001', r'1 frame \(seq-09/frame-000001\) is not in the dataset'),
        (b'', 'split.txt: the file is empty'),
        (b'# all are held out', 'names no frame'),
        (b'\xff\xfe\x00', 'not a text file'),
        (b'seq-01/frame-000000\nseq-01/frame-000000', 'more than once'),
    ],
)
def test_broken_splits_are_refused(tmp_path, content, word):
    write_seven_scenes(tmp_path)
    (tmp_path / 'split.txt').write_bytes(content)
    with pytest.raises(DatasetError, match=word):
        open_dataset(tmp_path, tmp_path / 'split.txt')


def test_a_missing_split_is_named(tmp_path):
    with pytest.raises(DatasetError, match='nothing.txt.*No such file'):
        open_dataset(write_seven_scenes(tmp_path), tmp_path / 'nothing.txt')


def test_a_reader_can_be_named(tmp_path):
    write_own(tmp_path)
    write_seven_scenes(tmp_path)
    assert len(open_dataset(tmp_path)) == 4
    assert len(open_dataset(tmp_path, kind='7scenes')) == 6
    with pytest.raises(DatasetError, match="no dataset format 'kitti'; known are transforms, 7s"):
        open_dataset(tmp_path, kind='kitti')


def test_parts_come_from_the_named_file_the_folders_or_are_all(tmp_path):
    write_seven_scenes(tmp_path)
    named = tmp_path / 'named.txt'
    named.write_text('seq-01/frame-000002')
    assert len(open_part(tmp_path, 'train')) == 6
    (tmp_path / 'train.txt').write_text('seq-02/frame-000001')
    assert open_part(tmp_path, 'train').names == ['seq-02/frame-000001']
    assert open_part(tmp_path, 'train', named).names == ['seq-01/frame-000002']
    assert len(open_part(tmp_path, 'test')) == 6
