"""The plain reference for landmarks: SIFT points triangulated from photos at known poses.

Everything by COLMAP with its own defaults, but for the pairs that are matched (photos that look
the same way from near by) and for the photos that a query is matched with (those that look alike,
by VLAD of the same SIFT descriptors, Jegou et al., CVPR 2010): no network, no prior, nothing of
ours.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pycolmap
import torch
from torch import Tensor
from torch.nn import functional as F

from posemap_ros.camera import Camera
from posemap_ros.dataset import PosedImages
from posemap_ros.evaluation.errors import rotation_error_deg, translation_error_m

PAIRS = 20  # photos that each is matched with, every fourth of the nearest
NEAREST = 4 * PAIRS
WIDEST_DEG = 60.0  # between the directions of two photos that are matched
WORDS = 32  # of VLAD
PHOTOS = 10  # that a query is matched with
RATIO = 0.8  # of Lowe's test, as in COLMAP


@dataclass
class SiftMap:
    """What a query needs: points, and the descriptors that were triangulated, photo by photo."""

    points: np.ndarray  # [P, 3] float32, metres
    descriptors: np.ndarray  # [D, 128] uint8, photos one after the other
    point_of: np.ndarray  # [D] int32: which point each descriptor saw
    ends: np.ndarray  # [N] int32: where the descriptors of each photo end
    words: np.ndarray  # [WORDS, 128] float16
    looks: np.ndarray  # [N, WORDS * 128] float16: VLAD of each photo

    def save(self, path: Path) -> None:
        """As an uncompressed .npz."""
        np.savez(path, **{f.name: getattr(self, f.name) for f in fields(self)})

    @classmethod
    def load(cls, path: Path) -> SiftMap:
        with np.load(path) as values:
            return cls(**{f.name: values[f.name] for f in fields(cls)})

    def localize(
        self, image: np.ndarray, camera: Camera, photos: int = PHOTOS
    ) -> tuple[np.ndarray, int] | None:
        """T_world_cam [4, 4] and the count of inliers, or None.

        Args:
            image: uint8 [height, width, 3], RGB, of ``camera``, without distortion.
            photos: that it is matched with.
        """
        keypoints, descriptors = sift(image)
        if len(keypoints) < 4:
            return None
        unit = unit_descriptors(descriptors)
        looks, words = torch.from_numpy(self.looks).float(), torch.from_numpy(self.words).float()
        alike = (looks @ vlad(unit, words)).topk(min(photos, len(looks))).indices.tolist()
        pairs = np.concatenate([self._matches(unit, photo) for photo in alike])
        pairs = np.unique(pairs, axis=0)
        found = pycolmap.estimate_and_refine_absolute_pose(
            keypoints[pairs[:, 0]].astype(float),
            self.points[pairs[:, 1]].astype(float),
            colmap_camera(camera),
        )
        if found is None:
            return None
        T_world_cam = np.eye(4)
        T_world_cam[:3] = found['cam_from_world'].inverse().matrix()
        return T_world_cam, int(found['num_inliers'])

    def _matches(self, unit: Tensor, photo: int) -> np.ndarray:
        """(keypoint, point) [M, 2] of those that are each other's best and pass Lowe's test."""
        begin, end = int(self.ends[photo - 1]) if photo else 0, int(self.ends[photo])
        if end - begin < 2:
            return np.zeros((0, 2), int)
        likeness = unit @ unit_descriptors(self.descriptors[begin:end]).t()
        (best, second), (index, _) = (x.unbind(1) for x in likeness.topk(2, dim=1))
        distance, next_one = (2 - 2 * x.clamp(max=1) for x in (best, second))
        mutual = likeness.argmax(0)[index] == torch.arange(len(unit))
        used = (mutual & (distance < RATIO**2 * next_one)).nonzero()[:, 0].numpy()
        return np.stack([used, self.point_of[begin:end][index.numpy()[used]]], axis=1)


def build_sift_map(images: PosedImages, work: Path, threads: int = 1) -> SiftMap:
    """Extract, match, triangulate in the folder `work`; all images must be of one camera."""
    database, photos = work / 'database.db', work / 'images'
    photos.mkdir()
    names = [f'{i:06d}{frame.path.suffix}' for i, frame in enumerate(images.frames)]
    for name, frame in zip(names, images.frames):
        os.symlink(frame.path.resolve(), photos / name)
    reader = pycolmap.ImageReaderOptions()
    c = images.camera
    reader.camera_model, reader.camera_params = 'PINHOLE', f'{c.fx},{c.fy},{c.cx},{c.cy}'
    extraction = pycolmap.FeatureExtractionOptions()
    extraction.num_threads = threads
    pycolmap.extract_features(
        database,
        photos,
        names,
        camera_mode=pycolmap.CameraMode.SINGLE,
        reader_options=reader,
        extraction_options=extraction,
        device=pycolmap.Device.cpu,
    )
    matching, listed = pycolmap.FeatureMatchingOptions(), pycolmap.ImportedPairingOptions()
    matching.num_threads = threads
    listed.match_list_path = work / 'pairs.txt'
    pairs = [f'{names[i]} {names[j]}' for i, j in pairs_near_by(images.poses)]
    listed.match_list_path.write_text('\n'.join(pairs) + '\n')
    pycolmap.match_image_pairs(database, matching, listed, device=pycolmap.Device.cpu)
    model = _at_known_poses(database, dict(zip(names, images.poses)))
    options = pycolmap.IncrementalPipelineOptions()
    options.num_threads = threads
    (work / 'model').mkdir()
    model = pycolmap.triangulate_points(model, database, photos, work / 'model', options=options)
    return _compact(model, database)


def pairs_near_by(poses: np.ndarray) -> list[tuple[int, int]]:
    """(i, j), i < j, to match: every fourth of those nearest to each photo by position and angle,
    for the nearest of all see too little parallax.
    """
    pairs = set()
    for i, pose in enumerate(poses):
        angle = rotation_error_deg(poses, pose)
        gap = translation_error_m(poses, pose) + np.radians(angle)
        gap[angle > WIDEST_DEG] = np.inf
        gap[i] = np.inf
        nearest = np.argsort(gap)[:NEAREST:4]
        pairs.update((min(i, j), max(i, j)) for j in nearest[np.isfinite(gap[nearest])].tolist())
    return sorted(pairs)


def sift(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """COLMAP's keypoints [K, 2] and descriptors [K, 128] uint8 of an RGB image."""
    grey = np.asarray(image[..., :3] @ (0.299, 0.587, 0.114)).round().astype(np.uint8)
    options = pycolmap.FeatureExtractionOptions()
    options.num_threads = 1
    extractor = pycolmap.FeatureExtractor.create(options, pycolmap.Device.cpu)
    keypoints, descriptors = extractor.extract_from_uint8_array(grey)
    return np.array([(k.x, k.y) for k in keypoints]).reshape(-1, 2), np.asarray(descriptors.data)


def unit_descriptors(descriptors: np.ndarray) -> Tensor:
    """[K, 128] uint8 as float32 of length 1."""
    return F.normalize(torch.from_numpy(descriptors.astype(np.float32)), dim=1)


def vlad(unit: Tensor, words: Tensor) -> Tensor:
    """[WORDS * 128]: for each word, how the descriptors nearest to it differ from it, together."""
    word = (unit @ words.t() - words.square().sum(1) / 2).argmax(1)
    sums = torch.zeros_like(words).index_add_(0, word, unit - words[word])
    return F.normalize(F.normalize(sums, dim=1).flatten(), dim=0)


def k_means(unit: Tensor, count: int, rounds: int = 20) -> Tensor:
    """Centres [count, 128]."""
    generator = torch.Generator().manual_seed(0)
    centres = unit[torch.randperm(len(unit), generator=generator)[:count]]
    for _ in range(rounds):
        nearest = (unit @ centres.t() - centres.square().sum(1) / 2).argmax(1)
        sums = torch.zeros_like(centres).index_add_(0, nearest, unit)
        members = torch.bincount(nearest, minlength=count)[:, None]
        centres = torch.where(members > 0, sums / members.clamp(min=1), centres)
    return centres


def colmap_camera(camera: Camera) -> pycolmap.Camera:
    """COLMAP's pinhole for ours; its principal point counts as ours does."""
    return pycolmap.Camera(
        model='PINHOLE',
        width=camera.width,
        height=camera.height,
        params=[camera.fx, camera.fy, camera.cx, camera.cy],
    )


def _at_known_poses(database: Path, poses: dict[str, np.ndarray]) -> pycolmap.Reconstruction:
    """A model without points, whose images lie where they were taken."""
    model = pycolmap.Reconstruction()
    with pycolmap.Database.open(database) as db:
        for camera in db.read_all_cameras():
            model.add_camera_with_trivial_rig(camera)
        for image in db.read_all_images():
            placed = pycolmap.Image(
                name=image.name,
                keypoints=db.read_keypoints(image.image_id)[:, :2].astype(float),
                camera_id=image.camera_id,
                image_id=image.image_id,
            )
            T_cam_world = np.linalg.inv(poses[image.name])[:3]
            model.add_image_with_trivial_frame(placed, pycolmap.Rigid3d(T_cam_world))
    return model


def _compact(model: pycolmap.Reconstruction, database: Path) -> SiftMap:
    """What a query needs of a triangulated model, and no more."""
    row = {point_id: i for i, point_id in enumerate(model.points3D)}
    points = np.array([point.xyz for point in model.points3D.values()], np.float32)
    descriptors, point_of, everything = [], [], []
    with pycolmap.Database.open(database) as db:
        for image in sorted(model.images.values(), key=lambda image: image.name):
            all_of_it = np.asarray(db.read_descriptors(image.image_id).data)
            seen = image.get_observation_point2D_idxs()
            descriptors.append(all_of_it[seen])
            point_of.append([row[image.points2D[i].point3D_id] for i in seen])
            everything.append(all_of_it)
    some = unit_descriptors(np.concatenate([d[::8] for d in everything]))
    words = k_means(some, WORDS)
    return SiftMap(
        points.reshape(-1, 3),
        np.concatenate(descriptors),
        np.concatenate(point_of).astype(np.int32),
        np.cumsum([len(d) for d in descriptors], dtype=np.int32),
        words.half().numpy(),
        torch.stack([vlad(unit_descriptors(d), words) for d in everything]).half().numpy(),
    )
