"""Scenes whose size the cameras' positions do not tell, measured from images of them."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from posemap_ros.camera import Camera
from posemap_ros.dataset import PosedFrame, PosedImages
from posemap_ros.dataset.image_io import write_image
from posemap_ros.nerf_p.scene import SceneFrame
from posemap_ros.scene_extent import measure_scene, triangulate_seen_points

CAMERA = Camera(256, 192, 200.0, 200.0, 128.0, 96.0)


def look(position, heading_deg, pitch_deg=0.0):
    """T_world_cam [4, 4] of a level camera; z of the world is up."""
    h, p = np.radians(heading_deg), np.radians(pitch_deg)
    forward = np.array([np.cos(p) * np.cos(h), np.cos(p) * np.sin(h), np.sin(p)])
    right = np.array([np.sin(h), -np.cos(h), 0.0])
    T = np.eye(4)
    T[:3, :3] = np.column_stack([right, np.cross(forward, right), forward])
    T[:3, 3] = position
    return T


class PaintedBox:
    """The inside of a box from `low` to `high`, painted with noise of two sizes."""

    def __init__(self, low, high, metres_per_blob):
        self.low, self.high = np.array(low, float), np.array(high, float)
        self.pixels_per_metre = 6.0 / metres_per_blob
        noise = np.random.default_rng(0).normal(size=(3, 512, 512)).astype(np.float32)
        blurred = [cv2.GaussianBlur(n, (0, 0), 3) for n in noise]
        self.noise = [b / b.std() for b in blurred]

    def hits(self, T_world_cam):
        """Depth of each pixel [h, w], and where it is in the world [h, w, 3]."""
        directions = CAMERA.rays().numpy() @ T_world_cam[:3, :3].T
        origin = T_world_cam[:3, 3]
        with np.errstate(divide='ignore'):
            to_wall = (np.where(directions > 0, self.high, self.low) - origin) / directions
        depth = np.where(np.isfinite(to_wall), to_wall, np.inf).min(-1)
        return depth, origin + depth[..., None] * directions

    def photograph(self, T_world_cam):
        _, points = self.hits(T_world_cam)
        wall = np.minimum(np.abs(points - self.low), np.abs(points - self.high)).argmin(-1)
        grey = np.zeros(wall.shape, np.float32)
        for axis, (noise, others) in enumerate(zip(self.noise, ([1, 2], [0, 2], [0, 1]))):
            for scale, weight in ((1.0, 25.0), (0.2, 25.0)):
                at = (points[..., others] * self.pixels_per_metre * scale).astype(np.float32)
                value = cv2.remap(
                    noise, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP
                )
                grey += np.where(wall == axis, weight * value, 0)
        return np.repeat(np.clip(128 + grey, 0, 255).astype(np.uint8)[..., None], 3, axis=-1)

    def dataset(self, folder: Path, poses) -> PosedImages:
        frames = []
        for i, T in enumerate(poses):
            path = folder / f'{i:03d}.jpg'
            write_image(path, self.photograph(T))
            frames.append(PosedFrame(path.stem, path, T))
        return PosedImages(folder, CAMERA, tuple(frames))


@pytest.fixture(scope='module')
def street(tmp_path_factory):
    """A drive of 60 m between house fronts, looking half to the left: things 5 to 40 m away."""
    box = PaintedBox((-30, -12, 0), (110, 8, 25), metres_per_blob=0.3)
    poses = [look((x, 0, 1.6), 45, 5) for x in np.linspace(0, 60, 41)]
    return box, box.dataset(tmp_path_factory.mktemp('street'), poses)


def test_points_lie_on_what_was_seen(street):
    """Against the depth that the ray caster knows, at the pixel where the point appears."""
    box, dataset = street
    seen = triangulate_seen_points(dataset)
    assert len(seen) > 500
    off = np.minimum(np.abs(seen.points - box.low), np.abs(seen.points - box.high)).min(-1)
    assert np.percentile(off / seen.depths, 90) < 0.05
    true = np.concatenate([box.hits(T)[0].ravel() for T in dataset.poses[::8]])
    assert np.percentile(seen.depths, 90) == pytest.approx(np.percentile(true, 90), rel=0.2)
    # What is nearest has few features, as it is smooth; that is what the half is for.
    assert true.min() < np.percentile(seen.depths, 1) < 2 * true.min()


def test_a_street_of_60_m(street):
    box, dataset = street
    scene = measure_scene(dataset.poses, triangulate_seen_points(dataset))
    # The cube is aligned with the mean pose, which looks along its diagonal.
    assert scene.radius_m == pytest.approx(1.5 * 30 / np.sqrt(2), rel=0.01)
    nearest = min(box.hits(T)[0].min() for T in dataset.poses)
    assert 0.5 < scene.near_m < nearest
    assert nearest < scene.middle_m < scene.radius_m + 1e-6
    corners = torch.tensor(np.array([box.low, box.high]), dtype=torch.float32)
    assert scene.normalise(corners).abs().max() < 0.85  # of 1, the horizon
    depths = scene.spacing_to_depth(torch.linspace(0, 1, 65))
    assert ((depths > 4) & (depths < 40)).float().mean() > 0.4


def test_a_corridor_is_sampled_near_the_camera(tmp_path):
    """60 m long, walls at 1 m: from the cameras' cube alone, the first sample is behind them."""
    box = PaintedBox((-2, -1, 0), (70, 1, 2.2), metres_per_blob=0.06)
    poses = [look((x, 0, 1.1), 60) for x in np.linspace(0, 60, 301)]
    dataset = box.dataset(tmp_path, poses[100:160])
    # The images of a part are enough, as long as the frame is measured for all of the drive.
    seen = triangulate_seen_points(dataset)
    alone = SceneFrame.from_poses(torch.tensor(np.array(poses)))
    scene = SceneFrame.from_poses(
        torch.tensor(np.array(poses)), torch.tensor(seen.points), torch.tensor(seen.depths)
    )
    assert alone.near_m > 1.5
    assert scene.near_m < 0.6 and scene.middle_m < 5.0 and scene.radius_m == alone.radius_m
    before = [(s.spacing_to_depth(torch.linspace(0, 1, 65)) < 5.0).sum() for s in (alone, scene)]
    assert before[0] < 5 and before[1] > 30


def test_a_hall_seen_from_nearly_one_place(tmp_path):
    """The camera turns once and sways by 0.6 m, the walls are 15 m away: the cube grows."""
    box = PaintedBox((-15, -15, 0), (15, 15, 12), metres_per_blob=1.2)
    poses = [
        look((0.6 * np.cos(5 * a), 0.6 * np.sin(5 * a), 1.5), np.degrees(a))
        for a in np.linspace(0, 2 * np.pi, 72, endpoint=False)
    ]
    dataset = box.dataset(tmp_path, poses)
    assert SceneFrame.from_poses(torch.tensor(dataset.poses)).radius_m < 1.0
    scene = measure_scene(dataset.poses, triangulate_seen_points(dataset))
    assert 5.0 < scene.radius_m < 10.0
    assert 0.2 < scene.near_m <= 0.5


def test_where_nothing_can_be_triangulated_the_cameras_tell(tmp_path):
    """A camera that turns exactly on the spot sees no depth, and needs none."""
    box = PaintedBox((-5, -5, 0), (5, 5, 3), metres_per_blob=0.3)
    dataset = box.dataset(tmp_path, [look((1, 2, 1.5), heading) for heading in range(0, 360, 15)])
    scene = measure_scene(dataset.poses, triangulate_seen_points(dataset))
    assert scene == SceneFrame.from_poses(torch.tensor(dataset.poses))
    assert scene.radius_m == 0.5
