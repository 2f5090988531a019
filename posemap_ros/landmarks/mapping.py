"""From posed photos and NeRF-P to the landmarks of a place."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from posemap_ros.aprnet.network import APRNet, network_input
from posemap_ros.camera import Camera
from posemap_ros.dataset import PosedImages
from posemap_ros.dataset.spread import spread_along
from posemap_ros.landmarks.depth import ray_depths
from posemap_ros.landmarks.keypoints import KeypointDetector, make_detector
from posemap_ros.landmarks.landmark_map import LandmarkMap
from posemap_ros.landmarks.matching import mean_descriptors, unit_vectors
from posemap_ros.landmarks.photo_pairs import choose_pairs
from posemap_ros.landmarks.selection import choose_landmarks
from posemap_ros.landmarks.tracks import join_tracks
from posemap_ros.landmarks.triangulation import Sightings, triangulate
from posemap_ros.nerf_p.nerf_p import NeRFP
from posemap_ros.recipe import LandmarksRecipe
from posemap_ros.rigid import relative_poses
from posemap_ros.support.blocks import in_blocks
from posemap_ros.two_view.epipolar import sampson_px
from posemap_ros.two_view.features import mutual_matches

_PHOTOS_AT_ONCE, _PAIRS_AT_ONCE = 16, 128
# Of a longer side of 640 pixels. Matches farther from the epipolar line than several times the
# usual distance are wrong, whatever that is: poses are not always exact to the pixel.
_USUAL_DISTANCES, _LEAST_PX, _MOST_PX = 6.0, 1.0, 4.0
_DEPTH_ERROR = 0.03  # of the depth: NeRF-P's, beside its own spread; corrected by what is measured
_SURE_DEPTH = 0.01  # of the depth: how sure a point must be to measure NeRF-P's depth by it
_LARGEST_ERROR = 3.0  # standard deviations
_LEAST_AGREEING = 0.6  # share of a track's sightings that must agree on one point


class NothingInCommon(ValueError):
    """Photos that share no landmarks."""


@dataclass(frozen=True, eq=False)
class _Photos:
    """Keypoints of all photos, photo by photo, and what each looks like as a whole."""

    camera: Camera
    T_world_cam: np.ndarray  # [p, 4, 4]
    looks: np.ndarray  # [p, G]
    photo: np.ndarray  # [k] of each keypoint
    offsets: np.ndarray  # [p + 1] where each photo's keypoints begin
    pixels: np.ndarray  # [k, 2]
    descriptors: np.ndarray  # [k, D] uint8

    def rays(self, pixels: np.ndarray, photo: np.ndarray) -> np.ndarray:
        """Directions [m, 3] in the world, of unit length along the optical axis."""
        xy = (pixels - (self.camera.cx, self.camera.cy)) / (self.camera.fx, self.camera.fy)
        rays = np.concatenate([xy, np.ones((len(xy), 1))], axis=1)
        return np.einsum('mij,mj->mi', self.T_world_cam[photo, :3, :3], rays)


def map_landmarks(
    dataset: PosedImages, nerf: NeRFP, net: APRNet, recipe: LandmarksRecipe, work: Path
) -> LandmarkMap:
    """Find and place the landmarks that photos of a place share.

    Args:
        dataset: the photos and their poses.
        nerf, net: of the same place.
        work: folder from which a stopped run goes on.

    Raises:
        NothingInCommon: no two photos show the same keypoints.
    """
    dataset = spread_along(dataset, recipe.photos, net.scene.middle_m)
    detector = make_detector(recipe.detector)
    work = work / f'landmarks-{_digest(dataset, recipe)}'
    work.mkdir(parents=True, exist_ok=True)
    photos = _look_at(dataset, detector, net, recipe, work)
    matches, distances = _match(photos, detector, _scene_points(photos, nerf), recipe.pairs, work)
    if not len(matches):
        raise NothingInCommon(f'{dataset.root}: no two photos show the same keypoints')
    track = join_tracks(len(photos.photo), photos.photo, matches, distances)
    return _place(photos, track, nerf, detector, recipe)


def _digest(dataset: PosedImages, recipe: LandmarksRecipe) -> str:
    told = [asdict(recipe), dataset.camera.to_dict(), dataset.names]
    digest = hashlib.sha256(json.dumps(told).encode())
    digest.update(dataset.poses.tobytes())
    return digest.hexdigest()[:12]


def _look_at(
    dataset: PosedImages,
    detector: KeypointDetector,
    net: APRNet,
    recipe: LandmarksRecipe,
    work: Path,
) -> _Photos:
    """Find keypoints in all photos, and describe each as a whole."""
    camera = dataset.camera.undistorted().with_longer_side_at_most(recipe.image_width)

    def look_at(block: range) -> dict[str, np.ndarray]:
        found = []
        for i in block:
            gray = cv2.cvtColor(dataset.load_as(i, camera), cv2.COLOR_RGB2GRAY)
            found.append(detector.detect(gray, max_keypoints=recipe.keypoints))
        images = np.stack([dataset.load_as(i, net.camera) for i in block])
        return {
            'counts': np.array([len(keypoints) for keypoints in found]),
            'pixels': np.concatenate([keypoints.points for keypoints in found]),
            'descriptors': np.concatenate([keypoints.descriptors for keypoints in found]),
            'looks': _descriptors(net, images).astype(np.float16),
        }

    size = _PHOTOS_AT_ONCE
    kept = in_blocks(work, 'keypoints', len(dataset), size, look_at, 'keypoints')
    return _Photos(
        camera,
        dataset.poses,
        kept['looks'],
        np.repeat(np.arange(len(dataset)), kept['counts']),
        np.concatenate([[0], np.cumsum(kept['counts'])]),
        kept['pixels'].astype(np.float64),
        kept['descriptors'],
    )


@torch.inference_mode()
def _descriptors(net: APRNet, images: np.ndarray) -> np.ndarray:
    """Global descriptors [n, G] of images uint8 [n, h, w, 3] of the network's camera."""
    pixels = torch.from_numpy(images).to(next(net.parameters()).device)
    return net.descriptor(net.backbone(network_input(pixels, net.camera))[1]).cpu().numpy()


def _scene_points(photos: _Photos, nerf: NeRFP) -> np.ndarray:
    """What each photo sees, by NeRF-P, on a grid of 8 x 6: [p, 6, 8, 3] in the world."""
    u, v = (np.arange(8) + 0.5) / 8, (np.arange(6) + 0.5) / 6
    grid = np.stack(np.meshgrid(u * photos.camera.width, v * photos.camera.height), axis=-1)
    count = len(photos.T_world_cam)
    photo = np.repeat(np.arange(count), 48)
    rays = photos.rays(np.tile(grid.reshape(-1, 2), (count, 1)), photo)
    origins = photos.T_world_cam[photo, :3, 3]
    depths, _ = ray_depths(nerf, origins, rays)
    return (origins + depths[:, None] * rays).reshape(count, 6, 8, 3)


def _match(
    photos: _Photos,
    detector: KeypointDetector,
    scene_points: np.ndarray,
    pair_budget: int,
    work: Path,
) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints [m, 2] that look alike and obey the epipolar geometry, and how they differ [m]."""
    pairs = choose_pairs(photos.T_world_cam, photos.camera, scene_points, pair_budget)
    vectors = unit_vectors(photos.descriptors, detector)
    part = [slice(*ends) for ends in zip(photos.offsets, photos.offsets[1:])]

    def match(block: range) -> dict[str, np.ndarray]:
        matches, errors, alike = [], [], []
        for a, b in pairs[block.start : block.stop]:
            pair = mutual_matches(vectors[part[a]], vectors[part[b]])
            pair = pair + (photos.offsets[a], photos.offsets[b])
            alike.append(np.einsum('md,md->m', vectors[pair[:, 0]], vectors[pair[:, 1]]))
            points = photos.pixels[pair]
            T_b_a = relative_poses(photos.T_world_cam[a], photos.T_world_cam[b])
            errors.append(
                sampson_px(points[None, :, 0], points[None, :, 1], T_b_a[None], photos.camera)[0]
            )
            matches.append(pair)
        found = {'matches': matches, 'errors': errors, 'alike': alike}
        return {name: np.concatenate(parts) for name, parts in found.items()}

    if not len(pairs):
        return np.empty((0, 2), int), np.empty(0)
    name = f'matched-{hashlib.sha256(pairs.tobytes()).hexdigest()[:12]}'
    kept = in_blocks(work, name, len(pairs), _PAIRS_AT_ONCE, match, 'matching')
    matches, errors = kept['matches'], kept['errors']
    pixel = photos.camera.longer_side / 640
    usual = float(np.median(errors)) if len(errors) else 0.0
    limit = np.clip(_USUAL_DISTANCES * usual, _LEAST_PX * pixel, _MOST_PX * pixel)
    close = errors < limit
    return matches[close], 1.0 - kept['alike'][close]


def _place(
    photos: _Photos,
    track: np.ndarray,
    nerf: NeRFP,
    detector: KeypointDetector,
    recipe: LandmarksRecipe,
) -> LandmarkMap:
    """Triangulate the tracks, drop what does not agree, and keep what the budget allows."""
    order = np.argsort(track, kind='stable')
    photo, pixels = photos.photo[order], photos.pixels[order]
    origins, rays = photos.T_world_cam[photo, :3, 3], photos.rays(pixels, photo)
    depths, spreads = ray_depths(nerf, origins, rays)
    sightings = Sightings(
        track[order], photo, pixels, depths, np.hypot(spreads, _DEPTH_ERROR * depths)
    )
    sigma_px, depth_scale = _measure_noise(photos, sightings)
    sightings = Sightings(
        sightings.track, photo, pixels, depths, depth_scale * sightings.depth_sigmas
    )
    count = int(track.max()) + 1
    placed = triangulate(sightings, count, photos.T_world_cam, photos.camera, sigma_px)
    agrees = (placed.errors_px < _LARGEST_ERROR * sigma_px) & (placed.depths > 0)
    views = np.bincount(sightings.track, minlength=count)
    agreeing = np.bincount(sightings.track[agrees], minlength=count)
    # Two photos always meet somewhere near their epipolar lines: only NeRF-P can contradict them.
    contradicted = np.bincount(
        sightings.track[np.abs(placed.depth_errors) > _LARGEST_ERROR], minlength=count
    )
    sound = (agreeing >= _LEAST_AGREEING * views) & (agreeing >= np.minimum(views, 2))
    sound &= ~((views == 2) & (contradicted > 0))
    used = np.flatnonzero(agrees & sound[sightings.track])

    sigmas = np.sqrt(np.linalg.eigvalsh(placed.covariances)[:, -1])
    kept = choose_landmarks(
        agreeing - np.minimum(sigmas, 0.99),
        agreeing == 1,
        sightings.track[used],
        photo[used],
        pixels[used],
        photos.camera,
        recipe.landmarks,
        recipe.per_cell,
    )
    number = np.full(count, -1)
    number[kept] = np.arange(len(kept))
    used = used[number[sightings.track[used]] >= 0]
    descriptors = mean_descriptors(
        photos.descriptors[order[used]], number[sightings.track[used]], len(kept), detector
    )
    used = used[np.argsort(photo[used], kind='stable')]
    counts = np.bincount(photo[used], minlength=len(photos.T_world_cam))
    return LandmarkMap(
        points=placed.points[kept].astype(np.float32),
        sigmas=sigmas[kept].astype(np.float32),
        descriptors=descriptors,
        T_world_cam=photos.T_world_cam,
        looks=photos.looks,
        photo_offsets=np.concatenate([[0], np.cumsum(counts)]),
        seen=number[sightings.track[used]].astype(np.int32),
        seen_points=(origins[used] + placed.depths[used, None] * rays[used]).astype(np.float32),
        camera=photos.camera,
        detector=detector.name,
    )


def _measure_noise(photos: _Photos, sightings: Sightings) -> tuple[float, float]:
    """How far keypoints are from where they should be, pixels, with what the poses add to it, and
    by what to multiply the standard deviations of NeRF-P's depths: both by the points that four
    photos and more agree on.
    """
    pixel = photos.camera.longer_side / 640
    views = np.bincount(sightings.track)[sightings.track]
    well_seen = sightings.select(views >= 4)
    if len(well_seen) < 100:
        return 2.0 * pixel, 1.0
    _, track = np.unique(well_seen.track, return_inverse=True)
    count, views = int(track.max()) + 1, views[views >= 4]
    well_seen = Sightings(
        track,
        well_seen.photo,
        well_seen.pixels,
        well_seen.depths,
        1e3 * well_seen.depth_sigmas,  # so that they have no say
    )
    placed = triangulate(well_seen, count, photos.T_world_cam, photos.camera, 2.0 * pixel)
    # Of a normal distribution, half are farther than 1.177 standard deviations; three of 2 m
    # numbers went into the point.
    degrees_of_freedom = (2 * views - 3) / (2 * views)
    usual = np.median(placed.errors_px / np.sqrt(degrees_of_freedom)) / 1.177
    sigma_px = float(np.clip(usual, 0.3 * pixel, 4.0 * pixel))
    sigmas = np.sqrt(np.linalg.eigvalsh(placed.covariances)[:, -1])[track]
    sure = sigmas < _SURE_DEPTH * placed.depths
    if sure.sum() < 100:
        return sigma_px, 1.0
    errors = np.abs(placed.depths - well_seen.depths)[sure] * 1e3 / well_seen.depth_sigmas[sure]
    return sigma_px, float(np.clip(np.quantile(errors, 0.68), 0.1, 1e3))
