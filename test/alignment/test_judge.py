"""Which frames judge an alignment, and what they say."""

import pytest
import torch
from tiny_environment import circle_of_poses

from posemap_ros.alignment.judge import (
    Change,
    Gaps,
    PoseErrors,
    hold_out_places,
    share_shown,
)
from posemap_ros.geometry import rotation_error_deg, translation_error

STEP_M, STEP_DEG = 0.2, 10.0


def straight_drive(count: int, length_m: float) -> torch.Tensor:
    poses = torch.eye(4).repeat(count, 1, 1)
    poses[:, 0, 3] = torch.linspace(0.0, length_m, count)
    return poses


def apart(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Steps between all poses of one and of another set."""
    a, b = a[:, None], b[None]
    return translation_error(a, b) / STEP_M + rotation_error_deg(a, b) / STEP_DEG


@pytest.mark.parametrize(
    'poses', [straight_drive(100, 15.0), torch.from_numpy(circle_of_poses(200))]
)
def test_those_that_judge_are_other_places(poses: torch.Tensor) -> None:
    trained, held_out = hold_out_places(poses, STEP_M, STEP_DEG)
    assert not set(trained.tolist()) & set(held_out.tolist())
    assert len(held_out) == len(poses) // 5
    assert apart(poses[trained], poses[held_out]).min() >= 1.0
    assert len(trained) >= len(poses) // 2


def test_they_are_whole_stretches() -> None:
    _, held_out = hold_out_places(straight_drive(100, 30.0), STEP_M, STEP_DEG)
    assert (held_out.diff() > 1).sum() == 3  # four runs


def test_passing_the_same_place_twice_does_not_give_it_away() -> None:
    there_and_back = torch.cat([straight_drive(60, 10.0), straight_drive(60, 10.0).flip(0)])
    trained, held_out = hold_out_places(there_and_back, STEP_M, STEP_DEG)
    assert apart(there_and_back[trained], there_and_back[held_out]).min() >= 1.0


@pytest.mark.parametrize('count', [8, 9, 30, 33])
def test_where_all_is_one_place_half_of_it_is_left_to_train_on(count: int) -> None:
    trained, held_out = hold_out_places(straight_drive(count, 0.1), STEP_M, STEP_DEG)
    assert len(trained) >= (count + 1) // 2 and len(held_out) >= 2
    assert not set(trained.tolist()) & set(held_out.tolist())


def test_how_much_of_the_map_is_shown() -> None:
    """Where a frame was within five steps: one metre, or 50 degrees."""
    mapped = straight_drive(101, 10.0)
    assert share_shown(mapped, mapped, STEP_M, STEP_DEG) == 1.0
    corner = mapped[:11]  # the first metre; a second one is near
    assert share_shown(corner, mapped, STEP_M, STEP_DEG) == pytest.approx(0.2, abs=0.02)
    backwards = mapped.clone()
    backwards[:, 0, 0] = backwards[:, 2, 2] = -1.0
    assert share_shown(backwards, mapped, STEP_M, STEP_DEG) == 0.0
    assert share_shown(corner, mapped[:0], STEP_M, STEP_DEG) == 1.0


def errors(metres: torch.Tensor) -> PoseErrors:
    return PoseErrors(metres, torch.zeros(len(metres)))


def spread(typical: float, seed: int, count: int = 32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return typical * (0.3 * torch.randn(count, generator=generator)).exp()


@pytest.mark.parametrize(
    ('before', 'after', 'better', 'worse'),
    [
        (0.17, 0.06, True, False),
        (0.024, 0.054, False, True),  # the mapping drive, as one corner was learned
        (0.05, 0.05, False, False),
        (0.005, 0.009, False, False),  # as exact as labels are
    ],
)
def test_what_is_better_and_what_is_worse(before, after, better, worse) -> None:
    change = Change(errors(spread(before, 1)), errors(spread(after, 2)))
    assert (change.is_better, change.is_worse) == (better, worse)


def test_one_outlier_decides_nothing() -> None:
    before = spread(0.05, 1)
    after = before.clone()
    after[3] = 50.0
    assert not Change(errors(before), errors(after)).is_worse
    assert not Change(errors(after), errors(before)).is_better


def test_degrees_count_as_metres_do() -> None:
    before = PoseErrors(torch.full((20,), 0.02), torch.full((20,), 6.0))
    after = PoseErrors(torch.full((20,), 0.02), torch.full((20,), 1.0))
    assert Change(before, after).is_better and Change(after, before).is_worse


def test_gaps_must_shrink_by_more_than_nothing() -> None:
    gaps = Gaps(spread(0.3, 1))
    assert Change(gaps, Gaps(0.99 * gaps.amounts)).is_better
    assert not Change(gaps, Gaps(0.999 * gaps.amounts)).is_better
    assert not Change(gaps, gaps).is_better


def test_nothing_seen_says_nothing() -> None:
    nothing = errors(torch.empty(0))
    change = Change(nothing, nothing)
    assert len(change) == 0 and not change.is_better and not change.is_worse
