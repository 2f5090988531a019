"""Training of NeRF-P: the render branch, then, with that frozen, the pose branch (paper, section
3.1, "Pipeline").
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor

from posemap_ros.camera import Camera
from posemap_ros.geometry import invert_pose, perturb_poses
from posemap_ros.nerf_p.nerf_p import NeRFP, View
from posemap_ros.nerf_p.photo_rays import PhotoRays
from posemap_ros.nerf_p.pose_branch import PoseDecoder, grid_size
from posemap_ros.recipe import NerfRecipe
from posemap_ros.support.distributed import data_parallel, share_of
from posemap_ros.training_loop import train
from posemap_ros.training_phases import Phases


def train_render_branch(
    nerf: NeRFP,
    photos: PhotoRays,
    phases: Phases,
    recipe: NerfRecipe,
    seed: int,
    checkpoint: Path,
    judge: Callable[[], None],
) -> None:
    """Fit all but the pose branch to photos.

    Args:
        phases: which photos are trained on in which step.
        judge: is called when those that are held out have not been seen for the last time.
    """
    nerf.requires_grad_(True)
    nerf.pose_branch.requires_grad_(False)
    parameters = [p for p in nerf.parameters() if p.requires_grad]
    optimiser = torch.optim.Adam(parameters, lr=recipe.learning_rate, eps=1e-15, fused=True)

    losses = data_parallel(nerf.loss, nerf)

    def step(index: int, generator: torch.Generator) -> dict[str, float]:
        rays = photos.draw(phases.frames(index), share_of(recipe.rays_per_step), generator)
        loss, photometric = losses(rays, index, generator)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        return {'PSNR': -10.0 * photometric.detach().log10()}

    train(
        'NeRF-P views',
        recipe.steps,
        step,
        optimiser,
        {'nerf': nerf},
        checkpoint,
        seed,
        recipe.schedule,
        milestone=(phases.everything_from, judge),
        show=lambda: show_held_out(nerf, photos, phases.held_out),
    )


def train_pose_branch(
    nerf: NeRFP,
    T_world_cam: Tensor,
    grid_camera: Camera,
    recipe: NerfRecipe,
    max_translation_m: float,
    max_rotation_deg: float,
    seed: int,
    checkpoint: Path,
) -> PoseDecoder:
    """Fit the pose branch, and a decoder that goes with it, to poses [N, 4, 4] and random
    neighbours of theirs.

    Everything else stays frozen: gradients stop at the pose branch's input. The neighbours keep
    the decoder from learning the training poses by heart.

    Returns:
        the decoder, which only says how much of the pose the PoseMap holds.
    """
    device = next(nerf.parameters()).device
    nerf.requires_grad_(False)
    nerf.pose_branch.requires_grad_(True)
    cells, radius_m = math.prod(grid_size(grid_camera)), nerf.scene.radius_m
    decoder = PoseDecoder(cells, radius_m).to(device)
    parameters = [*nerf.pose_branch.parameters(), *decoder.parameters()]
    optimiser = torch.optim.Adam(parameters, lr=recipe.pose_learning_rate, fused=True)
    T_scene_world = invert_pose(nerf.scene.T_world_scene).to(device)

    def pose_loss(poses: Tensor) -> Tensor:
        true = T_scene_world @ poses
        rotation, position = decoder(nerf.posemap(poses, grid_camera).features)
        loss = (rotation - true[:, :3, :3]).square().sum((1, 2)).mean()
        return loss + (position - true[:, :3, 3] / radius_m).square().sum(1).mean()

    losses = data_parallel(pose_loss, nerf.pose_branch, decoder)

    def step(index: int, generator: torch.Generator) -> dict[str, float]:
        count = (share_of(recipe.pose_batch),)
        chosen = torch.randint(len(T_world_cam), count, generator=generator)
        poses = perturb_poses(
            T_world_cam[chosen], max_translation_m, max_rotation_deg, generator
        ).to(device)
        loss = losses(poses)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        return {'pose loss': loss.detach()}

    state = {'pose_branch': nerf.pose_branch, 'decoder': decoder}
    steps, schedule = recipe.pose_steps, recipe.schedule
    train('NeRF-P PoseMap', steps, step, optimiser, state, checkpoint, seed, schedule)
    nerf.requires_grad_(False)
    return decoder


@torch.no_grad()
def psnr(nerf: NeRFP, photos: PhotoRays, chosen: Tensor, most: int = 8) -> float:
    """How well NeRF-P shows photos with these indices, or at most so many of them: the mean of
    their peak signal-to-noise ratios, dB.
    """
    ratios = []
    for photo, view in _views_at(nerf, photos, chosen, most):
        error = view.rgb.cpu() - photos.images[photo] / 255.0
        ratios.append(-10.0 * error.square().mean().log10())
    return float(torch.stack(ratios).mean())


@torch.no_grad()
def depth_off(nerf: NeRFP, photos: PhotoRays, chosen: Tensor, most: int = 8) -> float:
    """By what share of the depths that were measured in photos with these indices, or at most so
    many of them, NeRF-P is off in the median; NaN where none were measured.
    """
    off = []
    for photo, view in _views_at(nerf, photos, chosen, most):
        measured = photos.depth_of(photo)
        off.append(((view.depth - measured).abs() / measured)[measured > 0])
    return float(torch.cat(off).median())


def _views_at(
    nerf: NeRFP, photos: PhotoRays, chosen: Tensor, most: int
) -> Iterator[tuple[int, View]]:
    """About so many of the photos with these indices, evenly chosen, each with NeRF-P's view."""
    for photo in chosen[:: max(1, len(chosen) // most)].tolist():
        pose, histogram = photos.pose_and_histogram(photo)
        yield photo, nerf.render_view(pose, photos.camera, histogram)


@torch.no_grad()
def show_held_out(nerf: NeRFP, photos: PhotoRays, held_out: Tensor) -> dict[str, float | Tensor]:
    """What TensorBoard shows of photos that are not trained on: how well they are rendered, and
    one of them beside its render and the depth there [H, 3 W, 3].
    """
    if not len(held_out):
        return {}
    index = int(held_out[len(held_out) // 2])
    pose, histogram = photos.pose_and_histogram(index)
    view = nerf.render_view(pose, photos.camera, histogram)
    near = (nerf.scene.near_m / view.depth.clamp_min(nerf.scene.near_m)).sqrt()
    photo = photos.images[index].to(view.rgb) / 255.0
    parts = [photo, view.rgb, near[..., None].expand(-1, -1, 3)]
    return {
        'held out PSNR': psnr(nerf, photos, held_out, most=4),
        'photo, render and depth': torch.cat(parts, dim=1).cpu(),
    }
