"""Training on several GPUs: torchrun starts one process for each, and DistributedDataParallel
averages their gradients.

Without torchrun every function here does nothing, and one process is the whole world.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

# The others wait while the first process renders, which can take hours.
PATIENCE = timedelta(days=1)

Value = TypeVar('Value')


@contextmanager
def process_group() -> Iterator[None]:
    """Join the processes that torchrun started together with this one, if it did."""
    if int(os.environ.get('WORLD_SIZE', 1)) == 1:
        yield
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ['LOCAL_RANK']))
    distributed.init_process_group(
        'nccl' if torch.cuda.is_available() else 'gloo', timeout=PATIENCE
    )
    try:
        yield
    finally:
        # What averaged gradients keeps the group's threads alive, and is in reference cycles.
        # Where such a thread outlives the interpreter, gloo aborts the process at its very end.
        gc.collect()
        distributed.destroy_process_group()


def rank() -> int:
    """Number of this process, from 0."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def world_size() -> int:
    """How many processes train together."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def is_first() -> bool:
    """Whether this process is the one that writes files and talks to the user."""
    return rank() == 0


def wait_for_all() -> None:
    """Return when every process has come here."""
    if distributed.is_initialized():
        distributed.barrier()


def same_for_all(value: Value) -> Value:
    """The first process's value, for a decision that all have to take alike."""
    if not distributed.is_initialized():
        return value
    values = [value]
    distributed.broadcast_object_list(values)
    return values[0]


def share_of(count: int) -> int:
    """How many of ``count`` rays or images each process takes in a step."""
    return max(1, count // world_size())


def data_parallel(loss: Callable[..., Any], *modules: nn.Module) -> Callable[..., Any]:
    """A loss function whose gradients to the modules' parameters are averaged over all processes.

    Args:
        loss: computes the loss on this process's share of a batch, with the modules.
        modules: hold every parameter that is trained.
    """
    if world_size() == 1:
        return loss
    # In some steps some losses are left out, and parameters that only they reach get no gradient.
    return DistributedDataParallel(_Loss(loss, modules), find_unused_parameters=True)


class _Loss(nn.Module):
    """DistributedDataParallel watches a module's forward pass, so the loss becomes one."""

    def __init__(self, loss: Callable[..., Any], modules: tuple[nn.Module, ...]) -> None:
        super().__init__()
        self.loss = loss
        self.parts = nn.ModuleList(modules)

    def forward(self, *arguments: Any) -> Any:
        return self.loss(*arguments)
