"""What the camera saw and what the map shows at the estimate, as colours and as features (paper,
Figure 5).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from posemap_ros.aprnet.network import APRNet
from posemap_ros.dataset import PosedImages
from posemap_ros.evaluation.errors import Evaluation
from posemap_ros.localizer import Localizer
from posemap_ros.map_view.rendering import fine_posemap, render_photo
from posemap_ros.nerf_p.pose_branch import POSEMAP_STRIDE
from posemap_ros.pseudo_colour import PseudoColour

_HEIGHT = 240  # pixels of images and renders
# The network's PoseMap has a cell every 16 pixels; pictures of it have one every two.
_FINENESS = POSEMAP_STRIDE // 2


@dataclass(frozen=True, eq=False)
class FrameViews:
    """Pictures of one frame, uint8 RGB [h, w, 3], of different sizes but the same view."""

    image: np.ndarray
    render: np.ndarray  # at the estimated pose
    image_features: np.ndarray
    render_features: np.ndarray
    posemap: np.ndarray  # at the estimated pose


@torch.no_grad()
def view_frames(
    evaluation: Evaluation, dataset: PosedImages, indices: Sequence[int], localizer: Localizer
) -> list[FrameViews]:
    """Views of some frames. Features of photos and renders have their colours from one basis,
    PoseMaps theirs, so pictures of one kind can be compared among all frames.
    """
    device, network = localizer.device, localizer.network_camera
    net = localizer.environment.load_aprnet(device)
    nerf = localizer.environment.load_nerf_p(device)
    camera = network.resized(round(network.width * _HEIGHT / network.height), _HEIGHT)
    images, renders, features, posemaps = [], [], [], []
    for index in indices:
        image = torch.from_numpy(dataset.load_as(index, camera)).to(device)
        pose = torch.as_tensor(
            evaluation.estimates[index].T_map_cam, dtype=torch.float32, device=device
        )
        render = render_photo(nerf, pose, camera, image)
        images.append(image.cpu().numpy())
        renders.append(render.cpu().numpy())
        features.append(_image_features(net, torch.stack([image, render])))
        posemaps.append(fine_posemap(nerf, pose, network, _FINENESS))
    features, posemaps = torch.stack(features), torch.stack(posemaps)
    feature_colours = PseudoColour(features.flatten(0, -2))(features)
    posemap_colours = PseudoColour(posemaps.flatten(0, -2))(posemaps)
    return [
        FrameViews(image, render, *both, posemap)
        for image, render, both, posemap in zip(images, renders, feature_colours, posemap_colours)
    ]


def _image_features(net: APRNet, images: Tensor) -> Tensor:
    """The finest of the features that the image loss compares: uint8 [B, H, W, 3] -> [B, h, w, C].

    At the resolution of the backbone's first tap, before they are resized for the loss.
    """
    size = (net.camera.height, net.camera.width)
    pixels = F.interpolate(images.permute(0, 3, 1, 2) / 255.0, size, mode='area')
    return net.adapters[0](net.backbone.first_tap(pixels)).permute(0, 2, 3, 1)
