import json
import re
import shutil

import numpy as np
import pytest
from textured_room import drive, write_room

from posemap_ros.building.build import prepare_build
from posemap_ros.dataset import DatasetError
from posemap_ros.recipe import load_recipe
from training.check_dataset import main


@pytest.fixture(scope='module')
def room(tmp_path_factory):
    root = tmp_path_factory.mktemp('data') / 'room'
    write_room(root, drive(50))
    return root


def check(root, capsys):
    code = main(['--data', str(root)])
    return code, capsys.readouterr()


def test_right_data_content_it_and_make_a_page(room, capsys):
    names = [f'images/{i:04d}' for i in range(50)]
    (room / 'train.txt').write_text('\n'.join(names[:30]))
    (room / 'test.txt').write_text('\n'.join(names[36:]))
    code, printed = check(room, capsys)
    assert code == 0
    assert 'fault' not in printed.out
    subjects = re.findall(r'^(?:ok|warning) +([a-z ]+):', printed.out, re.MULTILINE)
    assert subjects == [
        'pose convention',
        'focal length',
        'time offset',
        'scale',
        'pose jumps',
        'duplicates',
        'coverage',
        'split',
        'expected accuracy',
        'exposure',
    ]
    page = (room / 'check.html').read_text()
    assert all(subject in page for subject in subjects)
    assert page.count('<img') >= 8
    assert 'http' not in re.sub(r'data:[^"]*', '', page)


def test_wrong_data_are_named_with_the_way_out(room, capsys, tmp_path):
    root = shutil.copytree(room, tmp_path / 'wrong')
    content = json.loads((root / 'transforms.json').read_text())
    for frame in content['frames']:
        frame['transform_matrix'] = np.linalg.inv(frame['transform_matrix']).tolist()
    (root / 'transforms.json').write_text(json.dumps(content))
    code, printed = check(root, capsys)
    assert code == 1
    (fault,) = (line for line in printed.out.splitlines() if line.startswith('fault'))
    # inv(M) of nerfstudio's M = T diag(1, -1, -1, 1), read by flipping its axes once more.
    assert 'world-to-camera' in fault and 'inv(T) @ diag(1, -1, -1, 1)' in fault
    assert 'class="finding bad"' in (root / 'check.html').read_text()


def test_images_that_do_not_match_cannot_be_tested(capsys, tmp_path):
    write_room(tmp_path / 'dark', drive(8), np.zeros(8))
    code, printed = check(tmp_path / 'dark', capsys)
    assert code == 1
    assert 'only 0 pairs of images match' in printed.out


def test_what_is_no_dataset_is_one_sentence(capsys, tmp_path):
    code, printed = check(tmp_path, capsys)
    assert code == 1
    assert printed.err.startswith('check_dataset: ') and printed.err.count('\n') == 1


def test_a_split_of_unknown_frames_is_one_sentence(room, capsys, tmp_path):
    root = shutil.copytree(room, tmp_path / 'room')
    (root / 'train.txt').write_text('images/9999')
    (root / 'test.txt').unlink(missing_ok=True)
    code, printed = check(root, capsys)
    assert code == 1 and '1 frame (images/9999) is not in the dataset' in printed.err
    with pytest.raises(DatasetError, match='images/9999'):
        prepare_build(root, load_recipe('fast'), tmp_path / 'work', device='cpu')


def test_what_cannot_be_trained_on_is_a_fault(room, capsys, tmp_path):
    """As build_environment says it: 19 frames, although there are more."""
    root = shutil.copytree(room, tmp_path / 'room')
    (root / 'train.txt').write_text('\n'.join(f'images/{i:04d}' for i in range(19)))
    (root / 'test.txt').unlink(missing_ok=True)
    code, printed = check(root, capsys)
    assert code == 1
    with pytest.raises(DatasetError, match='19 frames are too few') as refused:
        prepare_build(root, load_recipe('fast'), tmp_path / 'work', device='cpu')
    assert f'fault    training frames: {refused.value}\n' in printed.out
    assert str(refused.value) in (root / 'check.html').read_text()
