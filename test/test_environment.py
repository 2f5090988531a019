"""The environment folder: what is written is read back, and nothing damaged is."""

import hashlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load, save
from tiny_environment import CAMERA, RECIPE, circle_of_poses, make_tiny_environment

from posemap_ros import environment as environment_module
from posemap_ros.environment import (
    Environment,
    InvalidEnvironment,
    make_aprnet,
    make_nerf_p,
    write_environment,
)
from posemap_ros.nerf_p.scene import SceneFrame
from posemap_ros.recipe import MlpRecipe


def edit_manifest(folder: Path, **changes: object) -> None:
    manifest = yaml.safe_load((folder / 'environment.yaml').read_text())
    (folder / 'environment.yaml').write_text(yaml.safe_dump({**manifest, **changes}))


def test_what_is_written_is_read_back(environment: Path) -> None:
    loaded = Environment.load(environment)
    assert loaded.camera == CAMERA
    assert loaded.revision == 0
    torch.manual_seed(0)
    again = Environment.load(make_tiny_environment(environment.with_name('again')))
    for ours, theirs in zip(
        loaded.load_aprnet().state_dict().values(), again.load_aprnet().state_dict().values()
    ):
        assert torch.equal(ours, theirs)


def test_half_precision_on_disk_hardly_moves_a_pose(environment: Path) -> None:
    net = Environment.load(environment).load_aprnet()
    images = torch.rand(2, 3, CAMERA.height, CAMERA.width, generator=torch.manual_seed(1))
    before = net(images).T_world_cam
    loaded = Environment.load(environment)
    loaded.add_revision(net, {})
    after = Environment.load(environment).load_aprnet()(images).T_world_cam
    assert torch.allclose(before, after, atol=1e-5)


def test_an_environment_from_before_the_mlp_field_is_read(environment: Path) -> None:
    """Keys that recipes did not have then stand for what there was."""
    before = Environment.load(environment)
    recipe = yaml.safe_load((environment / 'environment.yaml').read_text())['recipe']
    del recipe['data_fraction']
    for key in ('field', 'appearance', 'pose_branch_sees_direction', 'mlp'):
        del recipe['nerf_p'][key]
    for key in ('pose_weighting', 'triplet_distance', 'rvs_posemap_distance'):
        del recipe['aprnet'][key]
    edit_manifest(environment, recipe=recipe)
    after = Environment.load(environment)
    assert after.recipe == before.recipe
    assert all(
        torch.equal(a, b)
        for a, b in zip(
            before.load_nerf_p().state_dict().values(), after.load_nerf_p().state_dict().values()
        )
    )


def test_the_mlp_field_is_written_and_read(tmp_path: Path) -> None:
    nerf_recipe = replace(
        RECIPE.nerf_p,
        field='mlp',
        appearance='percent_embedding',
        mlp=MlpRecipe(layers=2, width=8),
    )
    scene = SceneFrame.from_poses(torch.from_numpy(circle_of_poses(8)))
    nerf, net = make_nerf_p(scene, nerf_recipe), make_aprnet(scene, CAMERA, RECIPE.aprnet)
    recipe = replace(RECIPE, nerf_p=nerf_recipe)
    loaded = write_environment(tmp_path / 'mlp', CAMERA, net, nerf, recipe, (1.0, 1.0), {})
    pose = torch.from_numpy(circle_of_poses(8)[:1]).float()
    with torch.no_grad():
        ours, theirs = (n.posemap(pose, CAMERA).features for n in (nerf, loaded.load_nerf_p()))
    assert torch.allclose(ours, theirs, atol=1e-2)  # kept in half precision


def test_revisions_count_up_and_the_base_stays(environment: Path) -> None:
    base = Environment.load(environment)
    net = base.load_aprnet()
    with torch.no_grad():
        next(net.head.parameters()).add_(1.0)
    assert base.add_revision(net, {'gap': 0.5}) == 1
    assert base.add_revision(net, {'gap': 0.4}) == 2
    newest = Environment.load(environment)
    assert newest.revision == 2
    first = Environment.load(environment, revision=0).load_aprnet().state_dict()
    assert all(torch.equal(first[k], v) for k, v in base.load_aprnet().state_dict().items())
    moved = newest.load_aprnet().head.state_dict()
    assert any(
        not torch.equal(moved[k], v) for k, v in base.load_aprnet().head.state_dict().items()
    )
    with pytest.raises(InvalidEnvironment, match='no revision 7'):
        Environment.load(environment, revision=7)


def test_a_missing_folder_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(InvalidEnvironment, match='build_environment'):
        Environment.load(tmp_path / 'nowhere')


@pytest.mark.parametrize('name', ['environment.yaml', 'aprnet.safetensors', 'nerf_p.safetensors'])
def test_a_missing_file_is_named(environment: Path, name: str) -> None:
    (environment / name).unlink()
    with pytest.raises(InvalidEnvironment, match=name):
        Environment.load(environment)


@pytest.mark.parametrize('name', ['aprnet.safetensors', 'nerf_p.safetensors'])
@pytest.mark.parametrize('damage', ['truncated', 'one bit'])
def test_damaged_weights_are_refused(environment: Path, name: str, damage: str) -> None:
    data = bytearray((environment / name).read_bytes())
    if damage == 'truncated':
        del data[len(data) // 2 :]
    else:
        data[-1] ^= 1
    (environment / name).write_bytes(data)
    with pytest.raises(InvalidEnvironment, match=f'{name}.*SHA-256'):
        Environment.load(environment)


def test_a_newer_format_is_refused(environment: Path) -> None:
    edit_manifest(environment, format=99)
    with pytest.raises(InvalidEnvironment, match='format 99.*update'):
        Environment.load(environment)


@pytest.mark.parametrize(
    'text', ['', '[]', 'format: one', '{', 'format: 1', '\x00\x01', '!!python/object:os.system {}']
)
def test_a_damaged_manifest_is_refused(environment: Path, text: str) -> None:
    (environment / 'environment.yaml').write_text(text)
    with pytest.raises(InvalidEnvironment, match='environment'):
        Environment.load(environment)


def test_files_outside_the_folder_are_not_followed(environment: Path, tmp_path: Path) -> None:
    (tmp_path / 'other.safetensors').write_bytes(b'')
    edit_manifest(environment, files={'../other.safetensors': 'x'})
    with pytest.raises(InvalidEnvironment, match='damaged'):
        Environment.load(environment)


def test_a_damaged_camera_is_refused(environment: Path) -> None:
    edit_manifest(environment, camera={'width': 'wide'})
    with pytest.raises(InvalidEnvironment, match='damaged'):
        Environment.load(environment)


def test_weights_of_another_recipe_are_refused(environment: Path) -> None:
    manifest = yaml.safe_load((environment / 'environment.yaml').read_text())
    manifest['recipe']['aprnet']['head'] = 'pooled'
    edit_manifest(environment, recipe=manifest['recipe'])
    with pytest.raises(InvalidEnvironment, match='aprnet.safetensors does not fit'):
        Environment.load(environment).load_aprnet()


def test_landmarks_are_added_and_replaced(environment: Path) -> None:
    bare = Environment.load(environment)
    assert bare.landmarks is None and bare.verification == {}
    bare.add_landmarks(b'first', {'threshold': 12})
    loaded = bare.add_landmarks(b'second', {'threshold': 16})
    assert loaded.landmarks.read_bytes() == b'second'
    assert loaded.verification == {'threshold': 16}
    assert loaded.figures == bare.figures
    loaded.landmarks.write_bytes(b'secon')
    with pytest.raises(InvalidEnvironment, match='landmarks.safetensors is not the file'):
        Environment.load(environment)


@pytest.mark.parametrize('renames', range(3))
def test_landmarks_that_are_stopped_midway_leave_a_whole_environment(
    environment: Path, monkeypatch: pytest.MonkeyPatch, renames: int
) -> None:
    """Power fails after none, one or two of the files had their place."""
    before = Environment.load(environment).add_landmarks(b'first', {'threshold': 12})
    done = 0
    replace_file = os.replace

    def fail(source: Path, target: Path) -> None:
        nonlocal done
        if done == renames:
            raise KeyboardInterrupt
        done += 1
        replace_file(source, target)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(os, 'replace', fail)
        before.add_landmarks(b'second', {'threshold': 16})
    after = Environment.load(environment)
    if renames == 0:
        assert after == before and after.landmarks.read_bytes() == b'first'
    else:
        assert after.landmarks is None and after.verification == {}
    assert before.add_landmarks(b'third', {}).landmarks.read_bytes() == b'third'


def test_a_revision_brings_its_own_landmarks(environment: Path) -> None:
    base = Environment.load(environment).add_landmarks(b'mapped', {})
    net = base.load_aprnet()
    assert base.add_revision(net, {}) == 1
    assert base.add_revision(net, {}, b'today') == 2
    loaded = Environment.load(environment)
    assert loaded.landmarks.read_bytes() == b'mapped'
    assert loaded.todays_landmarks.read_bytes() == b'today'
    for revision in (0, 1):
        assert Environment.load(environment, revision).todays_landmarks is None
    loaded.todays_landmarks.write_bytes(b'other')
    loaded = Environment.load(environment)
    assert loaded.revision == 1 and 'todays_landmarks.safetensors' in loaded.warning


def store_revision(environment: Path) -> int:
    loaded = Environment.load(environment, revision=0)
    return loaded.add_revision(loaded.load_aprnet(), {})


def test_those_that_store_at_once_get_a_number_each(environment: Path) -> None:
    """Threads here: what keeps them apart belongs to an open file, and does so for processes."""
    with ThreadPoolExecutor(3) as pool:
        numbers = list(pool.map(store_revision, [environment] * 6))
    assert sorted(numbers) == [1, 2, 3, 4, 5, 6]
    assert all(Environment.load(environment, number).revision == number for number in numbers)


def put_revisions(folder: Path, count: int) -> None:
    base = Environment.load(folder)
    for number in range(1, count + 1):
        assert base.add_revision(base.load_aprnet(), {}) == number


@pytest.mark.parametrize(
    ('sound', 'damage'),
    [(2, ['0003/aprnet.safetensors']), (1, ['0003/revision.yaml', '0002/aprnet.safetensors'])],
)
def test_the_newest_sound_revision_is_used(
    environment: Path, sound: int, damage: list[str]
) -> None:
    put_revisions(environment, 3)
    assert Environment.load(environment).warning == ''
    for name in damage:
        (environment / 'revisions' / name).write_bytes(b'\x00')
    loaded = Environment.load(environment)
    assert loaded.revision == sound
    assert damage[0] in loaded.warning and f'revision {sound} is used' in loaded.warning
    with pytest.raises(InvalidEnvironment, match=damage[0]):
        Environment.load(environment, revision=3)
    assert loaded.add_revision(loaded.load_aprnet(), {}) == 4


def test_folders_that_are_no_revisions_are_not_counted(environment: Path) -> None:
    for name in ('0001.partial', '00001', '٠٠٠١', 'old', '1'):
        (environment / 'revisions' / name).mkdir(parents=True)
    assert Environment.load(environment).revision == 0


MANY = 10**6


@pytest.mark.parametrize(
    ('changes', 'fault'),
    [
        ({'network_camera': {**CAMERA.to_dict(), 'width': MANY}}, 'a side of network_camera'),
        ({'network_camera': {**CAMERA.to_dict(), 'width': 72}}, 'multiples of 16'),
        (
            {'network_camera': {**CAMERA.to_dict(), 'fx': 1e-7}},
            'network_camera is none: it would see',
        ),
        ({'network_camera': {**CAMERA.to_dict(), 'cx': 1e308}}, 'its centre would be'),
        ({'camera': {**CAMERA.to_dict(), 'height': MANY}}, 'a side of camera'),
        ({'camera': {**CAMERA.to_dict(), 'fx': float('nan')}}, 'camera fx must be positive'),
        ({'camera': {}}, 'missing'),
        ({'spread_scale': [1.0, 1.0, 1.0]}, 'too many values'),
        ({'spread_scale': [0, 1.0]}, 'spread_scale must be at least'),
        ({'spread_scale': [1.0, -4]}, 'spread_scale must be at least'),
        ({'spread_scale': 'ab'}, 'could not convert'),
        ({'scene': {'radius_m': float('nan')}}, 'centre'),
        ({'scene': {'centre': [1.0] * 16, 'radius_m': 1.0}}, 'centre is no pose'),
        ({'scene': {'centre': [1.0] * 15, 'radius_m': 1.0}}, 'cannot reshape'),
        ({'recipe': {'name': 'x', 'aprnet': {'feature_stride': 0}}}, 'feature_stride must be'),
        ({'recipe': {'name': 'x', 'nerf_p': {'resolutions': [10**5]}}}, 'resolutions must be'),
        ({'recipe': 3}, 'recipe must hold keys'),
        ({'figures': 7}, 'damaged'),
        ({'verification': [1]}, 'damaged'),
        ({'files': {'aprnet.safetensors': 3}}, 'list of files'),
    ],
)
def test_values_out_of_range_are_refused(environment: Path, changes: dict, fault: str) -> None:
    edit_manifest(environment, **changes)
    with pytest.raises(InvalidEnvironment, match=f'(?s)environment.*{fault}.*build_environment'):
        Environment.load(environment)


@pytest.mark.parametrize('name', ['radius_m', 'near_m', 'middle_m'])
@pytest.mark.parametrize('value', [float('nan'), float('inf'), 0.0, -1.0, 1e9])
def test_a_place_without_a_size_is_refused(environment: Path, name: str, value: float) -> None:
    scene = Environment.load(environment).scene.to_dict()
    edit_manifest(environment, scene={**scene, name: value})
    with pytest.raises(InvalidEnvironment, match=name):
        Environment.load(environment)


@pytest.mark.parametrize('name', ['environment.yaml', 'aprnet.safetensors', 'nerf_p.safetensors'])
def test_pipes_folders_and_endless_files_are_refused(environment: Path, name: str) -> None:
    file = environment / name
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(InvalidEnvironment, match=f'{name} is a pipe'):
        Environment.load(environment)
    file.unlink()
    with file.open('wb') as handle:
        handle.truncate(10**12)  # of holes, so it takes no space
    with pytest.raises(InvalidEnvironment, match=f'{name} has .* MB'):
        Environment.load(environment)
    file.unlink()
    file.mkdir()
    with pytest.raises(InvalidEnvironment, match=f'{name}: Is a directory'):
        Environment.load(environment)


def replace_weights(folder: Path, content: bytes) -> None:
    """As somebody would who can write the manifest, too."""
    (folder / 'aprnet.safetensors').write_bytes(content)
    files = yaml.safe_load((folder / 'environment.yaml').read_text())['files']
    files['aprnet.safetensors'] = hashlib.sha256(content).hexdigest()
    edit_manifest(folder, files=files)


@pytest.mark.parametrize(
    'content',
    [
        b'',
        (2**63).to_bytes(8, 'little') + b'{}',
        (10**9).to_bytes(8, 'little') + b'{}',
        b'\x02' + bytes(7) + b'{}',
        b'\x46'
        + bytes(7)
        + b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4000000000000]}}    ',
    ],
    ids=['empty', 'header of 2^63', 'header of 10^9', 'no tensors', 'beyond the end'],
)
def test_weights_that_are_none_are_refused(environment: Path, content: bytes) -> None:
    replace_weights(environment, content)
    with pytest.raises(InvalidEnvironment, match='aprnet.safetensors does not fit'):
        Environment.load(environment).load_aprnet()


@pytest.mark.parametrize(
    ('change', 'fault'),
    [
        (lambda value: value.fill_(float('nan')), 'NaN'),
        (lambda value: value.fill_(float('inf')), 'infinite'),
        (lambda value: value.int(), 'int32'),
        (lambda value: value[:1], r'\(1'),
    ],
)
def test_weights_that_cannot_be_meant_are_refused(
    environment: Path, change: Callable, fault: str
) -> None:
    state = load(environment.joinpath('aprnet.safetensors').read_bytes())
    name = next(key for key in state if key.endswith('weight'))
    replace_weights(environment, save({**state, name: change(state[name])}))
    with pytest.raises(InvalidEnvironment, match=f'{name}.*{fault}'):
        Environment.load(environment).load_aprnet()


def test_no_memory_is_taken_for_what_the_weights_do_not_hold(environment: Path) -> None:
    """16 planes of 4096 cells and 1024 channels would take 3 TB."""
    recipe = Environment.load(environment).recipe.to_dict()
    recipe['nerf_p'] |= {'resolutions': [4096] * 16, 'channels': 1024}
    edit_manifest(environment, recipe=recipe)
    with pytest.raises(InvalidEnvironment, match='nerf_p.safetensors does not fit'):
        Environment.load(environment).load_nerf_p()


def test_weights_that_change_after_the_check_are_refused(environment: Path) -> None:
    loaded = Environment.load(environment)
    with (environment / 'nerf_p.safetensors').open('r+b') as file:
        file.truncate(1000)
    with pytest.raises(InvalidEnvironment, match='nerf_p.safetensors was changed or replaced'):
        loaded.load_nerf_p()


def test_an_environment_that_is_replaced_while_it_is_read_is_read_again(
    environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = Environment.load(environment).add_landmarks(b'first', {})
    read, times = environment_module.read_manifest, []

    def and_replace(path: Path) -> dict:
        manifest = read(path)
        times.append(path)
        if len(times) == 1:
            with monkeypatch.context() as patch:
                patch.setattr(environment_module, 'read_manifest', read)
                loaded.add_landmarks(b'second', {'threshold': 16})
        return manifest

    monkeypatch.setattr(environment_module, 'read_manifest', and_replace)
    assert Environment.load(environment).verification == {'threshold': 16}
