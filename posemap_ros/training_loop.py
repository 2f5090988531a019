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

from posemap_ros.support.distributed import is_first, rank, wait_for_all
from posemap_ros.support.files import atomic_write
from posemap_ros.support.progress import progress_bar

CHECKPOINT_EVERY_S = 60.0
WARMUP_STEPS = 50
SHOW_EVERY = 10  # steps


class InvalidCheckpoint(ValueError):
    """A checkpoint that cannot be resumed from."""


class Stateful(Protocol):
    """What a checkpoint holds: modules, optimisers, and anything with the same two methods."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> Any: ...


def train(
    name: str,
    steps: int,
    step: Callable[[int, torch.Generator], Mapping[str, float]],
    optimiser: torch.optim.Optimizer,
    state: Mapping[str, Stateful],
    checkpoint: Path,
    seed: int,
    final_rate: float = 0.02,
) -> None:
    """Call ``step(index, generator)`` for each step, from the checkpoint on if there is one.

    Args:
        name: shown before the progress bar.
        steps: how many in all.
        step: does one optimisation step and returns figures to show. Its generator depends on the
            seed, the step and the process alone, so a resumed run draws what an uninterrupted one
            would have drawn.
        optimiser: its learning rates are warmed up, then decay along a half cosine to
            ``final_rate`` of themselves.
        state: what to save besides the optimiser, by name.
        checkpoint: file that is replaced once a minute, at the end, and when the training is
            stopped. TensorBoard finds its curves in the same folder.
        seed: of the generators.
    """
    state = {**state, 'optimiser': optimiser}
    wait_for_all()
    start = load_checkpoint(checkpoint, state)
    if start >= steps:
        return
    rates = [group.setdefault('base_lr', group['lr']) for group in optimiser.param_groups]
    saved = time.monotonic()
    done = start
    with progress_bar(None, name, steps, 'step', start) as bar, _curves(checkpoint, start) as plot:
        try:
            for index in range(start, steps):
                decay = 0.5 * (1.0 + math.cos(math.pi * index / steps))
                factor = min(1.0, (index + 1) / WARMUP_STEPS) * (
                    final_rate + (1.0 - final_rate) * decay
                )
                for group, rate in zip(optimiser.param_groups, rates):
                    group['lr'] = rate * factor
                draws = (seed * 1_000_003 + index) * 1009 + rank()
                figures = step(index, torch.Generator().manual_seed(draws))
                done = index + 1
                bar.update()
                if index % SHOW_EVERY == 0:
                    bar.set_postfix({k: f'{v:.3g}' for k, v in figures.items()}, refresh=False)
                    plot(index, figures)
                if is_first() and time.monotonic() - saved > CHECKPOINT_EVERY_S:
                    save_checkpoint(checkpoint, done, state)
                    saved = time.monotonic()
        finally:
            if is_first() and done > start:
                save_checkpoint(checkpoint, done, state)
    wait_for_all()


@contextmanager
def _curves(checkpoint: Path, start: int) -> Iterator[Callable[[int, Mapping[str, float]], None]]:
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

        def plot(index: int, figures: Mapping[str, float]) -> None:
            for name, value in figures.items():
                writer.add_scalar(f'{checkpoint.stem}/{name.replace(" ", "_")}', value, index)

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
