"""Training of APRNet: what moves, what stays, and that an option changes its own loss alone."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_environment import CAMERA, RECIPE, circle_of_poses, photograph

from posemap_ros.aprnet.network import APRNet
from posemap_ros.aprnet.renders import PosedViews
from posemap_ros.aprnet.trainer import train_aprnet
from posemap_ros.aprnet.view_source import ViewSource
from posemap_ros.environment import Environment, make_aprnet
from posemap_ros.nerf_p.nerf_p import NeRFP
from posemap_ros.nerf_p.scene import SceneFrame
from posemap_ros.recipe import AprRecipe, LossWeights, PlateauRecipe
from posemap_ros.training_phases import Phases

POSES = torch.from_numpy(circle_of_poses(12)).float()
PHOTOS = PosedViews(
    torch.stack([torch.from_numpy(photograph(p.double().numpy())) for p in POSES]), POSES
)
# All losses from the first step on.
BASE = replace(RECIPE.aprnet, steps=2, rendering_losses_from=0.0)


Train = Callable[[AprRecipe], Path]


@pytest.fixture(scope='module')
def nerf(pristine_environment: Path) -> NeRFP:
    return Environment.load(pristine_environment).load_nerf_p()


def untrained() -> APRNet:
    torch.manual_seed(0)
    return make_aprnet(SceneFrame.from_poses(POSES), CAMERA, BASE)


@pytest.fixture(scope='module')
def train(nerf: NeRFP, tmp_path_factory: pytest.TempPathFactory) -> Train:
    """Trains by a recipe, once for all tests; gives the checkpoint."""
    done: dict[AprRecipe, Path] = {}

    def checkpoint(recipe: AprRecipe) -> Path:
        if recipe not in done:
            folder = tmp_path_factory.mktemp('aprnet')
            (folder / 'renders').mkdir()
            source = ViewSource(nerf, PHOTOS, CAMERA, recipe.views, 0, folder / 'renders')
            phases = Phases(torch.arange(9), torch.arange(9, 12), recipe.steps)
            path = folder / 'aprnet.pt'
            train_aprnet(untrained(), source, phases, recipe, 0, path, lambda: None)
            done[recipe] = folder / 'aprnet.pt'
        return done[recipe]

    return checkpoint


def weights(checkpoint: Path) -> dict[str, torch.Tensor]:
    return torch.load(checkpoint, weights_only=True)['net']


def same(a: Path, b: Path) -> bool:
    pairs = zip(weights(a).values(), weights(b).values())
    return all(torch.equal(x, y) for x, y in pairs)


def test_only_what_is_trained_moves(nerf: NeRFP, train: Train) -> None:
    field = {k: v.clone() for k, v in nerf.state_dict().items()}
    before = untrained().state_dict()
    after = weights(train(replace(BASE, batch=6)))  # not trained for another test before
    assert all(torch.equal(v, field[k]) for k, v in nerf.state_dict().items())
    assert all(p.grad is None for p in nerf.parameters())
    moved = {k for k, v in after.items() if not torch.equal(v, before[k])}
    for part in ('backbone', 'head', 'adapters'):
        assert any(k.startswith(part) for k in moved), part
    net = untrained()
    net.backbone.freeze(BASE.frozen_stages)
    frozen = {f'backbone.{k}' for k, p in net.backbone.named_parameters() if not p.requires_grad}
    assert frozen and not frozen & moved


@pytest.mark.parametrize(
    ('option', 'loss'),
    [
        ({'triplet_distance': 'width'}, 'image'),
        ({'posemap_features': 'trunk'}, 'posemap'),
        ({'rvs_posemap_distance': 'l2'}, 'posemap'),
        ({'rvs_posemap_distance': 'l2'}, 'rvs'),
        ({'pose_weighting': 'learned'}, 'pose'),
        ({'pose_reduction': 'mean'}, 'pose'),
        ({'supervise_counterparts': True}, 'image'),
    ],
)
def test_an_option_changes_its_loss_and_nothing_else(
    train: Train, option: dict[str, str], loss: str
) -> None:
    default, without = train(BASE), replace(BASE, loss=replace(LossWeights(), **{loss: 0.0}))
    assert not same(default, train(replace(BASE, **option)))
    assert not same(default, train(without))
    assert same(train(without), train(replace(without, **option)))


def test_gradients_are_shortened_only_where_there_is_a_limit(train: Train) -> None:
    # Adam does not see a common factor: what is shortened moves as far, but not the same way.
    default = train(BASE)
    assert same(default, train(replace(BASE, max_gradient_norm=10.0)))
    free, short = (train(replace(BASE, max_gradient_norm=norm)) for norm in (0.0, 1e-6))
    assert not same(free, short)
    assert same(free, train(replace(BASE, max_gradient_norm=1e6)))


def test_a_training_ends_when_its_held_out_error_gets_no_better(train: Train) -> None:
    """At a learning rate of 0 it never does: looked at every two steps, it is over six steps after
    the first time.
    """
    still = replace(
        BASE,
        steps=20,
        learning_rate=0.0,
        backbone_learning_rate=0.0,
        plateau=PlateauRecipe(checks=10, patience=0.1, factor=0.5, stop=0.3),
    )
    saved = torch.load(train(still), weights_only=True)
    assert saved['step'] == 2 + 6 and saved['plateau']['factor'] == 0.125


def test_learned_weights_of_the_pose_loss_survive_a_stop(train: Train) -> None:
    saved = torch.load(train(replace(BASE, pose_weighting='learned')), weights_only=True)
    start = torch.tensor([0.0, -3.0])
    assert not torch.equal(saved['pose_weighting']['log_variance'], start)
