"""Poses from the images alone: structure from motion.

Done by COLMAP (Schoenberger and Frahm, CVPR 2016) through pycolmap: SIFT features, matched between
neighbours in time and between images that look alike (which closes loops, without a vocabulary
tree), then incremental mapping. What it makes has no scale of its own; `align_world` finds one
where something metric is known.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from posemap_ros.camera import Camera
from posemap_ros.dataset.colmap import camera_from_colmap
from posemap_ros.dataset.errors import DatasetError, some
from posemap_ros.dataset.posed_images import PosedFrame, PosedImages
from posemap_ros.dataset.transforms_json import ARBITRARY
from posemap_ros.extraction.bag_frames import no_progress
from posemap_ros.extraction.bag_recording import Progress
from posemap_ros.extraction.world_alignment import Scale, WorldAlignment, align_world
from posemap_ros.support import commands

if TYPE_CHECKING:
    import pycolmap

MOST_IMAGES = 1000  # unless more are asked for: an hour or two, and with five times as many a day
_LARGEST_SIDE_PX = 1000
_MOST_FEATURES = 2048
_NEIGHBOURS = (1, 2, 3, 4, 5, 6, 8, 12, 16, 24, 32)  # which frames after it each is matched with
_ALIKE, _ALIKE_APART = 4, max(_NEIGHBOURS) + 1  # images alike, beyond those neighbours
_BACKBONE, _BACKBONE_SIDE = 'efficientnet_lite0', 96  # pixels of the shorter side
_IMAGES_AT_ONCE, _PAIRS_AT_ONCE = 8, 100  # so that progress shows and Ctrl-C works
_FEWEST_REGISTERED = 3
# COLMAP's name for each of our models, and how many coefficients it takes.
_MODELS = {
    'none': ('PINHOLE', 0),
    'plumb_bob': ('FULL_OPENCV', 8),
    'rational_polynomial': ('FULL_OPENCV', 8),
    'equidistant': ('OPENCV_FISHEYE', 4),
}


class SfmError(DatasetError):
    """Images from which no poses come."""


@dataclass(frozen=True, eq=False)
class SfmPoses:
    """Where the images were taken from.

    Attributes:
        T_world_cam: [4, 4] of each image, None where it could not be registered. z is up, if that
            can be told.
        camera: as given, or refined.
        scale: 'metric', or 'arbitrary' where nothing gave the scale.
        report: sentences to show: how many are registered, which are missing, what gave the scale.
    """

    T_world_cam: list[np.ndarray | None]
    camera: Camera
    scale: Scale
    report: tuple[str, ...]


def structure_from_motion(
    paths: Sequence[Path],
    camera: Camera,
    *,
    metric_poses: Sequence[np.ndarray | None] | None = None,
    distance: tuple[int, int, float] | None = None,
    refine_camera: bool = False,
    threads: int = 2,
    progress: Progress = no_progress,
) -> SfmPoses:
    """Register images, in order of time, all of one camera.

    Args:
        paths: JPEG or PNG files.
        camera: of the files; kept as it is unless `refine_camera`.
        metric_poses: T_world_cam in metres of those images for which it is known, roughly, such
            as from odometry: they give scale and world.
        distance: two indices, and how many metres these images were taken apart; goes before
            `metric_poses`.
        refine_camera: the intrinsics are a guess.
        threads: of COLMAP; more than one makes results differ from run to run.
        progress: shows how far a long step is.

    Raises:
        SfmError: pycolmap is missing, or the images cannot be connected.
    """
    pycolmap = _import_pycolmap()
    with tempfile.TemporaryDirectory(prefix='posemap_sfm_') as folder, _quiet(pycolmap):
        # Names that sort in order of time, and that hold no spaces, which lists of pairs cannot.
        names = [f'{i:06d}{path.suffix.lower()}' for i, path in enumerate(paths)]
        images, database = Path(folder, 'images'), Path(folder, 'database.db')
        images.mkdir()
        for name, path in zip(names, paths):
            os.symlink(path.resolve(), images / name)
        _extract(pycolmap, database, images, names, camera, threads, progress)
        _match(pycolmap, database, names, _pairs(paths, camera), threads, progress)
        models = _map(pycolmap, database, images, len(names), refine_camera, threads, progress)
        model = max(models, key=lambda model: model.num_reg_images(), default=None)
        if model is None or model.num_reg_images() < _FEWEST_REGISTERED:
            raise SfmError(
                f'structure from motion could not connect the {len(paths)} images: they may be '
                'blurred, bare of texture, or too far apart (keep more frames), or the camera '
                'only turns on the spot (drive, do not only turn), or its calibration is wrong'
            )
        poses = _poses(model, names)
        if refine_camera:
            camera = camera_from_colmap(next(iter(model.cameras.values())), paths[0].parent)
    aligned = align_world(poses, metric_poses, distance)
    return SfmPoses(
        aligned.T_world_cam,
        camera,
        aligned.scale,
        _report(paths, len(models), aligned),
    )


def how_to_scale(folder: Path, scale: Scale) -> Iterator[str]:
    """What to do about a dataset of arbitrary scale, in a line."""
    if scale == ARBITRARY:
        distance = ('--distance', 'FRAME', 'FRAME', 'METRES')
        yield 'once a distance is known: ' + commands.stage(
            'rescale_dataset', '--data', folder, *distance
        )


def _extract(
    pycolmap,
    database: Path,
    images: Path,
    names: list[str],
    camera: Camera,
    threads: int,
    progress: Progress,
) -> None:
    reader = pycolmap.ImageReaderOptions()
    reader.camera_model, reader.camera_params = _colmap_camera(camera)
    options = pycolmap.FeatureExtractionOptions()
    options.num_threads, options.use_gpu = threads, False
    options.max_image_size = _LARGEST_SIDE_PX
    options.sift.max_num_features = _MOST_FEATURES
    starts = range(0, len(names), _IMAGES_AT_ONCE)
    with progress(starts, 'finding features', len(starts)) as items:
        for start in items:
            pycolmap.extract_features(
                database,
                images,
                names[start : start + _IMAGES_AT_ONCE],
                camera_mode=pycolmap.CameraMode.SINGLE,
                reader_options=reader,
                extraction_options=options,
                device=pycolmap.Device.cpu,
            )
            reader.existing_camera_id = 1  # made by the first call


def _match(
    pycolmap,
    database: Path,
    names: list[str],
    pairs: list[tuple[int, int]],
    threads: int,
    progress: Progress,
) -> None:
    options, listed = pycolmap.FeatureMatchingOptions(), pycolmap.ImportedPairingOptions()
    options.num_threads, options.use_gpu = threads, False
    geometry = pycolmap.TwoViewGeometryOptions()
    geometry.ransac.random_seed = 0
    listed.match_list_path = str(database.with_name('pairs.txt'))
    starts = range(0, len(pairs), _PAIRS_AT_ONCE)
    with progress(starts, 'matching', len(starts)) as items:
        for start in items:
            lines = [f'{names[i]} {names[j]}' for i, j in pairs[start : start + _PAIRS_AT_ONCE]]
            Path(listed.match_list_path).write_text('\n'.join(lines))
            pycolmap.match_image_pairs(
                database, options, listed, geometry, device=pycolmap.Device.cpu
            )


def _pairs(paths: Sequence[Path], camera: Camera) -> list[tuple[int, int]]:
    """Which images to match: neighbours in time, near and less near, and those that look alike."""
    from posemap_ros.evaluation.retrieval import similar_images  # here, because it needs torch

    count = len(paths)
    pairs = {(i, i + step) for step in _NEIGHBOURS for i in range(count - step)}
    frames = tuple(PosedFrame(f'{i}', path) for i, path in enumerate(paths))
    small = camera.undistorted().with_shorter_side(_BACKBONE_SIDE)
    dataset = PosedImages(paths[0].parent, camera, frames)
    pairs.update(similar_images(dataset, small, _BACKBONE, _ALIKE, _ALIKE_APART))
    return sorted(pairs)


def _map(
    pycolmap,
    database: Path,
    images: Path,
    count: int,
    refine_camera: bool,
    threads: int,
    progress: Progress,
) -> list[pycolmap.Reconstruction]:
    options = pycolmap.IncrementalPipelineOptions()
    options.num_threads, options.random_seed = threads, 0
    options.extract_colors = False
    options.ba_refine_focal_length = options.ba_refine_extra_params = refine_camera
    options.mapper.abs_pose_refine_focal_length = refine_camera
    options.mapper.abs_pose_refine_extra_params = refine_camera
    output = database.with_name('models')
    output.mkdir()
    with progress(range(count), 'mapping', count) as items:
        ticks = iter(items)
        models = pycolmap.incremental_mapping(
            database,
            images,
            output,
            options,
            next_image_callback=lambda: next(ticks, None),
        )
    return list(models.values())


def _poses(model: pycolmap.Reconstruction, names: list[str]) -> list[np.ndarray | None]:
    poses: dict[str, np.ndarray] = {}
    for image in model.images.values():
        if image.has_pose:
            T = np.eye(4)
            T[:3] = image.cam_from_world().inverse().matrix()
            poses[image.name] = T
    return [poses.get(name) for name in names]


def _colmap_camera(camera: Camera) -> tuple[str, str]:
    """COLMAP's camera model and its parameters; its principal point counts as ours does."""
    name, count = _MODELS[camera.distortion_model]
    if any(camera.distortion[8:]):
        raise SfmError(
            'COLMAP has no camera with thin-prism distortion: undistort the images first'
        )
    k = list(camera.distortion[:8])
    if camera.distortion_model == 'none':
        k = []
    k += [0.0] * (count - len(k))
    values = (camera.fx, camera.fy, camera.cx, camera.cy, *k)
    return name, ','.join(repr(float(value)) for value in values)


def _report(paths: Sequence[Path], models: int, aligned: WorldAlignment) -> tuple[str, ...]:
    missing = [path.stem for path, T in zip(paths, aligned.T_world_cam) if T is None]
    count = len(paths) - len(missing)
    lines = [f'{count} of {len(paths)} images registered ({100 * count / len(paths):.0f} %)']
    if missing:
        lines.append(f'{some(missing, "image")} not registered, and left out')
    if models > 1:
        lines.append(
            f'the images fall into {models} parts that do not connect; the largest is used'
        )
    return (*lines, *aligned.report)


def _import_pycolmap():
    try:
        import pycolmap  # here, because it is large, and nothing else needs it
    except ImportError:
        raise SfmError(
            'structure from motion needs pycolmap, which is not installed: '
            + commands.pip_install('pycolmap')
        ) from None
    return pycolmap


@contextmanager
def _quiet(pycolmap) -> Iterator[None]:
    """COLMAP writes pages of log; only its errors are of interest."""
    before = pycolmap.logging.minloglevel
    pycolmap.logging.minloglevel = pycolmap.logging.Level.ERROR.value
    try:
        yield
    finally:
        pycolmap.logging.minloglevel = before
