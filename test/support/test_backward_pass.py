"""Forward and backward passes leave the same gradients, recorded or not."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from posemap_ros.support.backward_pass import RecordedPass, backward_pass

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason='needs an NVIDIA GPU')


@dataclass(frozen=True)
class Target:
    values: Tensor


@dataclass(frozen=True)
class Batch:
    inputs: Tensor
    target: Target | None


def network(device: str) -> nn.Module:
    torch.manual_seed(0)
    layers = nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 2), nn.Linear(2, 2)
    layers[-1].requires_grad_(False)
    return nn.Sequential(*layers).to(device)


def losses_of(net: nn.Module):
    def losses(batch: Batch) -> dict[str, Tensor]:
        out = net(batch.inputs)
        named = {'size': out.square().mean()}
        if batch.target is not None:
            named['distance'] = (out - batch.target.values).abs().sum()
        return named

    return losses


def batches(device: str) -> list[Batch]:
    dice = torch.Generator().manual_seed(1)
    made = []
    for count, has_target in ((4, False), (4, False), (4, True), (6, True), (4, True), (4, False)):
        inputs, values = (torch.randn(count, n, generator=dice).to(device) for n in (3, 2))
        made.append(Batch(inputs, Target(values) if has_target else None))
    return made


def check(backward, net: nn.Module, device: str, tolerance: float) -> None:
    naive = network(device)
    for batch in batches(device):
        named = backward(batch)
        expected = losses_of(naive)(batch)
        naive.zero_grad()
        sum(expected.values()).backward()
        assert set(named) == set(expected)
        for name, loss in named.items():
            assert not loss.requires_grad
            torch.testing.assert_close(loss, expected[name].detach(), rtol=tolerance, atol=1e-6)
        for ours, theirs in zip(net.parameters(), naive.parameters()):
            assert (ours.grad is None) == (theirs.grad is None)
            if ours.grad is not None:
                torch.testing.assert_close(ours.grad, theirs.grad, rtol=tolerance, atol=1e-6)
        for ours, theirs in zip(net.buffers(), naive.buffers()):
            torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=1e-6)


def test_gradients_are_those_of_the_sum_of_the_losses() -> None:
    net = network('cpu')
    check(backward_pass(losses_of(net), net), net, 'cpu', 0.0)


@needs_cuda
def test_a_recorded_pass_is_the_pass() -> None:
    """Of batches of several shapes in turn; running statistics see each batch once."""
    net = network('cuda')
    recorded = backward_pass(losses_of(net), net)
    assert isinstance(recorded, RecordedPass)
    check(recorded, net, 'cuda', 1e-4)


def test_what_cannot_be_recorded_is_done_as_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(self: RecordedPass, batch: Batch) -> None:
        raise RuntimeError('operation not permitted when stream is capturing')

    monkeypatch.setattr(RecordedPass, '_record', fail)
    net = network('cpu')
    losses = losses_of(net)
    check(RecordedPass(backward_pass(losses, net), losses, net), net, 'cpu', 0.0)
    assert capsys.readouterr().out.count('records no training steps') == 1
