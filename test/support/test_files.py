import errno
import os
import subprocess
import sys

import pytest

from posemap_ros.support.files import atomic_folder, atomic_write, explain

STOPS = [RuntimeError, KeyboardInterrupt]


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_whole(tmp_path):
    path = tmp_path / 'weights.npz'
    with atomic_write(path) as temporary:
        assert temporary.suffix == '.npz' and temporary.parent == tmp_path
        temporary.write_text('new')
        assert not path.exists()
    assert path.read_text() == 'new'
    assert names(tmp_path) == ['weights.npz']


def test_a_file_has_the_usual_permissions(tmp_path):
    plain = tmp_path / 'plain'
    plain.write_text('')
    with atomic_write(tmp_path / 'ours') as temporary:
        temporary.write_text('')
    assert (tmp_path / 'ours').stat().st_mode == plain.stat().st_mode


@pytest.mark.parametrize('stop', STOPS)
def test_a_failed_write_leaves_the_old_file(tmp_path, stop):
    path = tmp_path / 'environment.yaml'
    path.write_text('old')
    with pytest.raises(stop), atomic_write(path) as temporary:
        temporary.write_text('half')
        raise stop
    assert path.read_text() == 'old'
    assert names(tmp_path) == ['environment.yaml']


def test_a_folder_appears_whole(tmp_path):
    path = tmp_path / 'made' / 'on' / 'the' / 'way'
    with atomic_folder(path) as temporary:
        (temporary / 'images').mkdir()
        (temporary / 'images' / 'a.jpg').write_text('a')
        assert not path.exists()
    assert (path / 'images' / 'a.jpg').read_text() == 'a'
    assert names(path.parent) == ['way']


@pytest.mark.parametrize('stop', STOPS)
@pytest.mark.parametrize('overwrite', [False, True])
def test_a_failed_folder_leaves_what_was_there(tmp_path, stop, overwrite):
    path = tmp_path / 'data'
    path.mkdir()
    if overwrite:
        (path / 'old').write_text('')
    with pytest.raises(stop), atomic_folder(path, overwrite=overwrite) as temporary:
        (temporary / 'half').write_text('')
        raise stop
    assert names(tmp_path) == ['data']
    assert names(path) == (['old'] if overwrite else [])


def test_a_folder_with_something_in_it_is_refused_before_any_work(tmp_path):
    (tmp_path / 'data').mkdir()
    (tmp_path / 'data' / 'precious').write_text('')
    with pytest.raises(FileExistsError, match='not empty'), atomic_folder(tmp_path / 'data'):
        pytest.fail('the block must not run')
    assert names(tmp_path) == ['data']


def test_a_folder_filled_meanwhile_is_not_lost(tmp_path):
    path = tmp_path / 'data'
    with pytest.raises(FileExistsError), atomic_folder(path):
        path.mkdir()
        (path / 'precious').write_text('')
    assert names(path) == ['precious']


def test_overwriting_replaces_the_whole_folder(tmp_path):
    path = tmp_path / 'data'
    for name in ('old', 'new'):
        with atomic_folder(path, overwrite=True) as temporary:
            (temporary / name).write_text('')
    assert names(path) == ['new']
    assert names(tmp_path) == ['data']


def test_the_old_folder_comes_back_if_the_new_one_cannot_take_its_place(tmp_path, monkeypatch):
    path = tmp_path / 'data'
    path.mkdir()
    (path / 'old').write_text('')
    rename = os.rename

    def failing(source, target):
        if str(source).endswith('.partial'):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        rename(source, target)

    monkeypatch.setattr(os, 'rename', failing)
    with pytest.raises(OSError, match='Input/output'), atomic_folder(path, overwrite=True):
        pass
    assert names(path) == ['old']
    assert names(tmp_path) == ['data']


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / 'data').write_text('')
    with pytest.raises(NotADirectoryError, match='data'), atomic_folder(tmp_path / 'data'):
        pytest.fail('the block must not run')


def test_what_a_killed_run_left_is_swept_away(tmp_path):
    path = tmp_path / 'data'
    killed = (
        'import os, sys; from posemap_ros.support.files import atomic_folder\n'
        'with atomic_folder(sys.argv[1]) as folder:\n'
        '    (folder / "half").write_text("")\n'
        '    os.kill(os.getpid(), 9)\n'
    )
    subprocess.run([sys.executable, '-c', killed, path], check=False)
    assert names(tmp_path) == ['data.partial']
    with atomic_folder(path) as temporary:
        assert names(temporary) == []
    assert names(tmp_path) == ['data']


def test_two_writers_do_not_mix(tmp_path):
    path = tmp_path / 'data'
    with atomic_folder(path) as temporary:
        (temporary / 'first').write_text('')
        with pytest.raises(BlockingIOError, match='another process'), atomic_folder(path):
            pytest.fail('the block must not run')
    assert names(path) == ['first']


def test_a_full_disk_is_explained():
    sentence = explain(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), '/data/out/1.jpg'))
    assert sentence == (
        'the disk is full while writing /data/out/1.jpg; '
        'free some space and run the same command again'
    )


def test_a_missing_file_is_explained(tmp_path):
    with pytest.raises(OSError) as caught:
        (tmp_path / 'nothing').read_bytes()
    assert explain(caught.value) == f'{tmp_path}/nothing: No such file or directory'
