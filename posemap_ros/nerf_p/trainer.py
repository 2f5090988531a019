"""Training of NeRF-P: the render branch, then, with that frozen, the pose branch (paper, section
3.1, "Pipeline").
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from posemap_ros.camera import Camera
from posemap_ros.geometry import invert_pose, perturb_poses
from posemap_ros.nerf_p.exposure import luma_histogram
from posemap_ros.nerf_p.nerf_p import NeRFP
from posemap_ros.nerf_p.pose_branch import POSEMAP_STRIDE, PoseDecoder
from posemap_ros.recipe import NerfRecipe
from posemap_ros.support.distributed import data_parallel, share_of
from posemap_ros.training_loop import train


def train_render_branch(
    nerf: NeRFP,
    images: Tensor,
    T_world_cam: Tensor,
    camera: Camera,
    recipe: NerfRecipe,
    seed: int,
    checkpoint: Path,
) -> None:
    """Fit all but the pose branch to images uint8 [N, h, w, 3] of ``camera`` at poses [N, 4,
    4].
    """
    device = next(nerf.parameters()).device
    rays = camera.rays().reshape(-1, 3).to(device)
    poses = T_world_cam.to(device)
    histograms = luma_histogram(images).to(device)
    pixels = images.flatten(1, 2).to(device)
    nerf.requires_grad_(True)
    nerf.pose_branch.requires_grad_(False)
    parameters = [p for p in nerf.parameters() if p.requires_grad]
    optimiser = torch.optim.Adam(parameters, lr=recipe.learning_rate, eps=1e-15, fused=True)

    losses = data_parallel(nerf.loss, nerf)

    def step(index: int, generator: torch.Generator) -> dict[str, float]:
        count = (share_of(recipe.rays_per_step),)
        image = torch.randint(len(pixels), count, generator=generator).to(device)
        pixel = torch.randint(len(rays), count, generator=generator).to(device)
        directions = (poses[image, :3, :3] @ rays[pixel][:, :, None])[..., 0]
        loss, photometric = losses(
            poses[image, :3, 3],
            directions,
            histograms[image],
            pixels[image, pixel].float() / 255.0,
            index,
            generator,
        )
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        return {'PSNR': -10.0 * photometric.detach().log10()}

    state = {'nerf': nerf}
    train(
        'NeRF-P views', recipe.steps, step, optimiser, state, checkpoint, seed, recipe.schedule
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
    decoder = PoseDecoder(len(grid_camera.rays(stride=POSEMAP_STRIDE).reshape(-1, 3))).to(device)
    parameters = [*nerf.pose_branch.parameters(), *decoder.parameters()]
    optimiser = torch.optim.Adam(parameters, lr=recipe.pose_learning_rate, fused=True)
    T_scene_world = invert_pose(nerf.scene.T_world_scene).to(device)

    def pose_loss(poses: Tensor) -> Tensor:
        true = T_scene_world @ poses
        rotation, position = decoder(nerf.posemap(poses, grid_camera).features)
        loss = (rotation - true[:, :3, :3]).square().sum((1, 2)).mean()
        return loss + (position - true[:, :3, 3]).square().sum(1).mean()

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
