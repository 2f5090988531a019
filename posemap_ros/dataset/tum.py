"""Trajectories in the TUM format beside a folder of images (Sturm et al., IROS 2012).

groundtruth.txt has a line 'timestamp tx ty tz qx qy qz qw' for each pose, in seconds and metres:
the colour camera's optical frame to the world. rgb.txt has 'timestamp filename' for each image;
without it, the images of rgb/ or images/ are called by their time. The pose of an image is
interpolated between the two around it, unless these are much further apart than most: then nobody
knew where the camera was. One that was given for the image itself counts in any case.

The camera comes from camera.yaml, as ROS's camera_calibration writes it, or is that of the
benchmark's sequence.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import numpy as np

from posemap_ros.camera import Camera
from posemap_ros.dataset.calibration import FILE_NAME as CALIBRATION
from posemap_ros.dataset.calibration import read_calibration
from posemap_ros.dataset.errors import DatasetError, some
from posemap_ros.dataset.image_io import SUFFIXES, read_image_size
from posemap_ros.dataset.listed_files import (
    frame_name,
    image_path,
    leave_out_missing,
    read_listing,
)
from posemap_ros.dataset.pose_matrix import pose_from_quaternion
from posemap_ros.dataset.posed_images import PosedFrame, PosedImages
from posemap_ros.messages.trajectory import Trajectory

_POSES = 'groundtruth.txt'
_LISTING = 'rgb.txt'
_FOLDERS = ('rgb', 'images')
# How far apart two poses may be: so many times the usual interval, because some are missed, but
# within limits. The benchmark's come at 100 Hz, a slow mapper's at 1 Hz; in a longer time a camera
# does not go straight.
_USUAL_INTERVALS, _SHORTEST_GAP_NS, _LONGEST_GAP_NS = 3, 100_000_000, 1_100_000_000
_SAME_TIME_NS = 1_000_000  # stamps that programs wrote with three decimals or more
_LATEST_S = 9_000_000_000  # nanoseconds since 1970 fit into 64 bits until then
# Kinects of the benchmark, 640x480, as its web page gives them: fx fy cx cy, k1 k2 p1 p2 k3.
# The images of freiburg3 are undistorted already.
_FREIBURG = {
    '1': ((517.3, 516.5, 318.6, 255.3), (0.2624, -0.9531, -0.0054, 0.0026, 1.1633)),
    '2': ((520.9, 521.0, 325.1, 249.7), (0.2312, -0.7849, -0.0033, -0.0001, 0.9172)),
    '3': ((535.4, 539.2, 320.1, 247.6), ()),
}
_logger = logging.getLogger(__name__)


def recognises(root: Path) -> bool:
    """Is there a trajectory, and are there images?"""
    images = (root / _LISTING).is_file() or any((root / name).is_dir() for name in _FOLDERS)
    return (root / _POSES).is_file() and images


def read(root: Path) -> PosedImages:
    """The images that have poses before and after them, in order of time.

    Others, and images that are listed but missing, are left out with a warning.
    """
    path = root / _POSES
    if not path.is_file():
        raise DatasetError(f'{path} is missing')
    trajectory = Trajectory(_read_poses(path))
    max_gap_ns = _max_gap_ns(trajectory.stamps_ns)
    images = sorted(_read_images(root))
    frames, without_pose = [], []
    for stamp, image in images:
        name = frame_name(root, image)
        T_world_cam = trajectory.at(stamp, max_gap_ns)
        if T_world_cam is None:
            T_world_cam = trajectory.nearest(stamp, _SAME_TIME_NS)
        if T_world_cam is None:
            without_pose.append(name)
        else:
            frames.append(PosedFrame(name, image, T_world_cam, stamp))
    if without_pose:
        note = (
            f'{path}: {some(without_pose, "image")} not between two poses at most '
            f'{max_gap_ns / 1e9:.2g} s apart'
        )
        if not frames:
            raise DatasetError(f'{note}; {_why_none([s for s, _ in images], trajectory)}')
        _logger.warning('%s; left out', note)
    frames = leave_out_missing(frames, root / _LISTING)
    return PosedImages(root, _read_camera(root, frames[0].path), tuple(frames))


def _max_gap_ns(stamps_ns: np.ndarray) -> int:
    """How far apart two poses may be for one in between to be told."""
    usual = np.median(np.diff(stamps_ns)) if len(stamps_ns) > 1 else 0
    return int(np.clip(_USUAL_INTERVALS * usual, _SHORTEST_GAP_NS, _LONGEST_GAP_NS))


def _why_none(stamps_ns: list[int], trajectory: Trajectory) -> str:
    """Why, probably, no image has a pose, and the way out."""
    first, last = (int(trajectory.stamps_ns[i]) for i in (0, -1))
    if stamps_ns[-1] < first or last < stamps_ns[0]:
        return (
            f'images are from {stamps_ns[0] / 1e9:.3f} to {stamps_ns[-1] / 1e9:.3f} s, poses from '
            f'{first / 1e9:.3f} to {last / 1e9:.3f} s: do the clocks of images and poses differ?'
        )
    return (
        'the poses are too far apart in time: record them more often, or give one for each image, '
        'with its time'
    )


def _read_poses(path: Path) -> Iterator[tuple[int, Any]]:
    for where, words in _read_lines(path, 8):
        try:
            x, y, z, *quaternion = map(float, words[1:8])
        except ValueError:
            raise DatasetError(f'{where}: {" ".join(words)!r} are not all numbers') from None
        yield _nanoseconds(words[0], where), pose_from_quaternion((x, y, z), quaternion, where)


def _read_images(root: Path) -> Iterator[tuple[int, Path]]:
    """Time and place of each image."""
    listing = root / _LISTING
    if listing.is_file():
        for where, words in _read_lines(listing, 2):
            yield _nanoseconds(words[0], where), image_path(root, words[1], where)
        return
    folder = next((root / name for name in _FOLDERS if (root / name).is_dir()), root)
    images = [path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES]
    if not images:
        raise DatasetError(f'{folder}: there are no .png or .jpg images, and no {_LISTING}')
    for path in images:
        yield _nanoseconds(path.stem, str(path)), path


def _read_lines(path: Path, columns: int) -> Iterator[tuple[str, list[str]]]:
    """Where it is and the words of each line that is no comment."""
    empty = True
    for number, line in enumerate(read_listing(path).splitlines(), start=1):
        words = line.replace(',', ' ').split()
        if not words or words[0].startswith('#'):
            continue
        where = f'{path}: line {number}'
        if len(words) < columns:
            raise DatasetError(f'{where}: {len(words)} columns where {columns} are needed')
        empty = False
        yield where, words
    if empty:
        raise DatasetError(f'{path}: there is nothing but comments')


def _nanoseconds(seconds: str, where: str) -> int:
    """Exactly: a float holds today's time to 0.2 microseconds only."""
    try:
        time = Decimal(seconds)
        if 0 <= time < _LATEST_S:
            return int(time * 10**9)
    except InvalidOperation:
        pass
    raise DatasetError(f'{where}: {seconds!r} is not a time in seconds')


def _read_camera(root: Path, image: Path) -> Camera:
    path = root / CALIBRATION
    if path.is_file():
        return read_calibration(path)
    sequence = re.search(r'freiburg(\d)', root.resolve().name)
    if sequence is None or sequence[1] not in _FREIBURG:
        raise DatasetError(
            f'{root}: the camera is not known, because neither is there a {CALIBRATION} (as '
            "ROS's camera_calibration writes it) nor is the folder one of freiburg1 to freiburg3"
        )
    width, height = read_image_size(image)
    if (width, height) != (640, 480):
        raise DatasetError(
            f'{image}: images of {sequence[0]} are 640x480, this one is {width}x{height}; '
            f'give its camera in {path}'
        )
    (fx, fy, cx, cy), distortion = _FREIBURG[sequence[1]]
    K = (fx, 0, cx, 0, fy, cy, 0, 0, 1)
    return Camera.from_camera_info(width, height, K, 'plumb_bob', distortion)
