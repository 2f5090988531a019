"""Our own form on disk: a folder of images and nerfstudio's transforms.json.

nerfstudio reads what we write. Its `transform_matrix` is camera to world with OpenGL axes (x
right, y up, z backward); ours everywhere else has OpenCV's (y down, z forward). Its cx and cy
count from the image's corner, as ours do. We add `stamp_ns` to each frame that has one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from posemap_ros.camera import Camera, InvalidCamera
from posemap_ros.dataset.errors import DatasetError, some
from posemap_ros.dataset.image_io import SUFFIXES, read_image_size
from posemap_ros.dataset.pose_matrix import checked_pose
from posemap_ros.dataset.posed_images import PosedFrame, PosedImages
from posemap_ros.files import atomic_write

FILE_NAME = 'transforms.json'
_OPENGL_TO_OPENCV = np.diag([1.0, -1.0, -1.0, 1.0])

# Our distortion model, nerfstudio's camera_model, and its coefficients' names in our order.
# nerfstudio has no rational model; COLMAP's name for it is refused there rather than misread.
_MODELS = {
    'none': ('PINHOLE', ()),
    'plumb_bob': ('OPENCV', ('k1', 'k2', 'p1', 'p2', 'k3')),
    'rational_polynomial': (
        'FULL_OPENCV',
        ('k1', 'k2', 'p1', 'p2', 'k3', 'k4', 'k5', 'k6', 's1', 's2', 's3', 's4'),
    ),
    'equidistant': ('OPENCV_FISHEYE', ('k1', 'k2', 'k3', 'k4')),
}
_OTHER_NAMES = {'SIMPLE_PINHOLE': 'PINHOLE', 'SIMPLE_RADIAL': 'OPENCV', 'RADIAL': 'OPENCV'}
_INTRINSICS = ('camera_model', 'fl_x', 'fl_y', 'cx', 'cy', 'w', 'h', 'camera_angle_x')
_COEFFICIENTS = _MODELS['rational_polynomial'][1]


def recognises(root: Path) -> bool:
    """Is there a transforms.json?"""
    return (root / FILE_NAME).is_file()


def read(root: Path) -> PosedImages:
    """The frames that transforms.json lists; called by their path without its ending."""
    path = root / FILE_NAME
    content = _parse(path)
    listed = content.get('frames')
    if not isinstance(listed, list) or not listed:
        raise DatasetError(f'{path}: there are no "frames"')
    frames = tuple(_read_frame(root, entry, index) for index, entry in enumerate(listed))
    if missing := [frame.name for frame in frames if not frame.path.is_file()]:
        raise DatasetError(f'{path}: {some(missing, "image")} listed, but not there')
    camera = _read_camera(content, frames[0].path, path)
    for entry, frame in zip(listed, frames, strict=True):
        if any(key in entry for key in (*_INTRINSICS, *_COEFFICIENTS)):
            if _read_camera({**content, **entry}, frame.path, path) != camera:
                raise DatasetError(
                    f'{path}: frame {frame.name} has other intrinsics than {frames[0].name}; '
                    'images of one camera are needed'
                )
    return PosedImages(root, camera, frames)


def write_transforms_json(
    root: Path,
    camera: Camera,
    frames: Iterable[PosedFrame],
    extra: Mapping[str, Any] | None = None,
) -> None:
    """Write root/transforms.json, whole or not at all, for frames whose images are below root.

    `extra` goes in beside the camera and the frames, for example where the data come from.
    """
    model, names = _MODELS[camera.distortion_model]
    content = {
        'camera_model': model,
        'w': camera.width,
        'h': camera.height,
        'fl_x': camera.fx,
        'fl_y': camera.fy,
        'cx': camera.cx,
        'cy': camera.cy,
        **dict(zip(names, camera.distortion, strict=False)),
        **(extra or {}),
        'frames': [
            {
                'file_path': frame.path.relative_to(root).as_posix(),
                'transform_matrix': (frame.T_world_cam @ _OPENGL_TO_OPENCV).tolist(),
                **({} if frame.stamp_ns is None else {'stamp_ns': frame.stamp_ns}),
            }
            for frame in frames
        ],
    }
    with atomic_write(root / FILE_NAME) as temporary:
        temporary.write_text(json.dumps(content, indent=1, allow_nan=False))


def _parse(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding='utf-8-sig'))
    except (ValueError, RecursionError) as error:
        raise DatasetError(f'{path}: not valid JSON: {error}') from None
    if not isinstance(content, dict):
        raise DatasetError(f'{path}: must hold an object with "frames"')
    return content


def _read_frame(root: Path, entry: Any, index: int) -> PosedFrame:
    where = f'{root / FILE_NAME}: frame {index}'
    if not isinstance(entry, dict) or not isinstance(entry.get('file_path'), str):
        raise DatasetError(f'{where} has no "file_path"')
    relative = PurePosixPath(entry['file_path'])
    if relative.is_absolute() or '..' in relative.parts or '\0' in str(relative):
        raise DatasetError(f'{where}: the image {entry["file_path"]!r} lies outside the dataset')
    if relative.suffix.lower() not in SUFFIXES:
        raise DatasetError(f'{where}: {entry["file_path"]!r} is not a .jpg or .png file')
    if 'transform_matrix' not in entry:
        raise DatasetError(f'{where} ({relative}) has no "transform_matrix"')
    T = checked_pose(entry['transform_matrix'], f'{where} ({relative})') @ _OPENGL_TO_OPENCV
    stamp = entry.get('stamp_ns')
    if stamp is not None and not isinstance(stamp, int):
        raise DatasetError(f'{where} ({relative}): stamp_ns must be a whole number')
    return PosedFrame(str(relative.with_suffix('')), root / relative, T, stamp)


def _read_camera(values: Mapping[str, Any], image: Path, path: Path) -> Camera:
    """From nerfstudio's keys, or instant-ngp's, which may leave out all but an angle of view."""
    name = values.get('camera_model', 'OPENCV')
    name = _OTHER_NAMES.get(name, name)
    model = next((ours for ours, (theirs, _) in _MODELS.items() if theirs == name), None)
    if model is None:
        raise DatasetError(f'{path}: camera_model {name!r} is not supported')
    try:
        if 'w' in values and 'h' in values:
            width, height = int(values['w']), int(values['h'])
        else:
            width, height = read_image_size(image)
        if 'fl_x' in values:
            fx = float(values['fl_x'])
        elif 'camera_angle_x' in values:
            fx = width / 2 / np.tan(float(values['camera_angle_x']) / 2)
        else:
            raise DatasetError(f'{path}: the focal length "fl_x" is missing')
        fy = float(values.get('fl_y', fx))
        cx, cy = float(values.get('cx', width / 2)), float(values.get('cy', height / 2))
        distortion = [float(values.get(key, 0.0)) for key in _MODELS[model][1]]
        if model == 'plumb_bob' and float(values.get('k4', 0.0)) != 0:
            raise DatasetError(f'{path}: an OPENCV camera with k4 is not supported')
        if model != 'equidistant' and not any(distortion):
            model, distortion = 'none', []
        if model == 'rational_polynomial' and not any(distortion[8:]):
            distortion = distortion[:8]
        return Camera(width, height, fx, fy, cx, cy, model, tuple(distortion))
    except InvalidCamera as error:
        raise DatasetError(f'{path}: {error}') from None
    except DatasetError:
        raise
    except (TypeError, ValueError, OverflowError) as error:
        raise DatasetError(f'{path}: the intrinsics are not numbers: {error}') from None
