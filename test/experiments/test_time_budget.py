"""How much of a schedule fits: from curves whose times are prescribed."""

from dataclasses import replace
from pathlib import Path

import pytest
from tiny_environment import RECIPE
from torch.utils.tensorboard import SummaryWriter

from posemap_ros.experiments.time_budget import Costs, NotEnoughTime, scaled, short_run
from posemap_ros.recipe import Recipe

VIEWS = replace(RECIPE.aprnet.views, redraw_steps=700)
PLATEAU = replace(RECIPE.aprnet.plateau, checks=30)
WHOLE = replace(
    RECIPE,
    nerf_p=replace(RECIPE.nerf_p, steps=10_000, pose_steps=1000),
    aprnet=replace(RECIPE.aprnet, steps=2100, views=VIEWS, plateau=PLATEAU),
)


def curve(work: Path, stem: str, step_s: float, late: dict[int, float]) -> None:
    """A training of 80 steps; before those in `late` something else took a while."""
    folder = work / f'{stem}-0123'
    now = 1000.0
    with SummaryWriter(str(folder), filename_suffix=f'.{stem}') as writer:
        for index in range(80):
            now += step_s + late.get(index, 0.0)
            if index % 10 == 0:
                writer.add_scalar(f'{stem}/loss', 0.0, index, walltime=now)


def test_costs_are_read_off_the_curves_of_a_short_run(tmp_path: Path) -> None:
    """The first step, whose round of views belongs to what is around, does not count."""
    curve(tmp_path, 'views', 0.01, {0: 5.0})
    curve(tmp_path, 'posemap', 0.02, {0: 5.0})
    # The error is looked at after 40 steps, new views are drawn before the step 60.
    curve(tmp_path, 'aprnet', 0.1, {0: 5.0, 39: 0.5, 60: 7.0})
    costs = Costs.of(WHOLE, tmp_path, 60.0, alignment=300.0, around_alignment=20.0)
    assert costs.nerf_p == pytest.approx(10_000 * 0.01 + 1000 * 0.02, rel=1e-3)
    assert costs.aprnet == pytest.approx(2100 * 0.1 + 30 * 0.5 + 3 * 7.0, rel=1e-3)
    assert costs.around == pytest.approx(60.0 - 80 * 0.13 - 7.5, rel=1e-3)
    assert (costs.alignment, costs.around_alignment) == (300.0, 20.0)


def test_the_share_fills_the_time() -> None:
    costs = Costs(nerf_p=100.0, aprnet=50.0, alignment=25.0, around=10.0, around_alignment=5.0)
    # 2 fields, 6 networks, 4 alignments: 600 s of steps, and 80 s around them.
    assert costs.share(230.0, 2, 6, 4) == pytest.approx(0.25)
    assert costs.share(10_000.0, 2, 6, 4) == 1.0
    with pytest.raises(NotEnoughTime, match='0.022 hours, and 0.019 are left: give more'):
        costs.share(70.0, 2, 6, 4)
    with pytest.raises(NotEnoughTime, match='and 0 are left'):
        costs.share(-5.0, 2, 6, 4)


def counts(recipe: Recipe) -> tuple[int, ...]:
    nerf, aprnet = recipe.nerf_p, recipe.aprnet
    return (
        nerf.steps,
        nerf.pose_steps,
        aprnet.steps,
        aprnet.plateau.checks,
        aprnet.views.redraw_steps,
    )


def test_a_scaled_recipe_has_fewer_steps_and_nothing_else_changes() -> None:
    half = scaled(WHOLE, 1.0, 0.5)
    assert counts(half) == (5000, 500, 1050, 15, 700)
    assert scaled(WHOLE, 1.0, 1.0) == WHOLE
    aprnet = replace(half.aprnet, steps=2100, plateau=PLATEAU)
    nerf = replace(half.nerf_p, steps=10_000, pose_steps=1000)
    assert replace(half, aprnet=aprnet, nerf_p=nerf) == WHOLE


def test_fewer_frames_are_as_many_epochs() -> None:
    assert counts(scaled(WHOLE, 0.1, 1.0)) == (1000, 100, 210, 30, 70)


def test_there_is_always_a_step_and_some_checks() -> None:
    assert counts(scaled(WHOLE, 0.1, 1e-6)) == (1, 1, 1, 10, 70)
    assert scaled(RECIPE, 0.5, 0.5).aprnet.views.redraw_steps == 0


def test_each_step_of_a_short_run_costs_what_any_does() -> None:
    short = short_run(WHOLE)
    assert counts(short) == (80, 80, 80, 2, 60)
    assert short.aprnet.rendering_losses_from == 0.0
    assert replace(short.aprnet, steps=2100).batch == WHOLE.aprnet.batch
