"""Alignment on images without poses: NeRF-P is the teacher (paper, section 3.3)."""

from __future__ import annotations

import copy

import torch
from torch import Tensor
from torch.nn import functional as F

from posemap_ros.alignment.judge import Gaps
from posemap_ros.aprnet.losses import posemap_loss
from posemap_ros.aprnet.network import APRNet, enlarge, network_input
from posemap_ros.aprnet.renders import PosedViews
from posemap_ros.nerf_p.exposure import luma_histogram
from posemap_ros.nerf_p.nerf_p import NeRFP
from posemap_ros.recipe import AlignmentRecipe


class SelfSupervisedAligner:
    """Fits a copy of APRNet to unlabelled images; the network given stays as it is.

    Args:
        net: the trained APRNet; its feature extractor, frozen, measures how alike a photo and a
            render are.
        nerf: the place.
        images: uint8 [N, H, W, 3] at the network's camera, to learn from.
        recipe: learning rate, loss weights, size of the renders.
        generator: of the order of the images.
    """

    judged_after = 1.0

    def __init__(
        self,
        net: APRNet,
        nerf: NeRFP,
        images: Tensor,
        recipe: AlignmentRecipe,
        generator: torch.Generator,
    ) -> None:
        self.extractor = net.eval().requires_grad_(False)
        self.nerf = nerf.eval().requires_grad_(False)
        self.images, self.recipe = images, recipe
        # eval(): batch norm stays frozen, with one image at a time its statistics would mean
        # nothing
        self.net = copy.deepcopy(net).eval()
        for parameter in [*self.net.backbone.parameters(), *self.net.head.parameters()]:
            parameter.requires_grad_(True)
        self.net.backbone.freeze(recipe.frozen_stages)
        self.camera = net.camera
        self.view_camera = net.camera.with_shorter_side(recipe.view_height)
        trained = [p for p in self.net.parameters() if p.requires_grad]
        self.optimiser = torch.optim.Adam(trained, lr=recipe.learning_rate)
        self._generator = generator
        self._order: list[int] = []
        self.default_steps = recipe.epochs * len(images)

    def step(self, fraction: float) -> None:
        """One optimisation step on one image; the order is drawn anew when all had their turn.

        Args:
            fraction: of the training that is done; the learning rate does not depend on it.
        """
        if not self._order:
            self._order = torch.randperm(len(self.images), generator=self._generator).tolist()
        index = self._order.pop()
        self.learn(self.images[index : index + 1])

    def learn(self, image: Tensor) -> None:
        """One optimisation step on an image uint8 [1, H, W, 3]."""
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

    def measure(self, unseen: PosedViews) -> Gaps:
        """How much images that are held out differ from the views at their estimated poses."""
        return Gaps(self.gaps(unseen.images.to(self.images.device)))

    def learn_all(self) -> None:
        """Images that are held out stay so: nobody knows their poses."""

    @torch.no_grad()
    def gaps(self, images: Tensor) -> Tensor:
        """Feature gap [N] of each of the images uint8 [N, H, W, 3] against the view at the pose
        that the copy estimates.
        """
        gaps = []
        for image in images.split(1):
            photo = network_input(image, self.camera)
            gaps.append(
                self._feature_gap(photo, self._render(self.net(photo).T_world_cam[0], image))
            )
        return torch.stack(gaps).cpu()

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
