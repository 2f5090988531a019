"""NeRF-P's depth in the demo's room against the room's own geometry.

    pip install -r requirements/render.txt      # Mitsuba, into .venv
    tools/with_ros python -m benchmarks.bench_depth --environment demo/environment --data mapping

The data are the demo's mapping drive, as extract_bag writes it. Views are some of the photos' and
as many from elsewhere in the room, 0.2 m and more away from every photo.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch

from demo.scene import DAY, mapped_room
from posemap_ros.camera import Camera
from posemap_ros.dataset import open_part
from posemap_ros.dataset.errors import DatasetError
from posemap_ros.environment import Environment
from posemap_ros.geometry import perturb_poses
from posemap_ros.nerf_p.exposure import luma_histogram
from posemap_ros.nerf_p.nerf_p import NeRFP
from posemap_ros.support.command_line import run_stage

VIEWS, HEIGHT = 48, 120
AWAY_M, MOST_AWAY_M, TURNED_DEG = 0.2, 0.5, 20.0
CLEARANCE_M = 0.25  # a camera has some room around it
WRONG_M = 0.1


class Room:
    """The demo's room as it was mapped.

    Raises:
        DatasetError: Mitsuba is not installed.
    """

    def __init__(self) -> None:
        try:
            import mitsuba
        except ImportError:
            raise DatasetError(
                'the true depths come from Mitsuba, which is not installed: '
                'tools/with_ros pip install -r requirements/render.txt'
            ) from None
        mitsuba.set_variant('llvm_ad_rgb')
        from demo.render import meshes

        self._mitsuba = mitsuba
        self._scene = mitsuba.load_dict({'type': 'scene', **meshes(mapped_room(), DAY)})

    def depth(self, T_world_cam: np.ndarray, camera: Camera) -> np.ndarray:
        """True depth [h, w] along the optical axis, metres; infinite where nothing is."""
        mitsuba = self._mitsuba
        rays = camera.rays().numpy().reshape(-1, 3).astype(np.float64)
        length = np.linalg.norm(rays, axis=1)
        directions = (rays / length[:, None]) @ T_world_cam[:3, :3].T
        origins = np.broadcast_to(T_world_cam[:3, 3], directions.shape)
        ray = mitsuba.Ray3f(*(vector(mitsuba, v) for v in (origins, directions)))
        distance = np.array(self._scene.ray_intersect(ray).t)
        return (distance / length).reshape(camera.height, camera.width)


def vector(mitsuba, rows: np.ndarray):
    """Rows [n, 3] as Mitsuba takes them."""
    return mitsuba.Vector3f(*(np.ascontiguousarray(v, dtype=np.float32) for v in rows.T))


def views_elsewhere(room: Room, photos: np.ndarray, camera: Camera) -> list[np.ndarray]:
    """Poses in free space, away from those of photos [n, 4, 4]."""
    generator = torch.Generator().manual_seed(0)
    found: list[np.ndarray] = []
    while len(found) < VIEWS:
        chosen = torch.randint(len(photos), (1,), generator=generator)
        near = torch.from_numpy(photos)[chosen].float()
        pose = perturb_poses(near, MOST_AWAY_M, TURNED_DEG, generator)[0].double().numpy()
        away = np.linalg.norm(photos[:, :3, 3] - pose[:3, 3], axis=1).min()
        if away >= AWAY_M and CLEARANCE_M < room.depth(pose, camera).min() < np.inf:
            found.append(pose)
    return found


@torch.no_grad()
def errors(
    room: Room, nerf: NeRFP, poses: list[np.ndarray], camera: Camera, histogram: torch.Tensor
) -> np.ndarray:
    """How far NeRF-P's depth is off in all pixels of views, metres."""
    off = []
    for pose in poses:
        shown = nerf.render_view(torch.from_numpy(pose).float(), camera, histogram).depth.numpy()
        off.append(np.abs(shown - room.depth(pose, camera)).ravel())
    return np.concatenate(off)


def run(arguments: argparse.Namespace) -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    nerf = Environment.load(arguments.environment).load_nerf_p()
    photos = open_part(arguments.data, 'train')
    camera = photos.camera.undistorted()
    camera = camera.resized(round(camera.width * HEIGHT / camera.height), HEIGHT)
    # Colours do not matter here, so any exposure will do.
    histogram = luma_histogram(torch.from_numpy(photos.load_as(0, camera))[None])[0]
    room = Room()
    seen = [photos.poses[i] for i in np.linspace(0, len(photos) - 1, VIEWS).round().astype(int)]
    elsewhere = views_elsewhere(room, photos.poses, camera)
    for name, poses in (('photos', seen), (f'{AWAY_M:g} m and more from any photo', elsewhere)):
        off = errors(room, nerf, poses, camera, histogram)
        print(
            f'{name}: {np.median(off):.4f} m median, {np.quantile(off, 0.9):.3f} m p90, '
            f'{100 * np.mean(off > WRONG_M):.0f} % off by more than {WRONG_M:g} m'
        )


def main(argv: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog='bench_depth',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add('--data', type=Path, required=True, metavar='DIR', help="the demo's mapping drive")
    add('--environment', type=Path, required=True, metavar='DIR', help='built of it')
    return run_stage('bench_depth', lambda: run(parser.parse_args(argv)), ValueError)


if __name__ == '__main__':
    sys.exit(main())
