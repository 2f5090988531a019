"""The third stage: the landmarks that poses are verified by, and how verdicts are calibrated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from posemap_ros.aprnet.network import APRNet
from posemap_ros.dataset import PosedImages
from posemap_ros.environment import Environment
from posemap_ros.landmarks.landmark_map import LandmarkMap
from posemap_ros.landmarks.mapping import NothingInCommon, map_landmarks
from posemap_ros.localizer import Localizer
from posemap_ros.nerf_p.nerf_p import NeRFP
from posemap_ros.recipe import Recipe
from posemap_ros.verification.calibrate import calibrate


def find_landmarks(
    dataset: PosedImages, nerf: NeRFP, net: APRNet, recipe: Recipe, work: Path
) -> LandmarkMap | None:
    """Map the landmarks of the frames, or resume; None where the recipe wants none, and,
    with a line about it, where the frames have nothing in common.
    """
    if recipe.landmarks.photos == 0:
        return None
    try:
        landmarks = map_landmarks(dataset, nerf, net, recipe.landmarks, work)
    except NothingInCommon as error:
        print(f'no landmarks, so poses cannot be verified: {error}')
        return None
    print(
        f'{len(landmarks)} landmarks, each seen in {len(landmarks.seen) / len(landmarks):.1f} of '
        f'{len(landmarks.T_world_cam)} photos; usually sure to {np.median(landmarks.sigmas):.2g} m'
    )
    return landmarks


def store_landmarks(
    environment: Environment, landmarks: LandmarkMap, dataset: PosedImages, device: torch.device
) -> Environment:
    """Calibrate the verdicts by landmarks, and add both to the environment."""
    localizer = Localizer(environment.path, str(device), revision=0)
    calibration = calibrate(landmarks, dataset, localizer.localize)
    return environment.add_landmarks(landmarks.to_bytes(), calibration.to_dict())
