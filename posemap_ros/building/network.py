"""The second stage: APRNet."""

from __future__ import annotations

from dataclasses import asdict
from pickle import UnpicklingError

import numpy as np
import torch
from safetensors import SafetensorError

from posemap_ros.aprnet.backbones import BACKBONES, WeightsNotFound
from posemap_ros.aprnet.network import APRNet
from posemap_ros.aprnet.renders import PosedViews
from posemap_ros.aprnet.trainer import predict, train_aprnet
from posemap_ros.aprnet.view_source import ViewSource
from posemap_ros.building.build import Build
from posemap_ros.building.field import nerf_choices
from posemap_ros.building.kept_figures import keep_figures, kept_figures
from posemap_ros.building.scene import recipe_of, scene_of
from posemap_ros.environment import make_aprnet
from posemap_ros.evaluation.errors import rotation_error_deg, summarize, translation_error_m
from posemap_ros.evaluation.uncertainty import calibration, fit_scale
from posemap_ros.nerf_p.nerf_p import NeRFP
from posemap_ros.support.device import out_of_memory_means
from posemap_ros.support.untrusted import open_regular

_LARGEST_WEIGHTS = 4 << 30  # bytes


def check_weights(build: Build) -> None:
    """Load the backbone's ImageNet weights: a fault shows before NeRF-P has trained for hours.

    Raises:
        WeightsNotFound: they are not there, or of something else.
    """
    if (file := build.backbone_weights) is not None:
        with open_regular(file, _LARGEST_WEIGHTS):
            pass
    try:
        BACKBONES[build.recipe.aprnet.backbone]().load_imagenet(file)
    except (RuntimeError, EOFError, UnpicklingError, SafetensorError) as error:
        name = file or 'what its source gave'
        raise WeightsNotFound(
            f'{name} holds no ImageNet weights of {build.recipe.aprnet.backbone}: {error}'
        ) from error


@out_of_memory_means(
    'lower aprnet.batch, aprnet.posemap_cells or aprnet.image_height in the recipe'
)
def train_aprnet_stage(
    build: Build, nerf: NeRFP
) -> tuple[APRNet, tuple[float, float], dict[str, float]]:
    """Train APRNet or resume; returns it with the scale of its spread and figures of the
    held-out frames.
    """
    recipe, seed = recipe_of(build).aprnet, build.recipe.seed
    renders = build.make_folder('renders', *nerf_choices(build), asdict(recipe.views))
    folder = build.make_folder('aprnet', *nerf_choices(build), asdict(recipe), seed)
    torch.manual_seed(seed)
    net = make_aprnet(scene_of(build), build.network_camera, recipe)
    net.backbone.load_imagenet(build.backbone_weights)
    net = net.to(build.device, memory_format=torch.channels_last)
    photos = PosedViews(build.images(build.network_camera), build.poses)
    source = ViewSource(nerf, photos, net.camera, recipe.views, build.seed_of_nerf, renders)
    phases = build.phases(recipe.steps)
    told = folder / 'held_out.yaml'

    def judge() -> None:
        keep_figures(told, judge_aprnet(net, photos.part(phases.held_out)))

    train_aprnet(net, source, phases, recipe, seed, folder / 'aprnet.pt', judge)
    figures = kept_figures(told)
    scale = figures.pop('spread_scale_translation'), figures.pop('spread_scale_rotation')
    return net, scale, figures


def judge_aprnet(net: APRNet, unseen: PosedViews) -> dict[str, float]:
    """Errors on photos that it was not trained on, and by what to multiply the predicted spreads
    so that they tell of such errors.
    """
    predicted = predict(net, unseen.images)
    poses, true = predicted.T_world_cam.double().cpu().numpy(), unseen.T_world_cam.double().numpy()
    metres, degrees = translation_error_m(poses, true), rotation_error_deg(poses, true)
    sigma_m, sigma_rad = predicted.log_sigma.exp().double().cpu().numpy().T
    scale = fit_scale(metres, sigma_m), fit_scale(np.radians(degrees), sigma_rad)
    return {
        **summarize(metres, degrees),
        **calibration(metres, scale[0] * sigma_m, 'translation'),
        **calibration(np.radians(degrees), scale[1] * sigma_rad, 'rotation'),
        'spread_scale_translation': scale[0],
        'spread_scale_rotation': scale[1],
    }
