"""Nearest-image retrieval: the pose of the most similar training image, a floor for regression."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from posemap_ros.aprnet.backbones import BACKBONES
from posemap_ros.aprnet.network import network_input
from posemap_ros.camera import Camera
from posemap_ros.dataset import PosedImages
from posemap_ros.progress import progress_bar


def retrieve_poses(
    database: PosedImages, queries: PosedImages, camera: Camera, backbone: str
) -> np.ndarray:
    """Poses [N, 4, 4] of the database images most similar to N query images.

    Similar is the cosine of the ImageNet backbone's deep features, as maps, not pooled.

    Args:
        database, queries: posed images; the poses of the queries are not used.
        camera: size at which all images are compared.
        backbone: a name in ``BACKBONES``.
    """
    network = BACKBONES[backbone]()
    network.load_imagenet(None)
    network.eval()
    known, asked = (_describe(network, images, camera) for images in (database, queries))
    return database.poses[(asked @ known.t()).argmax(1).numpy()]


@torch.no_grad()
def _describe(network: torch.nn.Module, images: PosedImages, camera: Camera) -> Tensor:
    """Unit features [N, D] of all images."""
    rows = []
    for index in progress_bar(range(len(images)), 'describing', len(images)):
        pixels = torch.from_numpy(images.load_as(index, camera)[None])
        rows.append(network(network_input(pixels, camera))[1].flatten(1))
    return torch.nn.functional.normalize(torch.cat(rows), dim=1)
