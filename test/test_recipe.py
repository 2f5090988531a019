"""Recipes: those that ship are read, and a mistake in one is named."""

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from posemap_ros.recipe import (
    AprRecipe,
    InvalidRecipe,
    NerfRecipe,
    ScheduleRecipe,
    load_recipe,
    recipe_from_dict,
)
from posemap_ros.support.resources import share_folder

FOLDER = share_folder() / 'config' / 'training'
SHIPPED = sorted(p.stem for p in FOLDER.glob('*.yaml'))
VARIANTS = sorted(p.stem for p in (FOLDER / 'variants').glob('*.yaml'))


@pytest.mark.parametrize('name', SHIPPED)
def test_recipes_that_ship_are_read_and_survive_writing(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe_from_dict(yaml.safe_load(yaml.safe_dump(recipe.to_dict())), 'again') == recipe


def flat(values: dict, prefix: str = '') -> dict:
    """Nested values by dotted keys."""
    return {
        key: value
        for name, inner in values.items()
        for key, value in (
            flat(inner, f'{prefix}{name}.') if isinstance(inner, dict) else {prefix + name: inner}
        ).items()
    }


def test_every_key_is_explained_where_it_stands() -> None:
    said = [line for n in ('fast', 'paper_indoor') for line in (FOLDER / f'{n}.yaml').open()]
    explained = '\n'.join(
        line
        for before, line in zip(['', *said], said)
        if '#' in line or before.lstrip().startswith('#')
    )
    for key in flat(load_recipe('fast').to_dict()).keys() - {'name'}:
        assert re.search(rf'\b{key.split(".")[-1]}: ', explained), key


@pytest.mark.parametrize('variant', VARIANTS)
def test_variants_differ_only_in_what_they_say(variant: str) -> None:
    base, changed = (flat(load_recipe(n).to_dict()) for n in ('fast', f'fast+{variant}'))
    said = flat(yaml.safe_load((FOLDER / 'variants' / f'{variant}.yaml').read_text()))
    assert changed == {**base, **said, 'name': f'fast+{variant}'}
    assert (variant == 'pmnet') == (not said)


def test_variants_add_up_from_left_to_right() -> None:
    both = load_recipe('fast+pooled+dfnet')
    assert both.aprnet.head == 'pooled' and both.aprnet.loss.posemap == 0.0
    assert load_recipe('fast+dfnet+pooled').aprnet.loss.posemap == 1.0
    with pytest.raises(InvalidRecipe, match="no variant 'fast'.*dfnet"):
        load_recipe('fast+fast')


@pytest.mark.parametrize('name', [n for n in SHIPPED if n.startswith('paper')])
def test_what_the_paper_takes_over_from_dfnet(name: str) -> None:
    """The mean of twelve numbers, over photos and their renders; no warm-up, no clipping; the rate
    falls to 0.95 of itself after 50 of 300 epochs without progress, and after 200 it ends.
    """
    aprnet = load_recipe(name).aprnet
    assert aprnet.pose_reduction == 'mean' and aprnet.supervise_counterparts
    assert aprnet.max_gradient_norm == 0.0 and aprnet.brightness_jitter == 0.0
    assert aprnet.schedule.warmup_steps == 0 and aprnet.schedule.decay == 'none'
    plateau = aprnet.plateau
    epochs = [300 * share for share in (plateau.patience, plateau.stop)]
    assert plateau.checks == 300 and epochs == pytest.approx([50, 200], abs=0.01)
    assert plateau.factor == 0.95


@pytest.mark.parametrize('name', ['fast', 'room'])
def test_what_the_quick_recipes_keep(name: str) -> None:
    """Each key that came later says what the code did before it."""
    recipe = load_recipe(name)
    usual = AprRecipe()
    for key in ('schedule', 'plateau', 'max_gradient_norm', 'pose_reduction'):
        assert getattr(recipe.aprnet, key) == getattr(usual, key), key
    assert recipe.nerf_p.schedule == NerfRecipe().schedule == ScheduleRecipe(50, 'cosine', 0.02)
    assert usual.max_gradient_norm == 10.0 and usual.pose_reduction == 'sum'


def test_views_reach_farther_in_large_scenes() -> None:
    views = load_recipe('fast').aprnet.views
    assert views.reach_m(1.8) == 0.2
    assert views.reach_m(30.0) == pytest.approx(3.0)


def test_few_frames_have_more_views_each() -> None:
    views = load_recipe('fast').aprnet.views
    assert views.each(720) == views.per_frame == 2
    assert 1400 <= 254 * views.each(254) < 1400 + 254
    assert load_recipe('paper_indoor').aprnet.views.each(10) == 1


def test_larger_scenes_take_more_steps() -> None:
    fast = load_recipe('fast')
    assert fast.for_scene(1.5) is fast
    flat = fast.for_scene(2 * fast.enough_for_m)
    assert flat.nerf_p.steps == 2 * fast.nerf_p.steps
    assert flat.aprnet.steps == 2 * fast.aprnet.steps
    assert flat.nerf_p.pose_steps == 2 * fast.nerf_p.pose_steps
    assert fast.for_scene(1000.0).aprnet.steps == 4 * fast.aprnet.steps
    paper = load_recipe('paper_outdoor')
    assert paper.for_scene(100.0) is paper


def test_an_unknown_name_lists_those_there_are() -> None:
    with pytest.raises(InvalidRecipe, match='fast'):
        load_recipe('no_such_recipe')


@pytest.mark.parametrize(
    ('text', 'fault'),
    [
        ('aprnet: {stepz: 3}', "unknown key 'stepz'"),
        ('aprnet: {steps: many}', 'steps must be int'),
        ('aprnet: {steps: -3}', 'steps must be at least 1 and at most 1e.08, but is -3'),
        ('nerf_p: {rays_per_step: 0}', 'rays_per_step must be at least 1'),
        ('nerf_p: {image_height: 0}', 'image_height must be at least 16'),
        ('nerf_p: {resolutions: [64, 100000]}', 'resolutions must be .* at most 4096'),
        ('nerf_p: {resolutions: []}', 'resolutions must be 1 to 16 numbers'),
        ('nerf_p: {mlp: {width: 0}}', 'width must be at least 2'),
        ('aprnet: {feature_stride: 0}', 'feature_stride must be at least 1 and at most 16'),
        ('aprnet: {learning_rate: .nan}', 'learning_rate must be .*, but is nan'),
        ('aprnet: {loss: {image: .inf}}', 'image must be .*, but is inf'),
        ('aprnet: {views: {max_rotation_deg: 400}}', 'max_rotation_deg must be .* at most 180'),
        ('aprnet: {batch: 2}', 'aprnet.batch'),
        ('aprnet: {backbone: [1]}', 'backbone must be one of'),
        ('alignment: {epochs: 0}', 'epochs must be at least 1'),
        ('seed: 99999999999', 'seed must be'),
        ('held_out: 1.0', 'held_out must be .* at most 0.5'),
        ('aprnet: {learning_rate: fast}', 'must be a number'),
        ('aprnet: 3', 'must hold keys'),
        ('nerf_p: {resolutions: [8, big]}', 'must be int'),
        ('nerf_p: {field: gird}', 'field must be one of grid, mlp, not'),
        ('nerf_p: {mlp: {transient: 1}}', 'transient must be bool'),
        ('aprnet: {schedule: {decay: linear}}', 'decay must be one of cosine, exponential, none'),
        ('aprnet: {plateau: {factor: 0}}', 'factor must be at least 1e-06'),
        ('data_fraction: 0', 'data_fraction must be at least 1e-06'),
        ('data_fraction: 1.5', 'at most 1, but is 1.5'),
        ('[1, 2]', 'holds no keys'),
        ('a: b: c', 'is not YAML'),
        ('aprnet: &a {}\nnerf_p: *a', 'an alias'),
        ('3: 4\nx: 5', 'unknown key 3'),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, fault: str) -> None:
    path = tmp_path / 'mine.yaml'
    path.write_text(text)
    with pytest.raises(InvalidRecipe, match=fault) as caught:
        load_recipe(str(path))
    assert 'mine.yaml' in str(caught.value)


def test_ranges_hold_however_a_recipe_is_made() -> None:
    with pytest.raises(ValueError, match='data_fraction must be'):
        replace(load_recipe('fast'), data_fraction=0.0)


def test_a_pipe_is_no_recipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / 'mine.yaml')
    with pytest.raises(InvalidRecipe, match="there is no recipe '.*mine.yaml'"):
        load_recipe(str(tmp_path / 'mine.yaml'))


def test_numbers_as_people_write_them(tmp_path: Path) -> None:
    path = tmp_path / 'mine.yaml'
    path.write_text('aprnet: {learning_rate: 1e-4, brightness_jitter: 0}')
    aprnet = load_recipe(str(path)).aprnet
    assert aprnet.learning_rate == 1e-4 and aprnet.brightness_jitter == 0.0


def test_a_recipe_says_how_it_differs_from_its_base(tmp_path: Path) -> None:
    fast, room = load_recipe('fast'), load_recipe('room')
    assert room.aprnet.steps != fast.aprnet.steps and room.aprnet.loss.posemap == 1.0
    assert room.nerf_p == fast.nerf_p and room.aprnet.loss.points == fast.aprnet.loss.points
    mine = tmp_path / 'mine.yaml'
    mine.write_text('base: fast\nnerf_p: {steps: 7}\n')
    recipe = load_recipe(str(mine))
    assert recipe == replace(fast, name='mine', nerf_p=replace(fast.nerf_p, steps=7))
    mine.write_text('base: slow\n')
    with pytest.raises(InvalidRecipe, match="no base recipe 'slow': give one of fast"):
        load_recipe(str(mine))
