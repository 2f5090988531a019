"""The training loop: a stopped and resumed run ends where an uninterrupted one does."""

import errno
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn

from posemap_ros.recipe import PlateauRecipe, ScheduleRecipe
from posemap_ros.training_loop import InvalidCheckpoint, Plateau, rate_factor, train


def run(checkpoint: Path, stop_at: int | None = None, steps: int = 30) -> torch.Tensor:
    """Fit a line to noise; the noise comes from the step's generator."""
    torch.manual_seed(0)
    model = nn.Linear(3, 1)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.05)

    def step(index: int, generator: torch.Generator) -> dict[str, float]:
        if index == stop_at:
            raise KeyboardInterrupt
        loss = (model(torch.randn(8, 3, generator=generator)) - 1.0).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return {'loss': loss.item()}

    train('test', steps, step, optimiser, {'model': model}, checkpoint, seed=3)
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_resuming_changes_nothing(tmp_path: Path) -> None:
    whole = run(tmp_path / 'whole.pt')
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / 'stopped.pt', stop_at=11)
    assert torch.equal(run(tmp_path / 'stopped.pt'), whole)


def test_a_finished_training_is_not_repeated(tmp_path: Path) -> None:
    whole = run(tmp_path / 'whole.pt')
    # Would raise if it made a step.
    assert torch.equal(run(tmp_path / 'whole.pt', stop_at=0), whole)


def test_nothing_half_written_is_left(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / 'stopped.pt', stop_at=5)
    left = sorted(p.name for p in tmp_path.iterdir())
    assert left[-1] == 'stopped.pt' and all('tfevents' in name for name in left[:-1])


def test_killed_and_resumed_it_ends_where_it_would_have(tmp_path: Path) -> None:
    """kill -9 in the middle of a step: what was saved is whole, and the rest is done again."""
    whole = run(tmp_path / 'whole.pt')
    code = (
        'import os, signal, sys; from pathlib import Path; from posemap_ros import training_loop; '
        'training_loop.CHECKPOINT_EVERY_S = 0.0; import test_training_loop as here; '
        'draw = here.torch.randn; calls = []; '
        'here.torch.randn = lambda *a, **k: (calls.append(1), len(calls) > 17 '
        'and os.kill(os.getpid(), signal.SIGKILL), draw(*a, **k))[-1]; '
        'here.run(Path(sys.argv[1]))'
    )
    command = [sys.executable, '-c', code, str(tmp_path / 'killed.pt')]
    done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert torch.load(tmp_path / 'killed.pt', weights_only=True)['step'] == 17
    assert torch.equal(run(tmp_path / 'killed.pt'), whole)


def test_tensorboard_reads_the_curves(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / 'line.pt', stop_at=15)
    run(tmp_path / 'line.pt')
    curves = EventAccumulator(str(tmp_path)).Reload()
    assert curves.Tags()['scalars'] == ['line/loss']
    steps = [event.step for event in curves.Scalars('line/loss')]
    assert steps == [0, 10, 20]


def test_the_learning_rate_warms_up_and_decays(tmp_path: Path) -> None:
    rates = []
    parameter = nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.SGD([parameter], lr=2.0)

    def step(index: int, generator: torch.Generator) -> dict[str, float]:
        rates.append(optimiser.param_groups[0]['lr'])
        return {}

    schedule = ScheduleRecipe(final_rate=0.1)
    train('test', 200, step, optimiser, {}, tmp_path / 'c.pt', seed=0, schedule=schedule)
    assert rates[0] < 0.1 and max(rates) < 2.0 and rates.index(max(rates)) == 49
    assert rates[100] == pytest.approx(2.0 * (0.1 + 0.9 * 0.5))
    assert rates[-1] == pytest.approx(0.2, abs=0.01)


def test_schedules_go_where_they_say() -> None:
    def rates(**schedule) -> list[float]:
        return [rate_factor(i, 101, ScheduleRecipe(**schedule)) for i in range(101)]

    assert rates(warmup_steps=0, decay='none') == [1.0] * 101
    straight = rates(warmup_steps=0, decay='exponential', final_rate=0.1)
    assert straight[0] == 1.0 and straight[100] == pytest.approx(0.1, rel=0.03)
    assert straight[50] / straight[0] == pytest.approx(straight[100] / straight[50])
    warm = rates(warmup_steps=4, decay='none')
    assert warm[:5] == [0.25, 0.5, 0.75, 1.0, 1.0]


class Descent:
    """A training whose held-out error is prescribed, one value for each check."""

    def __init__(self, errors: list[float], recipe: PlateauRecipe, checkpoint: Path) -> None:
        self.errors, self.recipe, self.checkpoint = errors, recipe, checkpoint
        self.rates: list[float] = []

    def run(self, stop_at: int | None = None) -> list[float]:
        """The learning rates of the steps that were made."""
        steps = 5 * self.recipe.checks
        optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)

        def step(index: int, generator: torch.Generator) -> dict[str, float]:
            if index == stop_at:
                raise KeyboardInterrupt
            self.rates.append(optimiser.param_groups[0]['lr'])
            return {}

        plateau = Plateau(self.recipe, steps, lambda: self.errors[len(self.rates) // 5])
        schedule = ScheduleRecipe(warmup_steps=0, decay='none')
        train('test', steps, step, optimiser, {}, self.checkpoint, 0, schedule, plateau)
        return self.rates


def test_without_progress_the_rate_falls_and_the_training_ends(tmp_path: Path) -> None:
    """Ten checks, one every five steps; the rate halves after two without progress, and after four
    it is over.
    """
    recipe = PlateauRecipe(checks=10, patience=0.2, factor=0.5, stop=0.4)
    errors = [9.0, 5.0, 4.0, 4.5, 4.2, 3.0, 3.1, 3.0, 3.3, 3.2, 0.0]
    #        start    best       fall best           fall      over
    rates = Descent(errors, recipe, tmp_path / 'c.pt').run()
    assert rates == [1.0] * 20 + [0.5] * 15 + [0.25] * 10
    # It is over for good.
    assert Descent(errors, recipe, tmp_path / 'c.pt').run() == []


def test_a_plateau_survives_a_stop(tmp_path: Path) -> None:
    recipe = PlateauRecipe(checks=10, patience=0.2, factor=0.5)
    errors = [9.0, 5.0, 4.0, 4.5, 4.2, 4.4, 4.3, 4.1, 4.1, 4.0, 4.0]
    whole = Descent(errors, recipe, tmp_path / 'whole.pt').run()
    assert len(whole) == 50 and whole[-1] == 0.125
    stopped = Descent(errors, recipe, tmp_path / 'stopped.pt')
    with pytest.raises(KeyboardInterrupt):
        stopped.run(stop_at=13)
    assert stopped.run() == whole


def test_by_default_nothing_follows_from_the_held_out_error(tmp_path: Path) -> None:
    rates = Descent([1.0] * 11, PlateauRecipe(), tmp_path / 'c.pt').run()
    assert rates == [1.0] * 50


@pytest.mark.parametrize('damage', ['truncated', 'text', 'empty', 'code', 'other network'])
def test_a_damaged_checkpoint_is_refused(tmp_path: Path, damage: str) -> None:
    path = tmp_path / 'c.pt'
    run(path, steps=3)
    if damage == 'truncated':
        path.write_bytes(path.read_bytes()[:300])
    elif damage == 'text':
        path.write_text('hello')
    elif damage == 'empty':
        path.write_bytes(b'')
    elif damage == 'code':
        path.write_bytes(pickle.dumps(print))
    else:
        torch.save({'step': 1, 'model': {}, 'optimiser': {}}, path)
    with pytest.raises(InvalidCheckpoint, match='c.pt.*remove it'):
        run(path)


def test_a_full_disk_is_said_and_the_last_checkpoint_stays(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / 'c.pt'
    run(path, steps=3)
    before = path.read_bytes()

    def full(self: Path, data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))

    monkeypatch.setattr(Path, 'write_bytes', full)
    with pytest.raises(OSError, match='No space left'):
        run(path, steps=9)
    assert path.read_bytes() == before and not list(tmp_path.glob('*.partial*'))


def milestones(checkpoint: Path, milestone: int, stop_at: int | None = None) -> list[int]:
    """Steps before which the milestone was passed, in a training of ten."""
    passed, done = [], []
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)

    def step(index: int, generator: torch.Generator) -> dict[str, float]:
        if index == stop_at:
            raise KeyboardInterrupt
        done.append(index)
        return {}

    def judge() -> None:
        passed.append(done[-1] + 1 if done else None)

    train('test', 10, step, optimiser, {}, checkpoint, 0, milestone=(milestone, judge))
    return passed


@pytest.mark.parametrize('milestone', [1, 7, 10])
def test_a_milestone_is_passed_once_before_its_step_or_at_the_end(
    tmp_path: Path, milestone: int
) -> None:
    assert milestones(tmp_path / 'c.pt', milestone) == [milestone]
    # A run that was stopped in what it does at the end does it again.
    assert milestones(tmp_path / 'c.pt', milestone) == ([None] if milestone == 10 else [])


def test_a_milestone_is_passed_by_whichever_run_comes_there(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        milestones(tmp_path / 'before.pt', 7, stop_at=5)
    assert milestones(tmp_path / 'before.pt', 7) == [7]
    # Stopped in the very step: what was found out then is found out again.
    with pytest.raises(KeyboardInterrupt):
        milestones(tmp_path / 'at.pt', 7, stop_at=7)
    assert milestones(tmp_path / 'at.pt', 7) == [None]
    with pytest.raises(KeyboardInterrupt):
        milestones(tmp_path / 'after.pt', 7, stop_at=8)
    assert milestones(tmp_path / 'after.pt', 7) == []


def test_tensorboard_shows_images_ten_times(tmp_path: Path) -> None:
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    shown = []

    def show() -> dict[str, float | torch.Tensor]:
        shown.append(1)
        return {'grey level': len(shown) / 10, 'grey': torch.full((4, 6, 3), len(shown) / 10)}

    train('test', 40, lambda *_: {}, optimiser, {}, tmp_path / 'c.pt', 0, show=show)
    curves = EventAccumulator(str(tmp_path), size_guidance={'images': 0}).Reload()
    images = curves.Images('c/grey')
    assert [image.step for image in images] == list(range(0, 40, 4))
    assert (images[0].width, images[0].height) == (6, 4)
    assert [event.value for event in curves.Scalars('c/grey_level')] == pytest.approx(
        [i / 10 for i in range(1, 11)]
    )
