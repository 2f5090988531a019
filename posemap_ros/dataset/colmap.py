"""COLMAP models (Schoenberger and Frahm, CVPR 2016): sparse/0 and images/, text or binary.

Read by pycolmap, which knows all versions of the format. Poses are inverted to camera to world;
axes and principal point count as ours do. A model from images alone has no scale of its own: here
its unit is taken for a metre.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from posemap_ros.camera import Camera, InvalidCamera
from posemap_ros.dataset.errors import DatasetError
from posemap_ros.dataset.listed_files import frame_name, image_path, leave_out_missing
from posemap_ros.dataset.name_order import in_name_order
from posemap_ros.dataset.posed_images import PosedFrame, PosedImages
from posemap_ros.support import commands

if TYPE_CHECKING:
    import pycolmap

# Ours for each of COLMAP's, whose coefficients come in the same order; missing ones are zero.
_MODELS = {
    **dict.fromkeys(('SIMPLE_PINHOLE', 'PINHOLE'), ('none', 0)),
    **dict.fromkeys(('SIMPLE_RADIAL', 'RADIAL', 'OPENCV'), ('plumb_bob', 4)),
    'FULL_OPENCV': ('rational_polynomial', 8),
    **dict.fromkeys(
        (
            'SIMPLE_FISHEYE',
            'FISHEYE',
            'SIMPLE_RADIAL_FISHEYE',
            'RADIAL_FISHEYE',
            'OPENCV_FISHEYE',
        ),
        ('equidistant', 4),
    ),
}


def recognises(root: Path) -> bool:
    """Is there a model of COLMAP?"""
    return bool(_models(root))


def read(root: Path) -> PosedImages:
    """The registered images, by name; with their cameras.

    Of several models, which COLMAP makes where it cannot connect the images, the largest is read.
    """
    models = _models(root)
    if not models:
        raise DatasetError(f'{root}: there is no sparse/0 with cameras and images in it')
    path = max(models, key=_size)
    model = _load(path)
    cameras = {id: camera_from_colmap(camera, path) for id, camera in model.cameras.items()}
    folder = root / 'images' if (root / 'images').is_dir() else root
    frames = []
    for image in sorted(model.images.values(), key=lambda image: in_name_order(image.name)):
        if not image.has_pose:
            continue
        file = image_path(folder, image.name, str(path))
        T = np.eye(4)
        T[:3] = image.cam_from_world().inverse().matrix()
        name, camera = frame_name(folder, file), cameras[image.camera_id]
        frames.append(PosedFrame(name, file, T, camera=camera))
    if not frames:
        raise DatasetError(f'{path}: no image is registered')
    return PosedImages.of(root, leave_out_missing(frames, path))


def _models(root: Path) -> list[Path]:
    """The folders sparse/0, sparse/1, ...; or the model without a number, or the root itself."""
    sparse = root / 'sparse' if (root / 'sparse').is_dir() else root / 'colmap' / 'sparse'
    return [path for path in (*sorted(sparse.glob('[0-9]*')), sparse, root) if _size(path)]


def _size(model: Path) -> int:
    """Bytes of the list of images, 0 if there is no model."""
    for ending in ('.bin', '.txt'):
        cameras, images = model / f'cameras{ending}', model / f'images{ending}'
        if cameras.is_file() and images.is_file():
            return images.stat().st_size
    return 0


def _load(path: Path) -> pycolmap.Reconstruction:
    try:
        import pycolmap  # here, because nothing else needs it
    except ImportError:
        raise DatasetError(
            f'{path}: COLMAP models are read by pycolmap, which is not installed: '
            + commands.pip_install('pycolmap')
        ) from None
    for file in path.glob('*.*'):
        if file.suffix in ('.bin', '.txt') and not file.is_file():
            raise DatasetError(f'{file} is a pipe or a folder, not a file')
    for name, skip in _SKIP.items():
        if (file := path / name).is_file():
            _check_counts(file, skip)
    try:
        return pycolmap.Reconstruction(path)
    except (ValueError, IndexError, RuntimeError, MemoryError) as error:
        first_line = (str(error) or type(error).__name__).splitlines()[0]
        raise DatasetError(f'{path}: no whole COLMAP model: {first_line}') from None


def _skip_image(data: mmap.mmap, position: int) -> int:
    """Its number, pose and camera; its name; its points."""
    end = data.find(b'\0', position + 64)
    if end < 0:
        raise ValueError('the name has no end')
    return end + 9 + 24 * _COUNT.unpack_from(data, end + 1)[0]


def _skip_point(data: mmap.mmap, position: int) -> int:
    """Its number, place, colour and error; who sees it."""
    return position + 51 + 8 * _COUNT.unpack_from(data, position + 43)[0]


_COUNT = struct.Struct('<Q')
_SKIP = {'images.bin': _skip_image, 'points3D.bin': _skip_point}


def _check_counts(path: Path, skip: Callable[[mmap.mmap, int], int]) -> None:
    """Raise `DatasetError` if the file ends before what it says it holds.

    COLMAP believes what it says, and takes memory for it.
    """
    try:
        with path.open('rb') as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            position = _COUNT.size
            for _ in range(_COUNT.unpack_from(data)[0]):
                position = skip(data, position)
            whole = position <= len(data)
    except (struct.error, ValueError, OverflowError):
        whole = False
    if not whole:
        raise DatasetError(f'{path} is cut short: it holds less than it says')


def camera_from_colmap(camera: pycolmap.Camera, path: Path) -> Camera:
    """Ours for COLMAP's. Raises `DatasetError`, beginning with `path`, if there is none."""
    name = camera.model.name
    if name not in _MODELS:
        raise DatasetError(
            f'{path}: cameras of the model {name} are not supported; undistort the images with '
            f'colmap image_undistorter, or use one of {", ".join(_MODELS)}'
        )
    model, count = _MODELS[name]
    coefficients = [float(camera.params[i]) for i in camera.extra_params_idxs()]
    distortion = (*coefficients, *[0.0] * (count - len(coefficients)))
    if model != 'equidistant' and not any(distortion):
        model, distortion = 'none', ()
    try:
        return Camera(
            camera.width,
            camera.height,
            camera.focal_length_x,
            camera.focal_length_y,
            camera.principal_point_x,
            camera.principal_point_y,
            model,
            distortion,
        )
    except InvalidCamera as error:
        raise DatasetError(f'{path}: camera {camera.camera_id}: {error}') from None
