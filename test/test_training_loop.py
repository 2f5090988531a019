"""The training loop: a stopped and resumed run ends where an uninterrupted one does."""

import errno
import os
import pickle
from pathlib import Path

import pytest
import torch
from torch import nn

from posemap_ros.training_loop import InvalidCheckpoint, train


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
    assert [p.name for p in tmp_path.iterdir()] == ['stopped.pt']


def test_the_learning_rate_warms_up_and_decays(tmp_path: Path) -> None:
    rates = []
    parameter = nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.SGD([parameter], lr=2.0)

    def step(index: int, generator: torch.Generator) -> dict[str, float]:
        rates.append(optimiser.param_groups[0]['lr'])
        return {}

    train('test', 200, step, optimiser, {}, tmp_path / 'c.pt', seed=0, final_rate=0.1)
    assert rates[0] < 0.1 and max(rates) < 2.0 and rates.index(max(rates)) == 49
    assert rates[100] == pytest.approx(2.0 * (0.1 + 0.9 * 0.5))
    assert rates[-1] == pytest.approx(0.2, abs=0.01)


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
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1
