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
)

from posemap_ros.bag import Bag, BagError


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
    (tmp_path / 'old.bag').write_text('#ROSBAG V2.0')
    refused(tmp_path / 'old.bag', 'rosbags-convert')
    (tmp_path / 'folder').mkdir()
    refused(tmp_path / 'folder', 'not a bag')
    (tmp_path / 'folder' / 'a.mcap').write_text('')
    (tmp_path / 'folder' / 'b.mcap').write_text('')
    refused(tmp_path / 'folder', 'reindex')


@pytest.mark.parametrize('name', ['a.mcap', 'a.db3'])
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


@pytest.mark.parametrize('metadata', ['', '{', 'a: [1, 2', 'rosbag2_bagfile_information: 3'])
def test_broken_metadata(tmp_path, metadata):
    path = write_bag(tmp_path / 'drive', drive(n=2))
    (path / 'metadata.yaml').write_text(metadata)
    refused(path, 'cannot be read')


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
