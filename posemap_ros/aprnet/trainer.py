"""Training of APRNet with its four losses (paper, equation 2), on photos and on views that NeRF-P
renders.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from posemap_ros.aprnet.losses import LearnedPoseLoss, image_loss, pose_loss
from posemap_ros.aprnet.network import APRNet, Prediction, network_input
from posemap_ros.aprnet.renders import PosedViews
from posemap_ros.aprnet.supervision import Supervision
from posemap_ros.aprnet.view_source import ViewSource
from posemap_ros.geometry import rotation_error_deg, translation_error
from posemap_ros.nerf_p.pose_branch import POSEMAP_STRIDE
from posemap_ros.recipe import AprRecipe
from posemap_ros.support.device import mixed_precision
from posemap_ros.support.distributed import data_parallel, share_of, world_size
from posemap_ros.training_loop import train

CHECKS = 10
MAX_GRADIENT_NORM = 10.0


def train_aprnet(
    net: APRNet,
    source: ViewSource,
    held_out: PosedViews,
    recipe: AprRecipe,
    seed: int,
    checkpoint: Path,
) -> None:
    """Train on the photos and views of ``source``, and show the error on ``held_out``, which is
    never trained on.

    The last weights are the result. The learning rate has faded by then; to choose those that did
    best on a few held-out frames instead is a lottery (0.096 m instead of 0.059 m on the test
    frames of redkitchen).

    Args:
        net: starts from its backbone's ImageNet weights.
        source: the photos that are trained on, and what NeRF-P shows.
        held_out: the other part of the training split.
        recipe: sizes, schedule and loss weights.
        seed: of every random choice.
        checkpoint: file from which a stopped training resumes.

    Raises:
        ValueError: the batch is too small for so many processes.
    """
    device = next(net.parameters()).device
    nerf, photos = source.nerf.requires_grad_(False).eval(), source.photos
    net.train()
    weight = recipe.loss
    use_views, batch = recipe.uses_views, share_of(recipe.batch)
    real = recipe.photos_per_step(world_size())
    grid = (net.camera.height // POSEMAP_STRIDE, net.camera.width // POSEMAP_STRIDE)
    real_examples = source.examples(photos)
    at_photos = source.at_photos() if weight.image > 0 else None
    learned = [LearnedPoseLoss().to(device)] if recipe.pose_weighting == 'learned' else []
    supervise = Supervision(nerf, net.camera, recipe, learned[0] if learned else pose_loss)

    def losses(index: int, generator: torch.Generator) -> dict[str, Tensor]:
        rendering = index >= recipe.rendering_losses_from * recipe.steps
        chosen = torch.randint(len(photos), (real,), generator=generator)
        images = [network_input(photos.images[chosen].to(device), net.camera)]
        if use_views:
            views = source.synthetic(index)
            drawn = torch.randint(len(views.views), (batch - real,), generator=generator)
            images.append(network_input(views.views.images[drawn].to(device), net.camera))
        # The jitter comes before the photos' renders join, which must stay comparable.
        inputs = jitter_brightness(torch.cat(images), recipe.brightness_jitter, generator)
        pairs = min(recipe.image_loss_batch, real) if weight.image > 0 and rendering else 0
        if pairs:
            counterparts = at_photos.images[chosen[:pairs]].to(device)
            inputs = torch.cat([inputs, network_input(counterparts, net.camera)])
        with mixed_precision(device):
            taps, deep = net.backbone(inputs)
        predicted = net.pose(deep[:batch].float())
        named = {
            'photos': supervise(
                predicted.part(slice(0, real)),
                real_examples,
                chosen,
                generator,
                rendering=rendering,
            )
        }
        if use_views:
            named['views'] = weight.rvs * supervise(
                predicted.part(slice(real, None)),
                views,
                drawn,
                generator,
                rendering=rendering,
                posemap_distance=recipe.rvs_posemap_distance,
            )
        if pairs:
            window = random_window(grid, recipe.image_loss_window, generator)
            with mixed_precision(device):
                real_features = net.features([tap[:pairs] for tap in taps], window)
                rendered_features = net.features([tap[batch:] for tap in taps], window)
            named['features'] = weight.image * image_loss(
                real_features, rendered_features, distance=recipe.triplet_distance
            )
        return named

    net.backbone.freeze(recipe.frozen_stages)
    backbone = [p for p in net.backbone.parameters() if p.requires_grad]
    rest = [*net.head.parameters(), *net.adapters.parameters()]
    rest += [p for part in learned for p in part.parameters()]
    optimiser = torch.optim.Adam(
        [
            {'params': rest, 'lr': recipe.learning_rate},
            {'params': backbone, 'lr': recipe.backbone_learning_rate},
        ],
        fused=True,
    )
    held_out_m = median_error(net, held_out)
    check_every = max(1, recipe.steps // CHECKS)
    parallel_losses = data_parallel(losses, net, *learned)

    def step(index: int, generator: torch.Generator) -> dict[str, float]:
        nonlocal held_out_m
        named = parallel_losses(index, generator)
        optimiser.zero_grad(set_to_none=True)
        sum(named.values()).backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), MAX_GRADIENT_NORM)
        optimiser.step()
        if (index + 1) % check_every == 0 or index + 1 == recipe.steps:
            held_out_m = median_error(net, held_out)
        return {**{k: v.item() for k, v in named.items()}, 'held out m': held_out_m}

    state = {'net': net}
    if learned:
        state['pose_weighting'] = learned[0]
    train('APRNet', recipe.steps, step, optimiser, state, checkpoint, seed)
    net.eval()


def random_window(
    size: tuple[int, int], share: float, generator: torch.Generator
) -> tuple[float, float, float, float]:
    """A random part of an image whose sides are ``share`` of the image's.

    Args:
        size: height and width of the image in cells; the window begins and ends between them.

    Returns:
        top, left, height and width, as shares of the image's height and width.
    """
    corner, extent = [], []
    for cells in size:
        taken = max(1, round(share * cells))
        first = int(torch.randint(cells - taken + 1, (1,), generator=generator))
        corner.append(first / cells)
        extent.append(taken / cells)
    return (*corner, *extent)


def jitter_brightness(images: Tensor, amount: float, generator: torch.Generator) -> Tensor:
    """Scale each image [B, 3, H, W], and each of its channels half as much, by a random factor
    near 1.
    """
    shape = (len(images), 1, 1, 1)
    overall = 1.0 + amount * (2.0 * torch.rand(shape, generator=generator) - 1.0)
    tint = 1.0 + 0.5 * amount * (
        2.0 * torch.rand((len(images), 3, 1, 1), generator=generator) - 1.0
    )
    return (images * (overall * tint).to(images.device)).clamp(0.0, 1.0)


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
