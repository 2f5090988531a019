"""Where synthetic views (RVS, paper, section 3.1) are taken: near photos, and between them."""

from __future__ import annotations

import torch
from torch import Tensor

from posemap_ros.aprnet.renders import POSES_AT_ONCE
from posemap_ros.camera import Camera
from posemap_ros.geometry import perturb_poses
from posemap_ros.nerf_p.nerf_p import NeRFP, PoseMap
from posemap_ros.recipe import ViewsRecipe

# A view counts as looking at the scene if it is this opaque on average, and if no more than this
# share of it is closer than twice the near plane: more than that, and the camera is inside
# something.
MIN_OPACITY = 0.8
MAX_SHARE_TOO_CLOSE = 0.3
_TRIES = 5
_OTHERS = 32  # photos that are looked at for one that is near enough


@torch.no_grad()
def draw_views(
    nerf: NeRFP,
    T_world_cam: Tensor,
    recipe: ViewsRecipe,
    grid_camera: Camera,
    generator: torch.Generator,
    photos: Tensor | None = None,
) -> Tensor:
    """Random neighbours [N, 4, 4] of poses [N, 4, 4] from which something can be seen.

    A neighbour that looks into the void or out of a solid is drawn again; after some tries the
    pose itself stands in.

    Args:
        recipe: how far away they may be.
        grid_camera: whose PoseMap is looked at.
        photos: [M, 3] where photos were taken: a neighbour may lie on the way to one of them.
    """
    device = next(nerf.parameters()).device
    reach = recipe.reach_m(nerf.scene.radius_m)
    between = recipe.between_depths * nerf.scene.middle_m
    drawn = T_world_cam.clone()
    left = torch.arange(len(drawn))
    for _ in range(_TRIES):
        near = T_world_cam[left]
        if photos is not None and between > 0:
            near = move_towards_others(near, photos, between, generator)
        candidates = perturb_poses(near, reach, recipe.max_rotation_deg, generator)
        good = torch.cat(
            [
                shows_scene(nerf.posemap(part.to(device), grid_camera), nerf.scene.near_m).cpu()
                for part in candidates.split(POSES_AT_ONCE)
            ]
        )
        drawn[left[good]] = candidates[good]
        left = left[~good]
        if len(left) == 0:
            break
    return drawn


def move_towards_others(
    T_world_cam: Tensor, photos: Tensor, most_m: float, generator: torch.Generator
) -> Tensor:
    """Poses [N, 4, 4] moved, by a random part of the way, towards one of the places [M, 3] no
    farther than ``most_m`` away: what lies between two passes of a drive was not photographed.
    """
    count, positions = len(T_world_cam), T_world_cam[:, :3, 3]
    others = photos[torch.randint(len(photos), (count, _OTHERS), generator=generator)]
    near = (others - positions[:, None]).norm(dim=-1) <= most_m
    chosen = (near * torch.rand(near.shape, generator=generator)).argmax(dim=1)
    rows = torch.arange(count)
    part = torch.rand((count, 1), generator=generator) * near[rows, chosen][:, None]
    moved = T_world_cam.clone()
    moved[:, :3, 3] = torch.lerp(positions, others[rows, chosen], part.to(positions))
    return moved


def shows_scene(posemap: PoseMap, near_m: float) -> Tensor:
    """Which of B rendered grids look at the scene from free space: [B] bool."""
    too_close = (posemap.depth < 2.0 * near_m).float().mean(-1)
    return (posemap.opacity.mean(-1) > MIN_OPACITY) & (too_close < MAX_SHARE_TOO_CLOSE)
