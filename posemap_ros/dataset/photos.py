"""A folder of images, and nothing that says where they were taken.

camera.yaml, if it is there, says by what camera. For what needs no poses: finding them, and
aligning to how a place looks today.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from posemap_ros.camera import Camera
from posemap_ros.dataset.calibration import FILE_NAME as CALIBRATION
from posemap_ros.dataset.calibration import read_calibration
from posemap_ros.dataset.errors import DatasetError
from posemap_ros.dataset.image_io import SUFFIXES, read_image_size
from posemap_ros.dataset.image_size import is_scaled
from posemap_ros.dataset.listed_files import frame_name
from posemap_ros.dataset.name_order import in_name_order
from posemap_ros.dataset.posed_images import PosedFrame, PosedImages

# COLMAP's guess of a focal length, where nothing is known: of the longer side.
_FOCAL_FACTOR = 1.2


def are_photos(root: Path) -> bool:
    """Are there images in the folder, or below?"""
    return next(_paths(root), None) is not None


def knows_camera(root: Path) -> bool:
    """Does the folder say which camera took its images?"""
    return (root / CALIBRATION).is_file()


def read(root: Path, camera: Camera | None = None) -> PosedImages:
    """The images in order of their names, without poses.

    Args:
        root: the folder.
        camera: the one that took them, at any size, where the folder has no camera.yaml; None:
            guessed, a pinhole about 45 degrees wide.

    Raises:
        DatasetError: there are none, or they cannot be of this camera.
    """
    paths = sorted(_paths(root), key=lambda path: in_name_order(str(path)))
    if not paths:
        raise DatasetError(f'{root}: there are no images ({", ".join(SUFFIXES)})')
    if knows_camera(root):
        camera = read_calibration(root / CALIBRATION)
    cameras: dict[tuple[int, int], Camera] = {}
    frames = []
    for path in paths:
        size = read_image_size(path)
        if size not in cameras:
            cameras[size] = _guess(size) if camera is None else _resized(camera, size, path, root)
        frames.append(PosedFrame(frame_name(root, path), path, camera=cameras[size]))
    return PosedImages.of(root, frames)


def _paths(root: Path) -> Iterator[Path]:
    return (
        path
        for path in root.rglob('*')
        if path.suffix.lower() in SUFFIXES and not path.name.startswith('.')
    )


def _guess(size: tuple[int, int]) -> Camera:
    width, height = size
    f = _FOCAL_FACTOR * max(size)
    return Camera(width, height, f, f, width / 2, height / 2)


def _resized(camera: Camera, size: tuple[int, int], path: Path, root: Path) -> Camera:
    if not is_scaled(size, (camera.width, camera.height)):
        raise DatasetError(
            f'{path}: the image is {size[0]}x{size[1]}, and not of the shape of the camera, '
            f'{camera.width}x{camera.height}: give its own in {root / CALIBRATION}, as the '
            'camera_calibration of ROS writes it'
        )
    return camera.resized(*size)
