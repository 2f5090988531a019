"""The processor that networks run on: which one, at what precision, and what if its memory is
full.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch


class OutOfMemory(ValueError):
    """Something does not fit into the device's memory; says what to lower."""


def choose_device(name: str) -> torch.device:
    """The torch device for 'auto' or a device's name. 'auto' is CUDA if there is any, and under
    torchrun the GPU of this process.

    Raises:
        ValueError: there is no such device on this machine.
    """
    if name == 'auto':
        return torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f'device {name!r} cannot be used here: use cpu or auto ({error})'
        ) from error
    return device


def mixed_precision(device: torch.device) -> AbstractContextManager[object]:
    """bfloat16 for the matrix products and convolutions inside, on GPUs that have it.

    Only for networks: rays, rendering weights and poses need float32, which has eight more bits.
    """
    if device.type == 'cuda' and torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.autocast('cuda', dtype=torch.bfloat16)
    return nullcontext()


@contextmanager
def out_of_memory_means(way_out: str) -> Iterator[None]:
    """Turn an allocation that fails inside into one sentence that ends in ``way_out``.

    Raises:
        OutOfMemory: in its stead.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise OutOfMemory(f"the GPU's memory is too small for this: {way_out}") from error
    except RuntimeError as error:
        # What torch raises on a CPU has no class of its own.
        if "can't allocate memory" not in str(error):
            raise
        raise OutOfMemory(f'the main memory is too small for this: {way_out}') from error
    except MemoryError as error:
        raise OutOfMemory(f'the main memory is too small for this: {way_out}') from error
