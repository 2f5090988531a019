"""Nearest-image retrieval: the pose of the most similar training image, a floor for regression."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from posemap_ros.aprnet.backbones import BACKBONES
from posemap_ros.aprnet.network import network_input
from posemap_ros.camera import Camera
from posemap_ros.dataset import PosedImages
from posemap_ros.support.progress import progress_bar


def retrieve_poses(
    database: PosedImages,
    queries: PosedImages,
    camera: Camera,
    backbone: str,
    weights: Path | None = None,
) -> np.ndarray:
    """Poses [N, 4, 4] of the database images most similar to N query images.

    Similar is the cosine of the ImageNet backbone's deep features, as maps, not pooled.

    Args:
        database, queries: posed images; the poses of the queries are not used.
        camera: size at which all images are compared.
        backbone: a name in ``BACKBONES``.
        weights: file with its ImageNet weights, or None for where it finds its own.
    """
    known, asked = _describe((database, queries), camera, backbone, weights)
    return database.poses[(asked @ known.t()).argmax(1).numpy()]


def similar_images(
    images: PosedImages, camera: Camera, backbone: str, count: int, apart: int
) -> list[tuple[int, int]]:
    """Pairs (i, j), i < j, of each image and the `count` most similar ones that are at least
    `apart` images away from it and from each other.

    For finding where a drive comes back to a place; see `retrieve_poses`. Next to the most similar
    image in time are others as similar, which would tell nothing new.
    """
    (features,) = _describe((images,), camera, backbone)
    likeness = features @ features.t()
    place = torch.arange(len(images))
    likeness[(place[:, None] - place).abs() < apart] = -torch.inf
    pairs: set[tuple[int, int]] = set()
    for _ in range(count):
        value, best = likeness.max(dim=1)
        found = (value > -torch.inf).tolist()
        pairs.update((min(i, j), max(i, j)) for i, j in enumerate(best.tolist()) if found[i])
        likeness[(best[:, None] - place).abs() < apart] = -torch.inf
    return sorted(pairs)


def _describe(
    sets: Sequence[PosedImages], camera: Camera, backbone: str, weights: Path | None = None
) -> Iterator[Tensor]:
    """Features of each set of images, with one network."""
    network = BACKBONES[backbone]()
    network.load_imagenet(weights)
    network.eval()
    return (_features(network, images, camera) for images in sets)


@torch.no_grad()
def _features(network: torch.nn.Module, images: PosedImages, camera: Camera) -> Tensor:
    """Unit features [N, D] of all images."""
    rows = []
    for index in progress_bar(range(len(images)), 'describing', len(images)):
        pixels = torch.from_numpy(images.load_as(index, camera)[None])
        rows.append(network(network_input(pixels, camera))[1].flatten(1))
    return torch.nn.functional.normalize(torch.cat(rows), dim=1)
