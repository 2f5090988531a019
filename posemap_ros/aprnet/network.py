"""APRNet: one image to the camera's pose, its spread, and image features (paper, section 3.1)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from posemap_ros.aprnet.backbones import BACKBONES
from posemap_ros.aprnet.heads import HEADS
from posemap_ros.camera import Camera
from posemap_ros.nerf_p.pose_branch import POSEMAP_STRIDE, grid_size
from posemap_ros.nerf_p.scene import SceneFrame

FEATURE_CHANNELS = 128


@dataclass
class Prediction:
    """What APRNet says of B images."""

    T_world_cam: Tensor  # [B, 4, 4], rotations on SO(3)
    log_sigma: Tensor  # [B, 2] log of the standard deviation per axis: metres, radians
    # Of the cells of the grid, if the head predicts them:
    points: Tensor | None = None  # [B, N, 3] world points seen there
    depths: Tensor | None = None  # [B, N] their depths, metres

    def part(self, index: slice) -> Prediction:
        """What is said of a run of the images."""
        return Prediction(*(None if v is None else v[index] for v in self._values()))

    @classmethod
    def cat(cls, parts: list[Prediction]) -> Prediction:
        """Predictions for several batches, one after the other."""
        columns = zip(*(part._values() for part in parts))
        return cls(*(None if column[0] is None else torch.cat(column) for column in columns))

    def _values(self) -> tuple[Tensor | None, ...]:
        return self.T_world_cam, self.log_sigma, self.points, self.depths


class FeatureAdapter(nn.Sequential):
    """One backbone tap to image features: 1x1 to 64, ReLU, 5x5 to 128, batch norm (as DFNet)."""

    def __init__(self, channels: int) -> None:
        super().__init__(
            nn.Conv2d(channels, 64, 1),
            nn.ReLU(),
            nn.Conv2d(64, FEATURE_CHANNELS, 5, padding=2),
            nn.BatchNorm2d(FEATURE_CHANNELS),
        )


class APRNet(nn.Module):
    """Backbone, pose head, and one feature adapter for each backbone tap.

    Args:
        scene: the frame in which the head works; predictions leave in the world.
        camera: the network's input camera, undistorted; sides are multiples of 16.
        backbone: a name in ``BACKBONES``.
        head: a name in ``HEADS``.
        feature_stride: image features are compared on a grid of every so many pixels (1 in DFNet).
    """

    def __init__(
        self, scene: SceneFrame, camera: Camera, backbone: str, head: str, feature_stride: int
    ) -> None:
        super().__init__()
        self.scene, self.camera = scene, camera
        self.backbone = BACKBONES[backbone]()
        self.head = HEADS[head](
            self.backbone.channels, scene.radius_m, camera.rays(stride=POSEMAP_STRIDE)
        )
        self.adapters = nn.ModuleList(FeatureAdapter(c) for c in self.backbone.tap_channels)
        self.feature_size = (camera.height // feature_stride, camera.width // feature_stride)
        self.register_buffer('T_world_scene', scene.T_world_scene, persistent=False)

    def forward(self, images: Tensor) -> Prediction:
        """Images [B, 3, H, W] in [0, 1] at the network's camera -> poses."""
        return self.pose(self.backbone(images)[1])

    def pose(self, deep: Tensor) -> Prediction:
        """The backbone's deep features [B, C, h, w] -> poses in the world."""
        out = self.head(deep)
        points = out.points
        if points is not None:
            rotation, translation = self.T_world_scene[:3, :3], self.T_world_scene[:3, 3]
            points = points @ rotation.t() + translation
        return Prediction(self.T_world_scene @ out.T_scene_cam, out.log_sigma, points, out.depths)

    def descriptor(self, deep: Tensor) -> Tensor:
        """The backbone's deep features [B, C, h, w] -> global descriptors [B, 2 C] of unit length.

        Their products are the higher, the more two images look alike. Means of the left and the
        right half of the image, which ranked the nearest photos as well as finer grids, maxima,
        powers, and the head's own features, and better than the map as a whole.
        """
        halves = [half.mean((2, 3)) for half in deep.chunk(2, dim=3)]
        return F.normalize(torch.cat(halves, dim=1), dim=1)

    def features(self, taps: list[Tensor], window: Window | None = None) -> list[Tensor]:
        """Taps -> image features, each [B, 128, H / feature_stride, W / feature_stride], or those
        of a window alone.
        """
        height, width = self.feature_size
        if window is not None:
            cells = grid_size(self.camera)
            height = round(height * len(window.rows) / cells[0])
            width = round(width * len(window.columns) / cells[1])
            taps = [window.of(tap, cells) for tap in taps]
        return [
            F.interpolate(
                adapter(tap).float(), (height, width), mode='bilinear', align_corners=False
            )
            for adapter, tap in zip(self.adapters, taps)
        ]


@dataclass(frozen=True)
class Window:
    """A part of an image: neighbouring rows and columns of the stride-16 grid, as tensors, so that
    where it is can change in what a GPU has recorded.
    """

    rows: Tensor  # [h]
    columns: Tensor  # [w]

    @classmethod
    def draw(
        cls,
        cells: tuple[int, int],
        share: float,
        generator: torch.Generator,
        device: torch.device,
    ) -> Window:
        """A random part whose sides are ``share`` of an image's with so many rows and columns."""
        taken = [max(1, round(share * count)) for count in cells]
        first = [
            int(torch.randint(count - few + 1, (1,), generator=generator))
            for count, few in zip(cells, taken)
        ]
        return cls(*(torch.arange(f, f + t).to(device) for f, t in zip(first, taken)))

    def of(self, tap: Tensor, cells: tuple[int, int]) -> Tensor:
        """What a feature map [B, C, h, w] of an image with so many rows and columns of cells shows
        in the window.
        """
        for dim, chosen, count in ((2, self.rows, cells[0]), (3, self.columns, cells[1])):
            if len(chosen) < count:
                each = torch.arange(tap.shape[dim] // count, device=tap.device)
                tap = tap.index_select(dim, (chosen[:, None] * len(each) + each).flatten())
        return tap


def network_input(images: Tensor, camera: Camera) -> Tensor:
    """uint8 RGB images [B, h, w, 3], real or rendered smaller, as APRNet takes them: [B, 3, H, W]
    in [0, 1].

    Smaller ones are enlarged bicubically, as the paper's renders are.
    """
    return enlarge(images.permute(0, 3, 1, 2).float() / 255.0, camera)


def enlarge(images: Tensor, camera: Camera) -> Tensor:
    """Float images [B, 3, h, w] to the camera's size, differentiably."""
    if images.shape[2:] != (camera.height, camera.width):
        size = (camera.height, camera.width)
        images = F.interpolate(images, size, mode='bicubic', align_corners=False).clamp(0.0, 1.0)
    return images.contiguous(memory_format=torch.channels_last)
