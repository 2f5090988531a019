"""Training of APRNet with its four losses (paper, equation 2), on photos and on views that NeRF-P
renders.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from posemap_ros.aprnet.losses import image_loss, point_loss, pose_loss, posemap_loss, spread_loss
from posemap_ros.aprnet.network import APRNet, Prediction, network_input
from posemap_ros.aprnet.renders import Renders, draw_views, render_poses
from posemap_ros.geometry import rotation_error_deg, translation_error
from posemap_ros.nerf_p.exposure import luma_histogram
from posemap_ros.nerf_p.nerf_p import NeRFP
from posemap_ros.nerf_p.pose_branch import POSEMAP_STRIDE
from posemap_ros.progress import progress_bar
from posemap_ros.recipe import AprRecipe
from posemap_ros.training_loop import train

# Scene points farther than this many scene radii do not help to find a position.
FAR_RADII = 4.0
CHECKS = 10


@dataclass
class Photos:
    """Posed photos in main memory, at APRNet's camera."""

    images: Tensor  # [N, H, W, 3] uint8
    T_world_cam: Tensor  # [N, 4, 4]

    def __len__(self) -> int:
        return len(self.images)

    def part(self, index: slice) -> Photos:
        """A run of the photos."""
        return Photos(self.images[index], self.T_world_cam[index])


class BestWeights:
    """The weights that did best on the held-out frames so far."""

    def __init__(self) -> None:
        self.error = float('inf')
        self.weights: dict[str, Tensor] = {}

    def offer(self, error: float, net: APRNet) -> None:
        """Keep a copy of the network's weights if ``error`` is the lowest yet."""
        if error < self.error:
            self.error = error
            self.weights = {k: v.detach().cpu().clone() for k, v in net.state_dict().items()}

    def state_dict(self) -> dict[str, Any]:
        return {'error': self.error, 'weights': self.weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.error, self.weights = state['error'], state['weights']


def train_aprnet(
    net: APRNet,
    nerf: NeRFP,
    photos: Photos,
    held_out: Photos,
    recipe: AprRecipe,
    seed: int,
    work: Path,
) -> None:
    """Train on ``photos``; end with the weights that did best on ``held_out``, which is never
    trained on.

    Args:
        net: starts from its backbone's ImageNet weights.
        nerf: frozen; renders views and PoseMaps.
        photos, held_out: parts of the training split.
        recipe: sizes, schedule and loss weights.
        seed: of every random choice.
        work: folder for renders and checkpoints, from which a stopped training resumes.
    """
    device = next(net.parameters()).device
    nerf.requires_grad_(False).eval()
    net.train()
    view_camera = net.camera.resized(
        round(net.camera.width * recipe.views.image_height / net.camera.height),
        recipe.views.image_height,
    )
    histograms = luma_histogram(photos.images)
    rays = net.camera.rays(stride=POSEMAP_STRIDE).reshape(-1, 3).to(device)
    weight = recipe.loss

    def renders_of(name: str, draw: Callable[[], tuple[Tensor, Tensor]]) -> Renders:
        """Renders at the poses and exposures that ``draw`` gives, or those an earlier run left."""
        path = work / f'{name}.safetensors'
        if not path.exists():
            poses, exposures = draw()
            with progress_bar(None, f'rendering {name}', len(poses), 'view') as bar:
                render_poses(nerf, poses, exposures, view_camera, net.camera, bar.update).save(
                    path
                )
        return Renders.load(path)

    def draw_round(round_index: int) -> tuple[Tensor, Tensor]:
        generator = torch.Generator().manual_seed(seed * 7919 + round_index)
        repeated = photos.T_world_cam.repeat(recipe.views.per_frame, 1, 1)
        poses = draw_views(
            nerf,
            repeated,
            recipe.views.max_translation_m,
            recipe.views.max_rotation_deg,
            net.camera,
            generator,
        )
        # Any photo's exposure, so that the pose cannot be told from it.
        exposures = histograms[torch.randint(len(histograms), (len(poses),), generator=generator)]
        return poses, exposures

    at_photos = renders_of('photos', lambda: (photos.T_world_cam, histograms))
    drawn: dict[int, Renders] = {}  # at most one round

    def views_at(index: int) -> Renders:
        round_index = index // recipe.views.redraw_steps if recipe.views.redraw_steps else 0
        if round_index not in drawn:
            drawn.clear()
            drawn[round_index] = renders_of(
                f'views_{round_index:03d}', lambda: draw_round(round_index)
            )
            (work / f'views_{round_index - 1:03d}.safetensors').unlink(missing_ok=True)
        return drawn[round_index]

    net.backbone.freeze(recipe.frozen_stages)
    backbone = [p for p in net.backbone.parameters() if p.requires_grad]
    rest = [*net.head.parameters(), *net.adapters.parameters()]
    optimiser = torch.optim.Adam(
        [
            {'params': rest, 'lr': recipe.learning_rate},
            {'params': backbone, 'lr': recipe.backbone_learning_rate},
        ],
        fused=True,
    )
    best = BestWeights()
    check_every = max(1, recipe.steps // CHECKS)
    use_views = weight.rvs > 0 and recipe.views.per_frame > 0
    real = recipe.batch // 2 if use_views else recipe.batch

    def supervise(
        predicted: Prediction,
        poses: Tensor,
        renders: Renders,
        chosen: Tensor,
        generator: torch.Generator,
        rendering: bool,
    ) -> Tensor:
        """Losses of predictions whose true poses are known, and rendered in ``renders`` at
        ``chosen``.
        """
        loss = weight.pose * pose_loss(predicted.T_world_cam, poses)
        loss = loss + 0.01 * spread_loss(predicted.log_sigma, predicted.T_world_cam, poses)
        if weight.points > 0 and predicted.points is not None:
            depth = renders.depth[chosen].to(device)
            far = FAR_RADII * nerf.scene.radius_m
            loss = loss + weight.points * point_loss(
                predicted.points, predicted.depths, poses, depth, rays, far
            )
        if weight.posemap > 0 and rendering:
            cells = torch.randperm(len(rays), generator=generator)[: recipe.posemap_cells]
            true = renders.posemap[chosen][:, cells].float().to(device)
            opacity = renders.opacity[chosen][:, cells].float().to(device)
            estimated = nerf.posemap(predicted.T_world_cam, net.camera, cells.to(device)).features
            loss = loss + weight.posemap * posemap_loss(estimated, true, opacity)
        return loss

    def step(index: int, generator: torch.Generator) -> dict[str, float]:
        rendering = index >= recipe.rendering_losses_from * recipe.steps
        chosen = torch.randint(len(photos), (real,), generator=generator)
        batch = [network_input(photos.images[chosen].to(device), net.camera)]
        if use_views:
            views = views_at(index)
            drawn_views = torch.randint(len(views), (recipe.batch - real,), generator=generator)
            batch.append(network_input(views.rgb[drawn_views].to(device), net.camera))
        images = jitter_brightness(torch.cat(batch), recipe.brightness_jitter, generator)
        pairs = min(recipe.image_loss_batch, real) if weight.image > 0 and rendering else 0
        if pairs:
            counterparts = at_photos.rgb[chosen[:pairs]].to(device)
            images = torch.cat([images, network_input(counterparts, net.camera)])
        taps, deep = net.backbone(images)
        predicted = net.pose(deep[: recipe.batch])
        poses = photos.T_world_cam[chosen].to(device)
        loss = supervise(
            predicted.part(slice(0, real)), poses, at_photos, chosen, generator, rendering
        )
        if use_views:
            poses = views.T_world_cam[drawn_views].to(device)
            loss = loss + weight.rvs * supervise(
                predicted.part(slice(real, None)), poses, views, drawn_views, generator, rendering
            )
        if pairs:
            photo_features = net.features([tap[:pairs] for tap in taps])
            render_features = net.features([tap[recipe.batch :] for tap in taps])
            loss = loss + weight.image * image_loss(photo_features, render_features)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 10.0)
        optimiser.step()
        if (index + 1) % check_every == 0 or index + 1 == recipe.steps:
            best.offer(median_error(net, held_out), net)
        return {'loss': loss.item(), 'held out m': best.error}

    train(
        'APRNet',
        recipe.steps,
        step,
        optimiser,
        {'net': net, 'best': best},
        work / 'aprnet.pt',
        seed,
    )
    net.load_state_dict(best.weights)
    net.eval()


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


def median_error(net: APRNet, photos: Photos) -> float:
    """Median translation error in metres plus a metre for each radian of the median rotation
    error.
    """
    predicted = predict(net, photos.images).T_world_cam.cpu()
    metres = translation_error(predicted, photos.T_world_cam).median()
    radians = torch.deg2rad(rotation_error_deg(predicted, photos.T_world_cam)).median()
    return float(metres + radians)
