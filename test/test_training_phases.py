"""Frames held out in blocks, and when they join."""

import pytest
import torch

from posemap_ros.training_phases import Phases


@pytest.mark.parametrize('count', [5, 20, 101, 720])
def test_every_frame_is_either_seen_or_held_out_and_at_last_all_are_seen(count: int) -> None:
    phases = Phases.of(count, 0.05, 200, 0.85)
    assert sorted([*phases.seen.tolist(), *phases.held_out.tolist()]) == list(range(count))
    assert len(phases.held_out) == max(4, round(0.05 * count))
    assert torch.equal(phases.frames(0), phases.seen)
    assert torch.equal(phases.frames(169), phases.seen)
    assert sorted(phases.frames(170).tolist()) == list(range(count))


def test_blocks_are_spread_over_the_drive() -> None:
    held_out = Phases.of(800, 0.05, 1, 1.0).held_out
    starts = held_out[torch.cat([torch.tensor([True]), held_out.diff() > 1])]
    assert starts.tolist() == [95, 295, 495, 695]
    assert len(held_out) == 40


def test_they_can_be_held_out_to_the_end() -> None:
    phases = Phases.of(100, 0.1, 50, 1.0)
    assert torch.equal(phases.frames(49), phases.seen)
