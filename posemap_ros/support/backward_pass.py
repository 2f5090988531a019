"""The forward and backward pass of a training step: as it is, or recorded once and replayed.

A step of APRNet with the recipe `fast` is 3000 operations that keep a GPU busy for 7 ms; to launch
them one by one takes 82 ms (docs/RESULTS.md). A CUDA graph launches all of them with one call.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from posemap_ros.support.distributed import world_size

# The losses of a batch, a dataclass of tensors, by their names.
Losses = Callable[[Any], dict[str, Tensor]]

_WARM_UPS = 3  # in which cuDNN chooses its algorithms


def backward_pass(losses: Losses, *modules: nn.Module) -> Losses:
    """What takes a batch, leaves the gradient of the sum of its losses in the parameters of the
    modules, and returns the losses, detached.

    Args:
        losses: of a batch, and of it and the modules alone.
        modules: all on one device.
    """

    def backward(batch: Any) -> dict[str, Tensor]:
        named = losses(batch)
        for module in modules:
            module.zero_grad(set_to_none=True)
        sum(named.values()).backward()
        return {name: loss.detach() for name, loss in named.items()}

    # What several processes average their gradients with cannot be recorded.
    recordable = next(modules[0].parameters()).is_cuda and world_size() == 1
    return RecordedPass(backward, losses, *modules) if recordable else backward


class RecordedPass:
    """Records the pass of the first batch of each shape, and replays it for those that follow.

    Args:
        otherwise: the pass as it is, for GPUs that cannot record it.
        losses, modules: see `backward_pass`.
    """

    def __init__(self, otherwise: Losses, losses: Losses, *modules: nn.Module) -> None:
        self._otherwise, self._losses = otherwise, losses
        self._parameters = [p for module in modules for p in module.parameters()]
        self._buffers = [b for module in modules for b in module.buffers()]
        self._recordings: dict[tuple[Any, ...], _Recording] = {}
        self._records = True

    def __call__(self, batch: Any) -> dict[str, Tensor]:
        """See `backward_pass`; the losses are overwritten by the next batch's."""
        shapes = tuple((name, tensor.shape) for name, tensor in _tensors(batch))
        if self._records and shapes not in self._recordings:
            # To record sees the batch some times more: running statistics must not.
            before = [buffer.clone() for buffer in self._buffers]
            try:
                self._recordings[shapes] = self._record(batch)
            except torch.OutOfMemoryError:
                raise
            except RuntimeError as error:
                self._records = False
                reason = str(error).splitlines()[0]
                print(f'this GPU records no training steps, so each takes longer ({reason})')
            for buffer, value in zip(self._buffers, before):
                buffer.copy_(value)
        recording = self._recordings.get(shapes)
        if recording is None:
            return self._otherwise(batch)
        for (_, kept), (_, new) in zip(_tensors(recording.batch), _tensors(batch)):
            kept.copy_(new)
        recording.graph.replay()
        for parameter, gradient in zip(self._parameters, recording.gradients):
            parameter.grad = gradient
        return recording.named

    def _record(self, batch: Any) -> _Recording:
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(_WARM_UPS):
                self._forget_gradients()
                sum(self._losses(batch).values()).backward()
        torch.cuda.current_stream().wait_stream(stream)
        self._forget_gradients()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            named = self._losses(batch)
            sum(named.values()).backward()
        gradients = [parameter.grad for parameter in self._parameters]
        return _Recording(graph, batch, {k: v.detach() for k, v in named.items()}, gradients)

    def _forget_gradients(self) -> None:
        for parameter in self._parameters:
            parameter.grad = None


@dataclasses.dataclass(frozen=True)
class _Recording:
    """A recorded pass, and where in memory it reads and writes."""

    graph: torch.cuda.CUDAGraph
    batch: Any
    named: dict[str, Tensor]
    gradients: list[Tensor | None]


def _tensors(value: Any, name: str = '') -> Iterator[tuple[str, Tensor]]:
    """All tensors of a dataclass and of those in it."""
    if isinstance(value, Tensor):
        yield name, value
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from _tensors(getattr(value, field.name), f'{name}.{field.name}')
