"""The first stage: NeRF-P."""

from __future__ import annotations

import logging
import math
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from posemap_ros.building.build import Build
from posemap_ros.building.kept_figures import keep_figures, kept_figures
from posemap_ros.building.scene import recipe_of, scene_of
from posemap_ros.environment import make_nerf_p
from posemap_ros.geometry import rotation_error_deg, translation_error
from posemap_ros.nerf_p.nerf_p import NeRFP
from posemap_ros.nerf_p.photo_rays import PhotoRays
from posemap_ros.nerf_p.trainer import depth_off, psnr, train_pose_branch, train_render_branch
from posemap_ros.stereo.photo_depths import PhotoDepths, measure_depths
from posemap_ros.support.device import out_of_memory_means

_logger = logging.getLogger(__name__)

_LARGEST_DEPTH_OFF = 0.3  # where nothing was learned it is 0.8, in a room 0.02


@out_of_memory_means(
    'lower nerf_p.rays_per_step, nerf_p.pose_batch or nerf_p.image_height in the recipe'
)
def train_nerf_p(build: Build) -> tuple[NeRFP, dict[str, float]]:
    """Train NeRF-P or resume; returns it frozen, with figures of the held-out frames."""
    recipe, views = recipe_of(build).nerf_p, build.recipe.aprnet.views
    scene, seed = scene_of(build), build.seed_of_nerf
    folder = build.make_folder('nerf_p', *nerf_choices(build))
    torch.manual_seed(seed)
    nerf = make_nerf_p(scene, recipe).to(build.device)
    photos, phases = photo_rays(build), build.phases(recipe.steps)
    told = folder / 'held_out.yaml'

    def judge() -> None:
        figures = {'held_out_psnr_db': psnr(nerf, photos, phases.held_out)}
        if math.isfinite(off := depth_off(nerf, photos, phases.held_out)):
            figures['held_out_depth_off'] = off
        keep_figures(told, figures)

    train_render_branch(nerf, photos, phases, recipe, seed, folder / 'views.pt', judge)
    decoder = train_pose_branch(
        nerf,
        build.poses[phases.seen],
        build.network_camera,
        recipe,
        views.reach_m(scene.middle_m),
        views.max_rotation_deg,
        seed,
        folder / 'posemap.pt',
    )
    nerf.eval()
    unseen = build.poses[phases.held_out].to(build.device)
    with torch.no_grad():
        features = nerf.posemap(unseen, build.network_camera).features
        decoded = scene.T_world_scene.to(build.device) @ decoder.pose(features)
    metres, degrees = translation_error(decoded, unseen), rotation_error_deg(decoded, unseen)
    figures = kept_figures(told)
    if (off := figures.get('held_out_depth_off', 0.0)) > _LARGEST_DEPTH_OFF:
        _logger.warning(
            f'NeRF-P is off by {100 * off:.0f} % of how far away things are, in the median of '
            'photos that it was not trained on: its views teach the network little, and landmarks '
            'rest on parallax alone. Is there a fault in the data (check_dataset)? Else take more '
            'photos, or raise nerf_p.steps in the recipe'
        )
    return nerf, {
        **figures,
        'posemap_decoded_median_translation_m': float(metres.median()),
        'posemap_decoded_median_rotation_deg': float(degrees.median()),
    }


def nerf_choices(build: Build) -> tuple[Any, ...]:
    """What decides NeRF-P: its seed, its recipe, and, because its pose branch sees the grid of
    APRNet's camera at neighbours of the training poses, that grid and how far they go.
    """
    views = build.recipe.aprnet.views
    return (
        build.seed_of_nerf,
        asdict(recipe_of(build).nerf_p),
        build.network_camera.to_dict(),
        views.reach_m(scene_of(build).middle_m),
        views.max_rotation_deg,
    )


def photo_rays(build: Build) -> PhotoRays:
    """What NeRF-P is fitted to: the photos, and how far away things are in them."""
    camera, count = build.nerf_camera, len(build.dataset)
    shown = np.stack([build.dataset.seen_as(i, camera) for i in range(count)])
    if build.recipe.nerf_p.depth_weight > 0:
        folder = build.make_folder('depths', camera.to_dict())
        depths = measure_depths(build.dataset, camera, build.seen_points, folder)
    else:
        depths = PhotoDepths.unknown(count, camera)
    return PhotoRays(
        build.images(camera),
        torch.from_numpy(shown),
        depths,
        build.poses,
        camera,
        build.device,
    )
