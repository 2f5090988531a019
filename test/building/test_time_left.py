"""What a build says it does next, and how long that takes."""

from dataclasses import replace

import pytest
from tiny_environment import RECIPE, make_tiny_dataset

from posemap_ros.building.build import Build, prepare_build
from posemap_ros.building.time_left import Stage, TimeLeft, stages_of


def say_all(*taken: float) -> list[str]:
    """Of three stages that are expected to take 100, 50 and 10 s, and take so long."""
    lines: list[str] = []
    times = iter([0.0, *(sum(taken[: i + 1]) for i in range(len(taken)))])
    stages = [Stage('field', 100.0), Stage('network', 50.0), Stage('map', 10.0)]
    left = TimeLeft(stages, lines.append, lambda: next(times))
    for stage in stages[: len(taken) + 1]:
        left.begin(stage.name)
    return lines


def test_the_first_stage_says_how_fast_the_machine_is() -> None:
    assert say_all(300.0, 120.0) == [
        '--- 1 of 3: field; then network, map; about 2 min 40 s left in all',
        '--- 2 of 3: network; then map; about 3 min 00 s left in all',
        '--- 3 of 3: map; about 28.0 s left in all',
    ]


def test_a_stage_that_was_done_before_says_nothing() -> None:
    assert say_all(2.0)[1] == '--- 2 of 3: network; then map; about 1 min 00 s left in all'


@pytest.fixture(scope='module')
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    folder = tmp_path_factory.mktemp('time_left')
    return prepare_build(make_tiny_dataset(folder / 'data'), RECIPE, folder, device='cpu')


def test_work_that_grows_takes_longer_and_work_left_out_nothing(build: Build) -> None:
    def seconds(**changes) -> list[float]:
        recipe = replace(RECIPE, **changes)
        return [stage.seconds for stage in stages_of(replace(build, recipe=recipe))]

    usual = seconds()
    assert all(s > 0 for s in usual)
    longer = seconds(nerf_p=replace(RECIPE.nerf_p, steps=2 * RECIPE.nerf_p.steps))
    assert longer[0] > 1.2 * usual[0] and longer[1:] == usual[1:]
    assert seconds(landmarks=replace(RECIPE.landmarks, photos=0))[2:] == [0.0, 0.0]
    without = replace(RECIPE.aprnet, loss=replace(RECIPE.aprnet.loss, rvs=0.0))
    assert seconds(aprnet=without)[1] < usual[1]
