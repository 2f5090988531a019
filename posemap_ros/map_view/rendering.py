"""The radiance field's view of a place from a pose, and the PoseMap there, as pictures."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from posemap_ros.camera import Camera
from posemap_ros.map_view.place import Place
from posemap_ros.nerf_p.exposure import luma_histogram
from posemap_ros.nerf_p.nerf_p import NeRFP
from posemap_ros.nerf_p.pose_branch import grid_size
from posemap_ros.pseudo_colour import PseudoColour

# Poses of the mapping drive whose PoseMaps choose the colours of all.
_COLOUR_POSES = 24
_CELLS_AT_ONCE = 4096


def render_photo(nerf: NeRFP, pose: Tensor, camera: Camera, photo: Tensor) -> Tensor:
    """The map as `camera` would have photographed it from a pose [4, 4], with the exposure of
    another photo, uint8 [h, w, 3]: uint8 [height, width, 3].
    """
    rgb = nerf.render_view(pose, camera, luma_histogram(photo[None])[0]).rgb
    return (255.0 * rgb).round().to(torch.uint8)


def fine_posemap(nerf: NeRFP, pose: Tensor, network: Camera, fineness: int) -> Tensor:
    """The PoseMap at a pose [4, 4], with `fineness` times as many rows and columns as the
    network's: [h, w, C].
    """
    camera = network.resized(network.width * fineness, network.height * fineness)
    rows, columns = grid_size(camera)
    cells = torch.arange(rows * columns, device=pose.device)
    parts = [
        nerf.posemap(pose[None], camera, part).features[0] for part in cells.split(_CELLS_AT_ONCE)
    ]
    return torch.cat(parts).reshape(rows, columns, -1)


class MapRenderer:
    """Renders pictures of one map; their colours can be compared from one pose to the next.

    Args:
        nerf: the map, on the device where it is rendered.
        network: the network's camera, whose view the pictures show.
        place: its photos' poses choose the colours of PoseMaps; without it, the first pose that
            is asked for does.
    """

    def __init__(self, nerf: NeRFP, network: Camera, place: Place | None = None) -> None:
        self._nerf, self._network, self._place = nerf, network, place
        self._device = next(nerf.parameters()).device
        self._colours: PseudoColour | None = None

    def camera(self, height: int) -> Camera:
        """Of views that are `height` pixels high."""
        network = self._network
        return network.resized(round(network.width * height / network.height), height)

    @torch.inference_mode()
    def view(self, T_map_cam: np.ndarray, photo: np.ndarray, height: int) -> np.ndarray:
        """The view from a pose [4, 4], exposed like `photo`; both uint8 RGB [height, width, 3]."""
        exposed_like = torch.from_numpy(np.array(photo)).to(self._device)
        pose = self._tensor(T_map_cam)
        return render_photo(self._nerf, pose, self.camera(height), exposed_like).cpu().numpy()

    @torch.inference_mode()
    def posemap(self, T_map_cam: np.ndarray, fineness: int = 1) -> np.ndarray:
        """The PoseMap at a pose [4, 4], uint8 RGB [h, w, 3]: a pixel for each cell, its colours
        the main components of the cell's features.
        """
        features = fine_posemap(self._nerf, self._tensor(T_map_cam), self._network, fineness)
        if self._colours is None:
            self._colours = PseudoColour(self._typical(features))
        return self._colours(features)

    @torch.inference_mode()
    def point_colours(self, place: Place, photo: np.ndarray) -> np.ndarray:
        """How the place's points look from where they were photographed, exposed like `photo`:
        uint8 RGB [N, 3].
        """
        camera_poses = place.T_world_cam[place.seen_from]
        away = place.points - camera_poses[:, :3, 3]
        depth = np.einsum('ni,ni->n', away, camera_poses[:, :3, 2])
        directions = away / np.maximum(depth, 1e-3)[:, None]
        histogram = luma_histogram(torch.from_numpy(np.array(photo)).to(self._device)[None])
        parts = []
        rays = (self._tensor(camera_poses[:, :3, 3]), self._tensor(directions))
        for origins, along in zip(*(part.split(self._nerf.chunk_rays) for part in rays)):
            samples = self._nerf.sample(origins, along)
            parts.append(self._nerf.shade(samples, along, histogram))
        return (255.0 * torch.cat(parts).clamp(0, 1)).round().to(torch.uint8).cpu().numpy()

    def _typical(self, features: Tensor) -> Tensor:
        """Features [N, C] that span what PoseMaps of this place hold."""
        if self._place is None:
            return features.flatten(0, 1)
        poses = self._place.T_world_cam
        chosen = np.unique(np.linspace(0, len(poses) - 1, _COLOUR_POSES).round().astype(int))
        posemaps = self._nerf.posemap(self._tensor(poses[chosen]), self._network)
        return posemaps.features.flatten(0, 1)

    def _tensor(self, values: np.ndarray) -> Tensor:
        return torch.as_tensor(values, dtype=torch.float32, device=self._device)
