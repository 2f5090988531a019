"""The loop that all trainings share: schedule, progress, checkpoints, TensorBoard, and resuming
after any kind of stop.
"""

from __future__ import annotations

import io
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Protocol

import torch
from torch import Tensor

from posemap_ros.recipe import PlateauRecipe, ScheduleRecipe
from posemap_ros.support.distributed import is_first, rank, same_for_all, wait_for_all
from posemap_ros.support.files import atomic_write
from posemap_ros.support.progress import progress_bar

CHECKPOINT_EVERY_S = 60.0
SHOW_EVERY = 10  # steps
SHOWN_TIMES = 10  # what takes longer to make
USUAL_SCHEDULE = ScheduleRecipe()


class InvalidCheckpoint(ValueError):
    """A checkpoint that cannot be resumed from."""


class Stateful(Protocol):
    """What a checkpoint holds: modules, optimisers, and anything with the same two methods."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> Any: ...


class Plateau:
    """The error of a training's held-out frames, and what follows when it gets no better: the
    learning rate falls, and at last the training ends.

    Args:
        recipe: how often it is looked at, and what follows when.
        steps: of the training, unless it ends before.
        measure: the error as it is now.
    """

    _kept = ('error', 'factor', 'over', '_best', '_best_after', '_waits_since')

    def __init__(self, recipe: PlateauRecipe, steps: int, measure: Callable[[], float]) -> None:
        self._recipe, self._steps, self._measure = recipe, steps, measure
        self._every = max(1, steps // recipe.checks)
        self.error = measure()
        self.factor = 1.0  # of the learning rate
        self.over = False
        self._best = math.inf
        self._best_after = self._waits_since = 0  # steps

    def after(self, done: int) -> None:
        """Look at the error if it is time to, when so many steps are done."""
        if done % self._every and done != self._steps:
            return
        recipe = self._recipe
        self.error = same_for_all(self._measure())
        if self.error < self._best:
            self._best, self._best_after, self._waits_since = self.error, done, done
        elif done - self._waits_since >= recipe.patience * self._steps:
            self.factor *= recipe.factor
            self._waits_since = done
        without = done - self._best_after
        self.over = recipe.stop < 1.0 and without >= recipe.stop * self._steps

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {name: getattr(self, name) for name in self._kept}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        for name in self._kept:
            setattr(self, name, state[name])


def rate_factor(index: int, steps: int, schedule: ScheduleRecipe) -> float:
    """The learning rate in a step, as a share of what it is at its highest."""
    warm = min(1.0, (index + 1) / schedule.warmup_steps) if schedule.warmup_steps else 1.0
    final = schedule.final_rate
    if schedule.decay == 'cosine':
        return warm * (final + (1.0 - final) * (0.5 * (1.0 + math.cos(math.pi * index / steps))))
    if schedule.decay == 'exponential':
        return warm * final ** (index / steps)
    return warm


def train(
    name: str,
    steps: int,
    step: Callable[[int, torch.Generator], Mapping[str, float | Tensor]],
    optimiser: torch.optim.Optimizer,
    state: Mapping[str, Stateful],
    checkpoint: Path,
    seed: int,
    schedule: ScheduleRecipe = USUAL_SCHEDULE,
    plateau: Plateau | None = None,
    milestone: tuple[int, Callable[[], None]] | None = None,
    show: Callable[[], Mapping[str, float | Tensor]] | None = None,
) -> None:
    """Call ``step(index, generator)`` for each step, from the checkpoint on if there is one.

    Args:
        name: shown before the progress bar.
        steps: how many in all.
        step: does one optimisation step and returns figures to show; tensors, where to wait for
            them would keep a GPU idle. Its generator depends on the seed, the step and the process
            alone, so a resumed run draws what an uninterrupted one would have drawn.
        optimiser: its learning rates are those at their highest.
        state: what to save besides the optimiser, by name.
        checkpoint: file that is replaced once a minute, at the end, and when the training is
            stopped. TensorBoard finds its curves in the same folder.
        seed: of the generators.
        schedule: of the learning rates.
        plateau: the error of held-out frames, which is shown, too, and may change the schedule.
        milestone: a step, and what to call before it, or at the end if that comes sooner, and then
            by each run that finds the training finished. From that step on held-out frames are
            trained on, too, so the plateau is not asked any more.
        show: what TensorBoard shows some ten times: figures, and images [H, W, 3] in [0, 1].
    """
    held_out_until, judge = milestone or (steps, lambda: None)
    state = {**state, 'optimiser': optimiser}
    if plateau is not None:
        state['plateau'] = plateau
    wait_for_all()
    start = load_checkpoint(checkpoint, state)
    if start >= steps or (plateau is not None and plateau.over):
        if start <= held_out_until:
            judge()  # again: the run before this one may have been stopped in it
        return
    rates = [group.setdefault('base_lr', group['lr']) for group in optimiser.param_groups]
    saved = time.monotonic()
    done = start
    with progress_bar(None, name, steps, 'step', start) as bar, _curves(checkpoint, start) as plot:
        try:
            for index in range(start, steps):
                if index == held_out_until:
                    judge()
                factor = rate_factor(index, steps, schedule)
                if plateau is not None:
                    factor *= plateau.factor
                for group, rate in zip(optimiser.param_groups, rates):
                    group['lr'] = rate * factor
                draws = (seed * 1_000_003 + index) * 1009 + rank()
                figures = step(index, torch.Generator().manual_seed(draws))
                done = index + 1
                if plateau is not None and done <= held_out_until:
                    plateau.after(done)
                bar.update()
                if index % SHOW_EVERY == 0:
                    figures = {k: float(v) for k, v in figures.items()}
                    if plateau is not None:
                        figures['held out m'] = plateau.error
                    bar.set_postfix({k: f'{v:.3g}' for k, v in figures.items()}, refresh=False)
                    plot(index, figures)
                if show is not None and index % max(1, steps // SHOWN_TIMES) == 0 and is_first():
                    plot(index, show())
                if is_first() and time.monotonic() - saved > CHECKPOINT_EVERY_S:
                    save_checkpoint(checkpoint, done, state)
                    saved = time.monotonic()
                if plateau is not None and plateau.over:
                    break
            if done <= held_out_until:
                judge()
        finally:
            if is_first() and done > start:
                save_checkpoint(checkpoint, done, state)
    if done < steps and is_first():
        print(f'{name}: the held-out error gets no better, so {done} of {steps} steps are enough')
    wait_for_all()


@contextmanager
def _curves(
    checkpoint: Path, start: int
) -> Iterator[Callable[[int, Mapping[str, float | Tensor]], None]]:
    """Yields what writes a step's figures for TensorBoard, beside the checkpoint."""
    if not is_first():
        yield lambda index, figures: None
        return
    # Slow to import, and nothing but a training needs it.
    from torch.utils.tensorboard import SummaryWriter

    # What a killed run wrote after its last checkpoint is done again: purge_step hides the first.
    with SummaryWriter(
        checkpoint.parent, filename_suffix=f'.{checkpoint.stem}', purge_step=start
    ) as writer:

        def plot(index: int, figures: Mapping[str, float | Tensor]) -> None:
            for name, value in figures.items():
                tag = f'{checkpoint.stem}/{name.replace(" ", "_")}'
                if isinstance(value, Tensor):
                    writer.add_image(tag, value, index, dataformats='HWC')
                else:
                    writer.add_scalar(tag, value, index)

        yield plot


def save_checkpoint(path: Path, step: int, state: Mapping[str, Stateful]) -> None:
    """Write the states and the number of steps done, atomically."""
    # Through memory: torch.save to a full disk raises something that is no OSError.
    buffer = io.BytesIO()
    torch.save({'step': step, **{name: part.state_dict() for name, part in state.items()}}, buffer)
    with atomic_write(path) as temporary:
        temporary.write_bytes(buffer.getbuffer())


def load_checkpoint(path: Path, state: Mapping[str, Stateful]) -> int:
    """Restore the states, if the file is there; returns the number of steps done.

    Raises:
        InvalidCheckpoint: the file is damaged, or of another network.
    """
    if not path.exists():
        return 0
    try:
        # weights_only: tensors and plain containers, never code.
        saved = torch.load(path, weights_only=True, map_location='cpu')
        for name, part in state.items():
            part.load_state_dict(saved[name])
        return int(saved['step'])
    except (RuntimeError, KeyError, ValueError, TypeError, EOFError, UnpicklingError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InvalidCheckpoint(
            f'{path} cannot be resumed from ({reason}): remove it to begin this stage anew'
        ) from error
