import errno
import os
import shutil

import numpy as np
import pytest
from recordings import (
    START_NS,
    drive,
    ns,
    picture,
    raw_image,
    transforms,
    write_bag,
    write_parts,
    write_ros1_bag,
)
from rosbags import rosbag2

from posemap_ros.extraction import bounded_decompression
from posemap_ros.extraction.bag import Bag, BagError

ZSTD = rosbag2.writer.zstd  # of Python 3.14, or its backport


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_topics_and_messages(tmp_path, storage):
    path = write_bag(tmp_path / 'drive', drive(n=4), storage)
    with Bag(path) as bag:
        assert [(t.name, t.type.rsplit('/')[-1], t.count) for t in bag.topics.values()] == [
            ('/camera/camera_info', 'CameraInfo', 4),
            ('/camera/image_raw/compressed', 'CompressedImage', 4),
            ('/pose', 'PoseStamped', 4),
        ]
        messages = list(bag.messages({'/pose', '/camera/camera_info'}))
        assert len(messages) == 8
        poses = [(topic, data) for topic, data in messages if topic == '/pose']
        assert [bag.stamp_ns(*message) for message in poses] == [ns(i / 10) for i in range(4)]
        message = bag.parse(*poses[3])
        assert message.header.frame_id == 'map'
        assert message.pose.position.x == pytest.approx(0.24)
        assert bag.span_ns[0] == START_NS
        assert bag.describe_topics().endswith('/pose (PoseStamped)')


@pytest.mark.parametrize('mode', ['file', 'message'])
def test_zstd(tmp_path, mode):
    with Bag(write_bag(tmp_path / 'drive', drive(n=4), 'sqlite3', zstd=mode)) as bag:
        assert len(list(bag.messages({'/pose'}))) == 4


@pytest.mark.parametrize('compression', ['none', 'bz2', 'lz4'])
def test_a_ros1_bag_reads_as_if_ros2_had_written_it(tmp_path, compression):
    messages = [*drive(n=4), ('/tf', transforms(ns(0.1), ('map', 'base', np.eye(4))), ns(0.1))]
    old = write_ros1_bag(tmp_path / 'drive.bag', messages, compression)
    with Bag(old) as bag, Bag(write_bag(tmp_path / 'drive', messages)) as new:
        assert bag.topics == new.topics
        topics = set(bag.topics)
        pairs = list(zip(bag.messages(topics), new.messages(topics), strict=True))
        assert len(pairs) == 13
        for (topic, data), (new_topic, new_data) in pairs:
            assert topic == new_topic
            message, expected = bag.parse(topic, data), new.parse(topic, new_data)
            if topic != '/tf':
                assert bag.stamp_ns(topic, data) == new.stamp_ns(topic, new_data)
                assert message.header.stamp == expected.header.stamp
            if topic == '/camera/camera_info':
                assert message.k.tolist() == expected.k.tolist()
            elif topic == '/pose':
                assert message.pose == expected.pose
            elif topic == '/tf':
                assert message.transforms[0].transform == expected.transforms[0].transform
            else:
                np.testing.assert_array_equal(message.data, expected.data)


@pytest.mark.parametrize(
    ('storage', 'zstd'), [('mcap', None), ('sqlite3', None), ('sqlite3', 'file'), ('mcap', 'file')]
)
def test_a_recording_in_parts(tmp_path, storage, zstd):
    messages = drive(n=9)
    path = write_parts(
        tmp_path / 'drive', [messages[:9], messages[9:12], messages[12:]], storage, zstd
    )
    with Bag(path) as bag:
        assert bag.topics['/pose'].count == 9
        stamps = [bag.stamp_ns(*message) for message in bag.messages({'/pose'})]
        assert stamps == [ns(i / 10) for i in range(9)]
        assert bag.span_ns[0] == START_NS
    if zstd is None:
        (path / 'metadata.yaml').unlink()
        with Bag(path) as bag:
            assert bag.topics['/pose'].count == 9
            assert stamps == [bag.stamp_ns(*message) for message in bag.messages({'/pose'})]


def test_a_ros1_recording_in_parts(tmp_path):
    for i, messages in enumerate([drive(n=3), drive(n=6)[9:]]):
        write_ros1_bag(tmp_path / f'2016-03-0{i + 1}_{i}.bag', messages)
    with Bag(tmp_path) as bag:
        stamps = [bag.stamp_ns(*message) for message in bag.messages({'/pose'})]
        assert stamps == [ns(i / 10) for i in range(6)]


def test_separate_recordings_are_not_mixed(tmp_path):
    for name in ('morning', 'evening'):
        write_bag(tmp_path / name, drive(n=2))
        (tmp_path / name / f'{name}.mcap').rename(tmp_path / f'{name}.mcap')
    refused(tmp_path, 'several recordings, evening.mcap, morning.mcap')


def test_a_storage_file_by_itself_and_a_folder_without_metadata(tmp_path):
    path = write_bag(tmp_path / 'drive', drive(n=4))
    with Bag(path / 'drive.mcap') as bag:
        assert bag.topics['/pose'].count == 4
    with Bag(path / 'metadata.yaml') as bag:
        assert bag.topics['/pose'].count == 4
    (path / 'metadata.yaml').unlink()  # as a recorder leaves it that was killed
    with Bag(path) as bag:
        assert bag.topics['/pose'].count == 4


def test_images_are_not_copied_to_look_at_their_stamp(tmp_path):
    image = raw_image(START_NS, picture(0))
    with Bag(write_bag(tmp_path / 'drive', [('/image', image, 5)])) as bag:
        ((topic, data),) = bag.messages({'/image'})
        assert bag.stamp_ns(topic, data[:12]) == START_NS
        np.testing.assert_array_equal(bag.parse(topic, data).data, picture(0).ravel())


def refused(path, word):
    """Opening or reading it gives one sentence with the word in it."""
    with pytest.raises(BagError, match=word) as caught, Bag(path) as bag:
        for topic, data in bag.messages(set(bag.topics)):
            bag.parse(topic, data)
    assert '\n' not in str(caught.value)
    assert str(path) in str(caught.value)


def test_no_bag_at_all(tmp_path):
    refused(tmp_path / 'nothing', 'not there')
    (tmp_path / 'notes.txt').write_text('hello')
    refused(tmp_path / 'notes.txt', 'not a bag')
    (tmp_path / 'old.bag').write_text('#ROSBAG V1.2')
    refused(tmp_path / 'old.bag', 'cannot be read')
    (tmp_path / 'a.mcap.zstd').write_text('')
    refused(tmp_path / 'a.mcap.zstd', 'zstd -d')
    (tmp_path / 'folder').mkdir()
    refused(tmp_path / 'folder', 'not a bag')
    (tmp_path / 'folder' / 'a.mcap').write_text('')
    (tmp_path / 'folder' / 'b.mcap').write_text('')
    refused(tmp_path / 'folder', 'reindex')


@pytest.mark.parametrize('name', ['a.mcap', 'a.db3', 'a.bag'])
@pytest.mark.parametrize(
    ('content', 'word'),
    [(b'', '0 bytes'), (b'no bag', 'cannot be read'), (b'\0' * 5000, 'cannot')],
)
def test_files_that_only_look_like_bags(tmp_path, name, content, word):
    (tmp_path / name).write_bytes(content)
    refused(tmp_path / name, word)


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_a_bag_without_messages(tmp_path, storage):
    refused(write_bag(tmp_path / 'empty', [], storage), 'empty')


@pytest.mark.parametrize(
    'metadata', ['', '{', 'a: [1, 2', 'rosbag2_bagfile_information: 3', '[' * 300, '\0']
)
def test_broken_metadata(tmp_path, metadata):
    path = write_bag(tmp_path / 'drive', drive(n=2))
    (path / 'metadata.yaml').write_text(metadata)
    refused(path, 'metadata.yaml.*reindex|cannot be read')


def test_metadata_too_large_to_be_any(tmp_path):
    path = write_bag(tmp_path / 'drive', drive(n=2))
    with (path / 'metadata.yaml').open('wb') as file:
        file.truncate(100 << 20)
    refused(path, 'at most 2 MB fit')


@pytest.mark.parametrize('way_out', ['../other/other.mcap', '/etc/passwd', '..'])
def test_metadata_that_points_out_of_the_bag(tmp_path, way_out):
    write_bag(tmp_path / 'other', drive(n=2))
    path = write_bag(tmp_path / 'drive', drive(n=2))
    metadata = (path / 'metadata.yaml').read_text()
    assert '- drive.mcap' in metadata
    (path / 'metadata.yaml').write_text(metadata.replace('- drive.mcap', f'- {way_out}'))
    refused(path, 'cannot be read')


def test_an_empty_storage_file_in_a_bag(tmp_path):
    path = write_bag(tmp_path / 'drive', drive(n=2))
    (path / 'drive.mcap').write_bytes(b'')
    refused(path, 'cannot be read')


def test_no_room_to_unpack(tmp_path, monkeypatch):
    path = write_bag(tmp_path / 'drive', drive(n=2), zstd='file')

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(shutil, 'copyfileobj', full)
    refused(path, 'no room in .* TMPDIR')


@pytest.mark.parametrize('share', [0.01, 0.3, 0.6, 0.95])
def test_a_ros1_bag_cut_short(tmp_path, share):
    path = write_ros1_bag(tmp_path / 'drive.bag', drive(n=40))
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    refused(path, 'cannot be read.*cut short')


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
@pytest.mark.parametrize('share', [0.01, 0.3, 0.6, 0.95])
def test_cut_short(tmp_path, storage, share):
    path = write_bag(tmp_path / 'drive', drive(n=40), storage)
    (file,) = (f for f in path.iterdir() if f.suffix in ('.mcap', '.db3'))
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    refused(path, 'cannot be read.*cut short')


def test_a_storage_file_is_missing(tmp_path):
    path = write_bag(tmp_path / 'drive', drive(n=2))
    (path / 'drive.mcap').unlink()
    refused(path, 'missing')


def test_a_damaged_message(tmp_path):
    with Bag(write_bag(tmp_path / 'drive', [('/tf', transforms(5), 5)])) as bag:
        ((topic, data),) = bag.messages({'/tf'})
        with pytest.raises(BagError, match='/tf is damaged'):
            bag.parse(topic, b'\0\1\0\0\xff\xff\xff\x7f')
        with pytest.raises(BagError, match='/tf is damaged'):
            bag.stamp_ns(topic, data[:5])


def test_metadata_that_would_take_minutes_to_read(tmp_path):
    path = write_bag(tmp_path / 'drive', drive(n=2))
    metadata = path / 'metadata.yaml'
    metadata.write_text('[' * 5000)
    refused(path, 'metadata.yaml is nested more than 32 levels deep.*reindex')
    metadata.write_text('a: &a [1]\nb: *a')
    refused(path, 'line 2 holds an alias')
    with metadata.open('wb') as file:
        file.truncate(10**12)  # of holes, so it takes no space
    refused(path, 'metadata.yaml has .* MB, and at most 2 MB fit')
    metadata.unlink()
    os.mkfifo(metadata)
    refused(path, 'metadata.yaml is a pipe')


@pytest.mark.parametrize('storage', ['sqlite3', 'mcap', 'lz4', 'bz2'])
def test_messages_that_unpack_to_too_much(tmp_path, monkeypatch, storage):
    monkeypatch.setattr(bounded_decompression, 'LARGEST_BLOCK', 100)
    if storage in ('lz4', 'bz2'):
        path = write_ros1_bag(tmp_path / 'drive.bag', drive(n=2), storage)
    else:
        mode = 'message' if storage == 'sqlite3' else 'storage'
        path = write_bag(tmp_path / 'drive', drive(n=2), storage, zstd=mode)
    refused(path, 'compressed block is cut short, or larger than 0 MB')


def test_a_file_that_would_fill_the_disk(tmp_path, monkeypatch):
    path = write_bag(tmp_path / 'drive', drive(n=2), zstd='file')
    (file,) = path.glob('*.zstd')
    with Bag(path):
        pass
    monkeypatch.setattr(bounded_decompression, '_LARGEST_FILE', 1 << 20)
    file.write_bytes(ZSTD.compress(bytes(64 << 20)))
    assert file.stat().st_size < 1 << 14
    refused(path, 'would unpack to more than can be meant')


def test_blocks_of_several_frames_are_read():
    both = ZSTD.compress(b'one, ') + ZSTD.compress(b'two')
    assert rosbag2.reader.zstd.decompress(both) == b'one, two'
