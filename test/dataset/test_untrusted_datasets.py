"""Datasets from elsewhere: each fault is one sentence, and nothing outside the folder is read."""

import json
import os

import numpy as np
import pytest
from test_cambridge import NAMES, write_cambridge
from test_colmap import write_colmap
from test_image_io import jpeg_that_claims, png_that_claims
from test_open_dataset import write_own, write_seven_scenes
from test_tum import write_tum

from posemap_ros.dataset import DatasetError, open_dataset, open_part
from posemap_ros.dataset.image_io import write_image
from training.convert_dataset import main as convert


def first_image(root):
    return open_dataset(root).frames[0].path


@pytest.fixture(params=[write_own, write_seven_scenes, write_cambridge, write_tum, write_colmap])
def folder(request, tmp_path):
    """A small dataset of each kind."""
    root = tmp_path / 'freiburg1'
    if request.param is not write_tum:
        root.mkdir()
    request.param(root)
    return root


@pytest.mark.parametrize(
    ('content', 'word'),
    [
        (b'', 'the file is empty'),
        (png_that_claims(60_000, 60_000), '60000x60000 pixels is refused'),
        (jpeg_that_claims(60_000, 60_000), '60000x60000 pixels is refused'),
        (b'GIF89a' + bytes(100), 'not a JPEG or PNG image'),
    ],
    ids=['empty', 'png bomb', 'jpeg bomb', 'gif'],
)
def test_a_bad_first_image_is_named(folder, content, word):
    """The first, because some readers look at its size when the folder is opened."""
    path = first_image(folder)
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=f'{path}: .*{word}'):
        open_dataset(folder).load(0)


def test_a_bad_image_among_good_ones_is_named_when_it_is_read(folder):
    dataset = open_dataset(folder)
    path = dataset.frames[1].path
    path.write_bytes(png_that_claims(60_000, 60_000))
    assert dataset.load(0).ndim == 3
    with pytest.raises(DatasetError, match=f'{path}: an image of 60000x60000 pixels is refused'):
        dataset.load(1)


def test_a_sentence_and_no_traceback_on_the_command_line(tmp_path, capsys):
    """And no picture from outside: neither a link nor a copy of it comes into the new folder."""
    secret = tmp_path / 'secret.png'
    write_image(secret, np.zeros((24, 32, 3), np.uint8))
    (tmp_path / 'a').mkdir()
    root = write_own(tmp_path / 'a')
    content = json.loads((root / 'transforms.json').read_text())
    content['frames'][2]['file_path'] = '../secret.png'
    (root / 'transforms.json').write_text(json.dumps(content))
    assert convert(['--data', str(root), '--out', str(tmp_path / 'out')]) == 1
    error = capsys.readouterr().err
    assert error.count('\n') == 1 and "image '../secret.png' lies outside the dataset" in error
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('listed', ['../../x', 'seq1/../../x', '/etc/x', 'C:\\..\\..\\x'])
def test_the_authors_lists_do_not_lead_outside_either(tmp_path, listed):
    write_cambridge(tmp_path)
    path = tmp_path / 'dataset_train.txt'
    path.write_text(path.read_text().replace(NAMES[0], listed))
    with pytest.raises(DatasetError, match='dataset_train.txt: the image .* lies outside'):
        open_dataset(tmp_path)


@pytest.mark.parametrize(
    ('write', 'name'),
    [
        (write_own, 'transforms.json'),
        (write_cambridge, 'reconstruction.nvm'),
        (write_cambridge, 'dataset_test.txt'),
        (write_tum, 'groundtruth.txt'),
        (write_tum, 'rgb.txt'),
    ],
)
@pytest.mark.parametrize('content', [b'', b'\xff\xfe\x00\x01' * 50, b'{"frames": [1, 2'])
def test_broken_listings_are_named(tmp_path, write, name, content):
    root = tmp_path / 'freiburg1'
    if write is not write_tum:
        root.mkdir()
    write(root)
    (root / name).write_bytes(content)
    if name == 'dataset_test.txt' and content.startswith(b'{'):
        assert not open_dataset(root).parts.get('test')
        return
    with pytest.raises(DatasetError, match=name):
        open_dataset(root)


def test_a_file_as_large_as_a_disk_is_not_read(tmp_path):
    write_own(tmp_path)
    with (tmp_path / 'transforms.json').open('r+b') as file:
        file.truncate(10**12)  # of holes, so it takes no space
    with pytest.raises(DatasetError, match='transforms.json has .* MB, and at most 64 MB fit'):
        open_dataset(tmp_path)
    (tmp_path / 'transforms.json').unlink()
    write_seven_scenes(tmp_path, sequences=1)
    path = tmp_path / 'seq-01' / 'frame-000001.color.png'
    with path.open('r+b') as file:
        file.truncate(10**12)
    with pytest.raises(DatasetError, match='color.png has .* MB, and at most 512 MB fit'):
        open_dataset(tmp_path).load(1)


@pytest.mark.parametrize(
    ('write', 'name'),
    [
        (write_own, 'transforms.json'),
        (write_own, 'train.txt'),
        (write_cambridge, 'reconstruction.nvm'),
        (write_tum, 'groundtruth.txt'),
        (write_tum, 'rgb.txt'),
        (write_colmap, 'sparse/0/images.txt'),
        (write_colmap, 'sparse/0/points3D.txt'),
    ],
)
def test_pipes_are_not_waited_for(tmp_path, write, name):
    """Those that are looked for are not there; what else is read is refused."""
    root = tmp_path / 'freiburg1'
    if write is not write_tum:
        root.mkdir()
    write(root)
    (root / name).unlink(missing_ok=True)
    os.mkfifo(root / name)
    kind = {write_own: 'transforms', write_cambridge: 'cambridge', write_tum: 'tum'}
    if name in ('train.txt', 'rgb.txt'):  # without them, all frames are meant
        assert len(open_part(root, 'train'))
        return
    with pytest.raises(DatasetError, match=str(root)):
        open_dataset(root, kind=kind.get(write, 'colmap'))


@pytest.mark.parametrize(
    ('text', 'fault'),
    [
        ('a: &a [1]\nb: *a', 'an alias or a tag'),
        ('[' * 5000, 'nested more than'),
        (f'image_width: .inf\nimage_height: 3\ncamera_matrix: {{data: {[1] * 9}}}', ''),
    ],
)
def test_calibrations_do_not_grow(tmp_path, text, fault):
    write_tum(tmp_path / 'drive')
    (tmp_path / 'drive' / 'camera.yaml').write_text(text)
    with pytest.raises(DatasetError, match=f'camera.yaml.*{fault}'):
        open_dataset(tmp_path / 'drive')


def test_names_that_no_list_can_hold_are_refused(tmp_path):
    write_own(tmp_path)
    path = first_image(tmp_path)
    content = (tmp_path / 'transforms.json').read_text()
    odd = 'images/\x1b[31mred\n.png'
    path.rename(tmp_path / odd)
    listed = json.dumps(path.relative_to(tmp_path).as_posix())
    (tmp_path / 'transforms.json').write_text(content.replace(listed, json.dumps(odd)))
    with pytest.raises(DatasetError, match=r"'images/\\x1b\[31mred\\n' cannot be written"):
        open_dataset(tmp_path)


@pytest.mark.parametrize('stamp', [-1, 2**63, 10**400, 0.5])
def test_stamps_that_are_no_time_are_refused(tmp_path, stamp):
    write_own(tmp_path)
    content = json.loads((tmp_path / 'transforms.json').read_text())
    content['frames'][1]['stamp_ns'] = stamp
    (tmp_path / 'transforms.json').write_text(json.dumps(content))
    with pytest.raises(DatasetError, match='frame 1 .*stamp_ns'):
        open_dataset(tmp_path)


def test_numbers_in_other_scripts_and_of_many_digits(tmp_path):
    (tmp_path / 'a').mkdir()
    write_cambridge(tmp_path / 'a')
    path = tmp_path / 'a' / 'reconstruction.nvm'
    path.write_text('NVM_V3\n\n\u00b2\n', encoding='utf-8')
    with pytest.raises(DatasetError, match='number of images'):
        open_dataset(tmp_path / 'a')
    write_seven_scenes(tmp_path / 'b', sequences=1)
    (tmp_path / 'b' / 'TrainSplit.txt').write_text('9' * 5000)
    assert not open_dataset(tmp_path / 'b').parts


@pytest.mark.parametrize(
    ('key', 'value'),
    [
        ('camera_model', []),
        ('camera_model', {'a': 1}),
        ('applied_scale', 10**400),
        ('applied_scale', 1e-300),
        ('fl_x', 1e308),
        ('fl_x', 1.0),
        ('cx', 1e308),
        ('w', float('inf')),
        ('w', 10**9),
        ('h', 0),
    ],
)
def test_values_of_no_real_camera_are_refused(tmp_path, key, value):
    write_own(tmp_path)
    content = json.loads((tmp_path / 'transforms.json').read_text())
    (tmp_path / 'transforms.json').write_text(json.dumps({**content, key: value}))
    with pytest.raises(DatasetError, match=str(tmp_path)):
        open_dataset(tmp_path).load(0)
