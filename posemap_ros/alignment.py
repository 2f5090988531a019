"""Self-supervised alignment: APRNet fitted to how the place looks now, on images without poses
(paper, section 3.3).
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from posemap_ros.aprnet.losses import posemap_loss
from posemap_ros.aprnet.network import APRNet, enlarge, network_input
from posemap_ros.environment import Environment
from posemap_ros.nerf_p.exposure import luma_histogram
from posemap_ros.nerf_p.nerf_p import NeRFP
from posemap_ros.recipe import AlignmentRecipe
from posemap_ros.support.device import choose_device
from posemap_ros.support.memory import keep_freed_memory

MIN_IMAGES = 8
# One image in so many is never trained on, and judges; more judges than this only take time.
HOLD_OUT_EVERY = 4
MAX_HELD_OUT = 16
# The gap on the held-out images must shrink by at least this share.
MIN_IMPROVEMENT = 0.005

Progress = Callable[[float, str], None]


class TooFewImages(ValueError):
    """Too few images to align on and to judge by."""


@dataclass(frozen=True)
class AlignmentResult:
    """What an alignment did."""

    accepted: bool
    reason: str  # one sentence, with figures
    revision: int  # the new one if accepted, else the one there was
    frames_used: int
    frames_held_out: int
    gap_before: (
        float  # mean feature gap of the held-out images against the views at their estimated poses
    )
    gap_after: float
    seconds: float


class Aligner:
    """Fits a copy of APRNet to unlabelled images; the network given stays as it is.

    Args:
        net: the trained APRNet; its feature extractor, frozen, measures how alike a photo and a
            render are.
        nerf: the place.
        recipe: learning rate, loss weights, size of the renders.
    """

    def __init__(self, net: APRNet, nerf: NeRFP, recipe: AlignmentRecipe) -> None:
        self.extractor = net.eval().requires_grad_(False)
        self.nerf = nerf.eval().requires_grad_(False)
        self.recipe = recipe
        # eval(): batch norm stays frozen, with one image at a time its statistics would mean
        # nothing
        self.net = copy.deepcopy(net).eval()
        for parameter in [*self.net.backbone.parameters(), *self.net.head.parameters()]:
            parameter.requires_grad_(True)
        self.net.backbone.freeze(recipe.frozen_stages)
        self.camera = net.camera
        width = round(net.camera.width * recipe.view_height / net.camera.height)
        self.view_camera = net.camera.resized(width, recipe.view_height)
        trained = [p for p in self.net.parameters() if p.requires_grad]
        self.optimiser = torch.optim.Adam(trained, lr=recipe.learning_rate)

    def step(self, image: Tensor) -> None:
        """One optimisation step on one image uint8 [1, H, W, 3]."""
        photo = network_input(image, self.camera)
        estimate = self.net(photo).T_world_cam
        render = self._render(estimate[0], image)
        loss = self.recipe.image_weight * self._feature_gap(photo, render)
        if self.recipe.posemap_weight > 0:
            # The estimate is the known pose of the render: the network must find it there.
            again = self.net(render.detach()).T_world_cam
            with torch.no_grad():
                known = self.nerf.posemap(estimate, self.camera)
            found = self.nerf.posemap(again, self.camera)
            loss = loss + self.recipe.posemap_weight * posemap_loss(
                found.features, known.features, known.opacity
            )
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()

    @torch.no_grad()
    def gap(self, images: Tensor) -> float:
        """Mean feature gap of images uint8 [N, H, W, 3] against the views at the poses that the
        copy estimates.
        """
        gaps = []
        for image in images.split(1):
            photo = network_input(image, self.camera)
            gaps.append(
                self._feature_gap(photo, self._render(self.net(photo).T_world_cam[0], image))
            )
        return float(torch.stack(gaps).mean())

    def _render(self, pose: Tensor, image: Tensor) -> Tensor:
        """The view [1, 3, H, W] at a pose, with the exposure of an image; differentiable in the
        pose.
        """
        view = self.nerf.render_view(pose, self.view_camera, luma_histogram(image)[0])
        return enlarge(view.rgb.permute(2, 0, 1)[None], self.camera)

    def _feature_gap(self, photo: Tensor, render: Tensor) -> Tensor:
        """L_image without labels: 1 - cosine of the frozen extractor's first-tap features, mean
        over the pixels.
        """
        features = [
            self.extractor.adapters[0](self.extractor.backbone.first_tap(x))
            for x in (photo, render)
        ]
        return (1.0 - F.cosine_similarity(*features, dim=1)).mean()


def align(
    net: APRNet,
    nerf: NeRFP,
    images: Tensor,
    recipe: AlignmentRecipe,
    *,
    seconds: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    progress: Progress = lambda fraction, text: None,
) -> tuple[APRNet, float, float]:
    """Align on images uint8 [N, H, W, 3] at APRNet's camera, except some that are held out.

    Args:
        net, nerf, recipe: see `Aligner`.
        images: N >= 8, in any order.
        seconds: stop after this long, if given.
        steps: stop after so many steps; by default ``recipe.epochs`` times the images trained on.
        seed: of the order of the images.
        progress: told the fraction done and what is going on.

    Returns:
        the aligned network, and the mean feature gap of the held-out images before and after.

    Raises:
        TooFewImages: fewer than 8 images.
    """
    if len(images) < MIN_IMAGES:
        raise TooFewImages(f'alignment needs at least {MIN_IMAGES} images, and got {len(images)}')
    started = time.monotonic()
    aligner = Aligner(net, nerf, recipe)
    judges = torch.zeros(len(images), dtype=torch.bool)
    judges[held_out_indices(len(images))] = True
    trained, held_out = images[~judges], images[judges]
    progress(0.0, f'measuring on {len(held_out)} held-out images')
    before = aligner.gap(held_out)
    # Judging again at the end takes as long as it did now.
    deadline = None if seconds is None else seconds - (time.monotonic() - started)
    steps = recipe.epochs * len(trained) if steps is None else steps
    generator = torch.Generator().manual_seed(seed)
    order: list[int] = []
    for index in range(steps):
        elapsed = time.monotonic() - started
        if deadline is not None and elapsed > deadline:
            break
        if not order:
            order = torch.randperm(len(trained), generator=generator).tolist()
        chosen = order.pop()
        aligner.step(trained[chosen : chosen + 1])
        fraction = (index + 1) / steps
        if deadline is not None:
            fraction = max(fraction, elapsed / deadline)
        progress(0.95 * min(fraction, 1.0), f'step {index + 1}')
    after = aligner.gap(held_out)
    progress(1.0, 'done')
    return aligner.net, before, after


def held_out_indices(count: int) -> Tensor:
    """Which of ``count`` images judge: evenly spread."""
    judges = min(count // HOLD_OUT_EVERY, MAX_HELD_OUT)
    return ((torch.arange(judges) + 0.5) * (count / judges)).long()


def align_environment(
    environment: Path | str,
    images: np.ndarray,
    *,
    revision: int | None = None,
    seconds: float | None = None,
    steps: int | None = None,
    device: str = 'auto',
    seed: int = 0,
    progress: Progress | None = None,
) -> AlignmentResult:
    """Align an environment, and keep the result only if it helps on held-out images.

    Args:
        environment: folder; an accepted alignment is written into it as a new revision.
        images: uint8 [N, h, w, 3] at the environment's network camera.
        revision: to start from; 0 is the base, None the newest.
        seconds, steps, seed, progress: see `align`.
        device: 'auto', 'cpu', 'cuda', ...

    Raises:
        InvalidEnvironment: the folder cannot be used.
        TooFewImages: fewer than 8 images.
        ValueError: the images have another size.
    """
    keep_freed_memory()
    started = time.monotonic()
    loaded = Environment.load(environment, revision)
    camera = loaded.network_camera
    if (
        images.ndim != 4
        or images.dtype != np.uint8
        or images.shape[1:] != (camera.height, camera.width, 3)
    ):
        raise ValueError(
            f'expected uint8 images of shape [N, {camera.height}, {camera.width}, 3], '
            f'got {images.dtype} {images.shape}'
        )
    place = choose_device(device)
    pixels = torch.from_numpy(images).to(place)
    net, before, after = align(
        loaded.load_aprnet(place),
        loaded.load_nerf_p(place),
        pixels,
        loaded.recipe.alignment,
        seconds=seconds,
        steps=steps,
        seed=seed,
        progress=progress or (lambda fraction, text: None),
    )
    held_out = len(held_out_indices(len(images)))
    accepted = bool(after < (1.0 - MIN_IMPROVEMENT) * before)
    change = f'feature gap on {held_out} held-out images {before:.4f} before, {after:.4f} after'
    reason = (
        f'aligned: {change}'
        if accepted
        else f'rolled back, because it did not help by {100 * MIN_IMPROVEMENT:g} % on images '
        f'it did not train on: {change}'
    )
    result = AlignmentResult(
        accepted,
        reason,
        loaded.revision,
        len(images) - held_out,
        held_out,
        before,
        after,
        time.monotonic() - started,
    )
    if not accepted:
        return result
    revision = loaded.add_revision(net, asdict(result))
    return AlignmentResult(
        **{**asdict(result), 'revision': revision, 'seconds': time.monotonic() - started}
    )
