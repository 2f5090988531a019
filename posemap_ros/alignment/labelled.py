"""Alignment on images whose poses were verified, while views from all over the map are rehearsed:
what is not seen today must not be forgotten.
"""

from __future__ import annotations

import copy
import math
import time

import torch
from torch import Tensor

from posemap_ros.alignment.rehearsal import Rehearsal
from posemap_ros.aprnet.network import APRNet, network_input
from posemap_ros.aprnet.renders import PosedViews, render_posemaps
from posemap_ros.aprnet.supervision import Supervision
from posemap_ros.aprnet.trainer import MAX_GRADIENT_NORM, jitter_brightness
from posemap_ros.aprnet.view_source import Examples
from posemap_ros.nerf_p.exposure import luma_histogram
from posemap_ros.nerf_p.nerf_p import NeRFP
from posemap_ros.recipe import Recipe

_WARMUP_STEPS = 20
# The learning rates decay to this share of themselves.
_FINAL_RATE = 0.02


class LabelledAligner:
    """Fits a copy of APRNet to images with poses; the network given stays as it is.

    Args:
        net: the trained APRNet.
        nerf: the place.
        photos: images at the network's camera, and their poses.
        mapped: [M, 4, 4] where to rehearse, in an order without order.
        rehearsal: renders the views.
        recipe: of the training, whose losses are these too, and of the alignment.
        generator: of every random choice.
        until: when rendering has to end, by time.monotonic().
    """

    def __init__(
        self,
        net: APRNet,
        nerf: NeRFP,
        photos: PosedViews,
        mapped: Tensor,
        rehearsal: Rehearsal,
        recipe: Recipe,
        generator: torch.Generator,
        until: float = float('inf'),
    ) -> None:
        self._nerf, self._camera, self._generator = nerf, net.camera, generator
        self._jitter = recipe.aprnet.brightness_jitter
        # eval(): the statistics of batch norm are of many more images than there are today
        self.net = copy.deepcopy(net).eval().requires_grad_(False)
        for part in (self.net.backbone, self.net.head):
            part.requires_grad_(True)
        self.net.backbone.freeze(recipe.aprnet.frozen_stages)
        self._supervise = Supervision(nerf, net.camera, recipe.aprnet)
        self._recipe = chosen = recipe.alignment.labelled
        # Photos of today as they are, and as the mapping drive would have shown them: else the
        # network learns that what looks like a photo looks as today.
        self._photos = self._examples(photos, rehearsal.in_mapping_light(photos))
        started = time.monotonic()
        far, near = chosen.views - chosen.views // 3, chosen.views // 3
        nearby = torch.randint(len(photos), (near,), generator=generator)
        self._views = self._examples(
            rehearsal.views(mapped[:far], until=started + (until - started) * 2 / 3),
            rehearsal.views(photos.T_world_cam[nearby], luma_histogram(photos.images), until),
        )
        self._optimiser = torch.optim.Adam(
            [
                {'params': [p for p in part.parameters() if p.requires_grad], 'base_lr': rate}
                for part, rate in (
                    (self.net.head, chosen.rate * recipe.aprnet.learning_rate),
                    (self.net.backbone, chosen.rate * recipe.aprnet.backbone_learning_rate),
                )
            ],
            fused=True,
        )
        self._steps = 0
        self.default_steps = round(chosen.epochs * len(photos) / self._photos_per_step)

    def step(self, fraction: float) -> None:
        """One optimisation step, when this fraction of the training is done."""
        self._set_rates(fraction)
        photos = self._photos_per_step
        drawn = [
            (examples, torch.randint(len(examples.views), (count,), generator=self._generator))
            for examples, count in (
                (self._photos, photos),
                (self._views, self._recipe.batch - photos),
            )
        ]
        device = next(self.net.parameters()).device
        images = [
            network_input(examples.views.images[chosen].to(device), self._camera)
            for examples, chosen in drawn
        ]
        predicted = self.net(jitter_brightness(torch.cat(images), self._jitter, self._generator))
        parts = (slice(0, photos), slice(photos, None))
        losses = [
            self._supervise(predicted.part(p), *examples, self._generator, rendering=False)
            for p, examples in zip(parts, drawn)
        ]
        self._optimiser.zero_grad(set_to_none=True)
        sum(losses).backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), MAX_GRADIENT_NORM)
        self._optimiser.step()
        self._steps += 1

    @property
    def _photos_per_step(self) -> int:
        """How many of a batch are photos; the others are views."""
        batch = self._recipe.batch
        return batch - max(1, min(batch - 1, round(self._recipe.rehearsed * batch)))

    def _examples(self, *parts: PosedViews) -> Examples:
        views = PosedViews.cat(list(parts))
        return Examples(views, render_posemaps(self._nerf, views.T_world_cam, self._camera))

    def _set_rates(self, fraction: float) -> None:
        """A warm-up, and a decay along half a cosine."""
        decay = _FINAL_RATE + (1.0 - _FINAL_RATE) * 0.5 * (1.0 + math.cos(math.pi * fraction))
        for group in self._optimiser.param_groups:
            group['lr'] = group['base_lr'] * decay * min(1.0, (self._steps + 1) / _WARMUP_STEPS)
