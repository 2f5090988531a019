"""The device: absent ones are named, a full memory is answered, CPUs stay at full precision."""

import pytest
import torch

from posemap_ros.support.device import (
    OutOfMemory,
    choose_device,
    mixed_precision,
    out_of_memory_means,
)


def test_an_absent_device_is_named() -> None:
    with pytest.raises(ValueError, match='tpu'):
        choose_device('tpu')


def test_a_full_memory_is_one_sentence_with_the_way_out() -> None:
    with pytest.raises(OutOfMemory, match='main memory is too small.*lower the batch'):
        with out_of_memory_means('lower the batch'):
            torch.empty(1 << 50, dtype=torch.uint8)


def test_a_full_gpu_is_told_from_a_full_main_memory() -> None:
    with pytest.raises(OutOfMemory, match="GPU's memory"), out_of_memory_means('lower the batch'):
        raise torch.OutOfMemoryError('CUDA out of memory. Tried to allocate 2.00 GiB')


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(RuntimeError, match='shapes') as caught, out_of_memory_means('x'):
        torch.ones(2, 3) @ torch.ones(2, 3)
    assert not isinstance(caught.value, OutOfMemory)


def test_a_cpu_computes_in_full_precision() -> None:
    with mixed_precision(torch.device('cpu')):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32
