"""Training of APRNet with its four losses (paper, equation 2), on photos and on views that NeRF-P
renders.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from posemap_ros.aprnet.losses import LearnedPoseLoss
from posemap_ros.aprnet.network import APRNet, Prediction, network_input
from posemap_ros.aprnet.objective import Objective
from posemap_ros.aprnet.renders import PosedViews
from posemap_ros.aprnet.view_source import ViewSource
from posemap_ros.geometry import rotation_error_deg, translation_error
from posemap_ros.recipe import AprRecipe
from posemap_ros.support.backward_pass import backward_pass
from posemap_ros.support.distributed import data_parallel
from posemap_ros.training_loop import Plateau, train
from posemap_ros.training_phases import Phases


def train_aprnet(
    net: APRNet,
    source: ViewSource,
    phases: Phases,
    recipe: AprRecipe,
    seed: int,
    checkpoint: Path,
    judge: Callable[[], None],
) -> None:
    """Train on the photos and views of ``source``, and watch the error on those that are held out
    until near the end.

    The last weights are the result. The learning rate has faded by then; to choose those that did
    best on a few held-out frames instead is a lottery (0.096 m instead of 0.059 m on the test
    frames of redkitchen).

    Args:
        net: starts from its backbone's ImageNet weights.
        source: the photos, and what NeRF-P shows.
        phases: which photos are trained on in which step.
        recipe: sizes, schedule and loss weights.
        seed: of every random choice.
        checkpoint: file from which a stopped training resumes.
        judge: is called when those that are held out have not been seen for the last time.

    Raises:
        ValueError: the batch is too small for so many processes.
    """
    device = next(net.parameters()).device
    source.nerf.requires_grad_(False).eval()
    net.train()
    learned = LearnedPoseLoss().to(device) if recipe.pose_weighting == 'learned' else None
    trained = [net] if learned is None else [net, learned]
    objective = Objective(net, source, phases, recipe, learned)
    optimiser = _optimiser(net, learned, recipe)
    backward = backward_pass(data_parallel(objective.losses, *trained), *trained)

    def step(index: int, generator: torch.Generator) -> dict[str, Tensor]:
        named = backward(objective.draw(index, generator))
        if recipe.max_gradient_norm > 0:
            torch.nn.utils.clip_grad_norm_(net.parameters(), recipe.max_gradient_norm)
        optimiser.step()
        return named

    state = {'net': net} if learned is None else {'net': net, 'pose_weighting': learned}
    held_out = source.photos.part(phases.held_out)
    plateau = Plateau(recipe.plateau, recipe.steps, lambda: median_error(net, held_out))
    train(
        'APRNet',
        recipe.steps,
        step,
        optimiser,
        state,
        checkpoint,
        seed,
        recipe.schedule,
        plateau,
        milestone=(phases.everything_from, judge),
    )
    net.eval()


def _optimiser(
    net: APRNet, learned: LearnedPoseLoss | None, recipe: AprRecipe
) -> torch.optim.Optimizer:
    """Adam on all that is trained, the backbone at a rate of its own."""
    net.backbone.freeze(recipe.frozen_stages)
    backbone = [p for p in net.backbone.parameters() if p.requires_grad]
    rest = [*net.head.parameters(), *net.adapters.parameters()]
    if learned is not None:
        rest += learned.parameters()
    groups = [
        {'params': rest, 'lr': recipe.learning_rate},
        {'params': backbone, 'lr': recipe.backbone_learning_rate},
    ]
    return torch.optim.Adam(groups, fused=True)


@torch.no_grad()
def predict(net: APRNet, images: Tensor, batch: int = 16) -> Prediction:
    """Predictions for uint8 images [N, h, w, 3], in evaluation mode."""
    device = next(net.parameters()).device
    training = net.training
    net.eval()
    parts = [net(network_input(part.to(device), net.camera)) for part in images.split(batch)]
    net.train(training)
    return Prediction.cat(parts)


def median_error(net: APRNet, photos: PosedViews) -> float:
    """Median translation error in metres plus a metre for each radian of the median rotation
    error.
    """
    predicted = predict(net, photos.images).T_world_cam.cpu()
    metres = translation_error(predicted, photos.T_world_cam).median()
    radians = torch.deg2rad(rotation_error_deg(predicted, photos.T_world_cam)).median()
    return float(metres + radians)
