"""Alignment on images whose poses were verified, while views from all over the map are rehearsed:
what is not seen today must not be forgotten.

Only the head learns. The backbone sees today's images as well as those of the mapping drive, and
what it says of images stays comparable with what the landmarks know; and what it sees has to be
computed only once, which leaves time for several times the steps.
"""

from __future__ import annotations

import copy
import math
import time
from dataclasses import dataclass

import torch
from torch import Tensor

from posemap_ros.alignment.judge import PoseErrors
from posemap_ros.alignment.rehearsal import Rehearsal
from posemap_ros.aprnet.augmentation import add_noise, brighten, random_gains
from posemap_ros.aprnet.known import Known
from posemap_ros.aprnet.network import APRNet, network_input
from posemap_ros.aprnet.renders import PosedViews
from posemap_ros.aprnet.supervision import Supervision
from posemap_ros.nerf_p.exposure import luma_histogram
from posemap_ros.nerf_p.nerf_p import NeRFP
from posemap_ros.recipe import Recipe

_IMAGES_AT_ONCE = 16
_CHANGED = 2  # copies of each image, the first as it is
_WARMUP_STEPS = 20
_MAX_GRADIENT_NORM = 10.0
# The learning rate decays to this share of itself.
_FINAL_RATE = 0.02


@dataclass(frozen=True)
class _Seen:
    """N images as the backbone sees them, and what is to be learned of them."""

    deep: Tensor  # [copies, N, C, h, w] float16
    T_world_cam: Tensor  # [N, 4, 4]
    depth: Tensor  # [N, cells] metres

    def __len__(self) -> int:
        return len(self.T_world_cam)

    def known(self, chosen: Tensor) -> Known:
        """What is known of those with these indices."""
        return Known(self.T_world_cam[chosen], self.depth[chosen])


class LabelledAligner:
    """Fits the head of a copy of APRNet to images with poses; the network given stays as it is.

    Args:
        net: the trained APRNet.
        nerf: the place.
        photos: images at the network's camera, and their poses.
        learned: indices of those that are learned, until `learn_all`.
        mapped: [M, 4, 4] where to rehearse, in an order without order.
        rehearsal: renders the views.
        recipe: of the training, whose losses are these too, and of the alignment.
        generator: of every random choice.
        until: when rendering has to end, by time.monotonic().
    """

    judged_after = 0.6

    def __init__(
        self,
        net: APRNet,
        nerf: NeRFP,
        photos: PosedViews,
        learned: Tensor,
        mapped: Tensor,
        rehearsal: Rehearsal,
        recipe: Recipe,
        generator: torch.Generator,
        until: float = float('inf'),
    ) -> None:
        self._learned = learned
        self._nerf, self._generator = nerf, generator
        self._recipe = labelled = recipe.alignment.labelled
        apr = recipe.aprnet
        self._changes = apr.brightness_jitter, apr.light_jitter, apr.noise
        self.net = copy.deepcopy(net).eval().requires_grad_(False)
        self.net.head.requires_grad_(True)
        self._supervise = Supervision(nerf, net.camera, recipe.aprnet)
        # Photos of today as they are, and as the mapping drive would have shown them: else the
        # network learns that what looks like a photo looks as today.
        self._photos = self._see(photos, rehearsal.in_mapping_light(photos))
        started = time.monotonic()
        far, near = labelled.views - labelled.views // 3, labelled.views // 3
        nearby = learned[self._draw(len(learned), near)]
        views = [
            rehearsal.views(mapped[:far], until=started + (until - started) * 2 / 3),
            rehearsal.views(photos.T_world_cam[nearby], luma_histogram(photos.images), until),
        ]
        self._views = self._see(PosedViews.cat(views))
        self._rate = labelled.rate * recipe.aprnet.learning_rate
        self._optimiser = torch.optim.Adam(self.net.head.parameters(), fused=True)
        self._steps = 0
        self.default_steps = round(labelled.epochs * len(photos) / self._photos_per_step)

    def step(self, fraction: float) -> None:
        """One optimisation step, when this fraction of the training is done."""
        self._set_rate(fraction)
        photos = self._photos_per_step
        learned = self._learned[self._draw(len(self._learned), photos)]
        views = self._draw(len(self._views), self._recipe.batch - photos)
        losses = []
        for seen, chosen in ((self._photos, learned), (self._views, views)):
            copies = self._draw(len(seen.deep), len(chosen))
            deep = seen.deep[copies, chosen].float()
            losses.append(self._supervise(self.net.pose(deep), seen.known(chosen)))
        self._optimiser.zero_grad(set_to_none=True)
        sum(losses).backward()
        torch.nn.utils.clip_grad_norm_(self.net.head.parameters(), _MAX_GRADIENT_NORM)
        self._optimiser.step()
        self._steps += 1

    def measure(self, unseen: PosedViews) -> PoseErrors:
        """How far the copy's poses of images that are held out are off their verified ones."""
        return PoseErrors.of(self.net, unseen)

    def learn_all(self) -> None:
        """From now on also learn the images that were held out, and have judged."""
        self._learned = torch.arange(len(self._photos))

    @torch.no_grad()
    def _see(self, views: PosedViews, *other_looks: PosedViews) -> _Seen:
        """Run the backbone on all that images look like, as they are, and changed."""
        device = next(self.net.parameters()).device
        copies = []
        for look in (views, *other_looks):
            for brightness, light, noise in ((0.0, 0.0, 0.0), *[self._changes] * (_CHANGED - 1)):
                parts = []
                for images in look.images.split(_IMAGES_AT_ONCE):
                    inputs = network_input(images.to(device), self.net.camera)
                    gains = random_gains(len(inputs), brightness, light, self._generator)
                    inputs = add_noise(brighten(inputs, gains), noise, self._generator)
                    parts.append(self.net.backbone(inputs)[1].half())
                copies.append(torch.cat(parts))
        poses = views.T_world_cam.to(device)
        depths = [
            self._nerf.grid_depth(part, self.net.camera) for part in poses.split(_IMAGES_AT_ONCE)
        ]
        return _Seen(torch.stack(copies), poses, torch.cat(depths))

    def _draw(self, below: int, count: int) -> Tensor:
        return torch.randint(below, (count,), generator=self._generator)

    @property
    def _photos_per_step(self) -> int:
        """How many of a batch are photos; the others are views."""
        batch = self._recipe.batch
        return batch - max(1, min(batch - 1, round(self._recipe.rehearsed * batch)))

    def _set_rate(self, fraction: float) -> None:
        """A warm-up, and a decay along half a cosine."""
        decay = _FINAL_RATE + (1.0 - _FINAL_RATE) * 0.5 * (1.0 + math.cos(math.pi * fraction))
        for group in self._optimiser.param_groups:
            group['lr'] = self._rate * decay * min(1.0, (self._steps + 1) / _WARMUP_STEPS)
