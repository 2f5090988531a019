"""Our own form on disk: a folder of images and nerfstudio's transforms.json.

nerfstudio reads what we write, and we read what it, instant-ngp and NeRF's Blender scenes have.
`transform_matrix` is camera to world with OpenGL axes (x right, y up, z backward); ours everywhere
else has OpenCV's (y down, z forward). cx and cy count from the image's corner, as ours do. We add
`stamp_ns` to each frame that has one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from posemap_ros.camera import Camera, InvalidCamera
from posemap_ros.dataset.errors import DatasetError
from posemap_ros.dataset.image_io import SUFFIXES, read_image_size
from posemap_ros.dataset.listed_files import (
    frame_name,
    image_path,
    leave_out_missing,
    read_listing,
)
from posemap_ros.dataset.mounts import Mounts
from posemap_ros.dataset.name_order import in_name_order
from posemap_ros.dataset.pose_matrix import checked_pose
from posemap_ros.dataset.posed_images import PosedFrame, PosedImages
from posemap_ros.support import commands
from posemap_ros.support.files import atomic_write

FILE_NAME = 'transforms.json'
# What `scale` says beside the frames where their unit is not known to be a metre.
METRIC, ARBITRARY = 'metric', 'arbitrary'
_BLENDER_FILES = {part: f'transforms_{part}.json' for part in ('train', 'test')}
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
_INTRINSICS = {
    *('camera_model', 'fl_x', 'fl_y', 'cx', 'cy', 'w', 'h', 'camera_angle_x'),
    *_MODELS['rational_polynomial'][1],
}


def recognises(root: Path) -> bool:
    """Is there a transforms.json, or the files of a Blender scene?"""
    return bool(_files(root))


def read(root: Path) -> PosedImages:
    """The frames that transforms.json lists; called by their path without its ending.

    Intrinsics beside the frames hold for all, those in a frame for that frame. Images that are
    listed but missing are left out with a warning. Where nerfstudio turned and scaled the poses
    (`applied_transform`, `applied_scale`), that is undone: they are those of the source again.
    """
    files = _files(root)
    if not files:
        raise DatasetError(f'{root}: there is no {FILE_NAME}')
    frames: list[PosedFrame] = []
    parts: dict[str, tuple[str, ...]] = {}
    metric = True
    for part, path in files.items():
        content = _parse(path)
        metric &= content.get('scale') != ARBITRARY
        found = _read_frames(root, path, content)
        frames += found
        parts |= _read_parts(root, path, content, {frame.name for frame in found})
        if part is not None:
            parts[part] = tuple(frame.name for frame in found)
    return PosedImages.of(root, frames, parts, metric=metric)


def read_mounts(root: Path) -> Mounts | None:
    """Whose poses they may be, where they come from a bag. Raises `DatasetError`."""
    path = root / FILE_NAME
    mounts = _parse(path).get('mounts') if path.is_file() else None
    return None if mounts is None else Mounts.from_dict(mounts, f'{path}: mounts')


def rescale(root: Path, factor: float, scale: str = METRIC) -> None:
    """Multiply the positions in root/transforms.json, as `read` gives them, and say of what scale
    they are now. All else stays; only what tests the frame of a bag's poses is no longer true.

    Raises:
        DatasetError: there is no such file, or it is damaged.
    """
    path = root / FILE_NAME
    if not path.is_file():
        raise DatasetError(
            f'{root}: positions are scaled in a {FILE_NAME}, and there is none; make one: '
            + commands.stage('convert_dataset', '--data', root, '--out', f'{root}_converted')
        )
    content = _parse(path)
    read(root)  # so that nothing damaged is written again
    # The source's positions are inv(applied) @ file's, so both have to grow.
    matrices = [entry['transform_matrix'] for entry in content['frames']]
    if 'applied_transform' in content:
        matrices.append(content['applied_transform'])
    for matrix in matrices:
        for row in matrix[:3]:
            row[3] *= factor
    content.pop('mounts', None)
    content['scale'] = scale
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1, allow_nan=False))


def write_transforms_json(
    root: Path,
    camera: Camera,
    frames: Iterable[PosedFrame],
    extra: Mapping[str, Any] | None = None,
) -> None:
    """Write root/transforms.json, whole or not at all, for frames whose images are below root.

    Where the frames have several cameras, each frame holds its own: nerfstudio does not look there
    for what is given for all. `extra` goes in beside the camera and the frames, for example where
    the data come from.
    """
    frames = tuple(frames)
    cameras = [frame.camera or camera for frame in frames]
    shared = len(set(cameras)) == 1
    model = _MODELS[camera.distortion_model][0]
    content = {
        **(_intrinsics(cameras[0]) if shared else {'camera_model': model}),
        **(extra or {}),
        'frames': [
            {
                'file_path': frame.path.relative_to(root).as_posix(),
                'transform_matrix': (frame.T_world_cam @ _OPENGL_TO_OPENCV).tolist(),
                **({} if frame.stamp_ns is None else {'stamp_ns': frame.stamp_ns}),
                **({} if shared else _intrinsics(own)),
            }
            for frame, own in zip(frames, cameras, strict=True)
        ],
    }
    with atomic_write(root / FILE_NAME) as temporary:
        temporary.write_text(json.dumps(content, indent=1, allow_nan=False))


def _files(root: Path) -> dict[str | None, Path]:
    """transforms.json; without it, the files of a Blender scene by the part that each lists."""
    if (root / FILE_NAME).is_file():
        return {None: root / FILE_NAME}
    return {part: root / n for part, n in _BLENDER_FILES.items() if (root / n).is_file()}


def _parse(path: Path) -> dict[str, Any]:
    text = read_listing(path)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DatasetError(f'{path}: not valid JSON: {error}') from None
    if not isinstance(content, dict):
        raise DatasetError(f'{path}: must hold an object with "frames"')
    return content


def _read_frames(root: Path, path: Path, content: dict[str, Any]) -> list[PosedFrame]:
    listed = content.get('frames')
    if not isinstance(listed, list) or not listed:
        raise DatasetError(f'{path}: there are no "frames"')
    to_source, scale = _read_applied(content, path)
    frames, entries = [], {}
    for index, entry in enumerate(listed):
        frame = _read_frame(root, entry, f'{path}: frame {index}')
        frame.T_world_cam[:3, 3] /= scale
        frames.append(replace(frame, T_world_cam=to_source @ frame.T_world_cam))
        entries[frame.name] = entry
    if any(frame.stamp_ns is None for frame in frames):
        # COLMAP's exporters list the frames as they were registered.
        frames.sort(key=lambda frame: in_name_order(frame.name))
    cameras: dict[str, Camera] = {}  # each read once, however many frames it took
    for place, frame in enumerate(frames := leave_out_missing(frames, path)):
        values = {k: v for k, v in {**content, **entries[frame.name]}.items() if k in _INTRINSICS}
        key = json.dumps(values, sort_keys=True)
        if key not in cameras:
            cameras[key] = _read_camera(values, frame.path, path)
        frames[place] = replace(frame, camera=cameras[key])
    return frames


def _read_frame(root: Path, entry: Any, where: str) -> PosedFrame:
    if not isinstance(entry, dict) or not isinstance(entry.get('file_path'), str):
        raise DatasetError(f'{where} has no "file_path"')
    path = _find_image(root, entry['file_path'], where)
    name = frame_name(root, path)
    if 'transform_matrix' not in entry:
        raise DatasetError(f'{where} ({name}) has no "transform_matrix"')
    T = checked_pose(entry['transform_matrix'], f'{where} ({name})') @ _OPENGL_TO_OPENCV
    stamp = entry.get('stamp_ns')
    if stamp is not None and not (isinstance(stamp, int) and 0 <= stamp < 2**63):
        raise DatasetError(f'{where} ({name}): stamp_ns must be a whole number of nanoseconds')
    return PosedFrame(name, path, T, stamp)


def _find_image(root: Path, listed: str, where: str) -> Path:
    """Blender scenes leave out the ending, so it is looked for."""
    path = image_path(root, listed, where)
    if path.suffix.lower() in SUFFIXES:
        return path
    complete = [path.with_name(path.name + suffix) for suffix in SUFFIXES]
    found = next((candidate for candidate in complete if candidate.is_file()), None)
    if found is None and path.suffix:
        raise DatasetError(f'{where}: {listed!r} is not a .jpg or .png file')
    return found or complete[0]


def _read_applied(content: Mapping[str, Any], path: Path) -> tuple[np.ndarray, float]:
    """The inverse of nerfstudio's applied_transform, [4, 4], and its applied_scale.

    Its poses are those of the source, first turned and moved, then scaled.
    """
    matrix = content.get('applied_transform', np.eye(4))
    if isinstance(matrix, list) and len(matrix) == 3:
        matrix = [*matrix, [0, 0, 0, 1]]
    applied = checked_pose(matrix, f'{path}: applied_transform')
    scale = content.get('applied_scale', 1.0)
    if not isinstance(scale, (int, float)) or not 1e-6 < scale < 1e6:
        raise DatasetError(f'{path}: applied_scale must be a positive number, not {scale!r}')
    return np.linalg.inv(applied), float(scale)


def _read_parts(
    root: Path, path: Path, content: Mapping[str, Any], known: set[str]
) -> dict[str, tuple[str, ...]]:
    """nerfstudio's train_filenames and test_filenames, as names of known frames."""
    parts = {}
    for part in ('train', 'test'):
        listed = content.get(f'{part}_filenames', [])
        if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
            raise DatasetError(f'{path}: "{part}_filenames" must be a list of file names')
        names = [frame_name(root, _find_image(root, name, str(path))) for name in listed]
        if names := tuple(name for name in names if name in known):
            parts[part] = names
    return parts


def _intrinsics(camera: Camera) -> dict[str, Any]:
    model, names = _MODELS[camera.distortion_model]
    return {
        'camera_model': model,
        'w': camera.width,
        'h': camera.height,
        'fl_x': camera.fx,
        'fl_y': camera.fy,
        'cx': camera.cx,
        'cy': camera.cy,
        **dict(zip(names, camera.distortion, strict=False)),
    }


def _read_camera(values: Mapping[str, Any], image: Path, path: Path) -> Camera:
    """From nerfstudio's keys, or instant-ngp's, which may leave out all but an angle of view."""
    name = str(values.get('camera_model', 'OPENCV'))
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
