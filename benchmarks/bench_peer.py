"""Our localizer beside the plain reference, SIFT and triangulated points, on the same frames.

    tools/with_ros python -m benchmarks.bench_peer --data redkitchen --environment redkitchen_fast
    tools/with_ros python -m benchmarks.bench_peer --data mapping --queries later \
        --environment demo/environment

The reference (benchmarks/sift_map.py) is made of the training frames of --data, which takes some
minutes; --map keeps it. Time is processor time of one thread, from the decoded image to the pose.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pycolmap
import torch

from benchmarks.sift_map import PHOTOS, SiftMap, build_sift_map
from posemap_ros.dataset import PosedImages, open_part
from posemap_ros.dataset.image_io import write_image
from posemap_ros.evaluation.errors import rotation_error_deg, translation_error_m
from posemap_ros.localizer import Localizer
from posemap_ros.support.command_line import run_stage
from posemap_ros.support.progress import progress_bar
from posemap_ros.verification.verifier import Verifier

CLOSE_M, CLOSE_DEG = 0.05, 5.0
OFF_M, OFF_DEG = 0.25, 10.0


@dataclass(frozen=True)
class Row:
    """How one method did: fractions and counts are of all frames, medians of its poses."""

    name: str
    frames: int
    poses: int
    median_m: float
    median_deg: float
    close: float
    off: int
    seconds: float
    megabytes: float


def measure(
    name: str,
    queries: PosedImages,
    localize: Callable[[int], np.ndarray | None],
    megabytes: float,
) -> Row:
    """Localize every frame; `localize` gives its T_world_cam [4, 4], or None, and is timed."""
    seconds, metres, degrees = [], [], []
    for index in progress_bar(range(len(queries)), name, len(queries)):
        started = time.process_time()
        estimated = localize(index)
        seconds.append(time.process_time() - started)
        if estimated is not None:
            true = queries.frames[index].T_world_cam
            metres.append(float(translation_error_m(estimated, true)))
            degrees.append(float(rotation_error_deg(estimated, true)))
    return row(name, len(queries), np.array(metres), np.array(degrees), seconds, megabytes)


def row(
    name: str,
    frames: int,
    metres: np.ndarray,
    degrees: np.ndarray,
    seconds: list[float],
    megabytes: float,
) -> Row:
    """Of the errors of those frames that have a pose."""
    close = (metres < CLOSE_M) & (degrees < CLOSE_DEG)
    off = (metres > OFF_M) | (degrees > OFF_DEG)
    median = np.median if len(metres) else lambda _: float('nan')
    return Row(
        name,
        frames,
        len(metres),
        float(median(metres)),
        float(median(degrees)),
        float(close.sum()) / frames,
        int(off.sum()),
        float(np.median(seconds)),
        megabytes,
    )


def print_table(rows: list[Row]) -> None:
    """One line a method."""
    print(
        f'\n{"":26}{"poses":>12}{"median":>20}{"5 cm/5 deg":>12}{"> 0.25 m/10 deg":>17}'
        f'{"processor":>12}{"on disk":>10}'
    )
    for r in rows:
        poses, median = f'{r.poses} of {r.frames}', f'{r.median_m:.4f} m {r.median_deg:.2f} deg'
        print(
            f'{r.name:26}{poses:>12}{median:>20}{r.close:>12.1%}{r.off:>17}'
            f'{1e3 * r.seconds:>9.0f} ms{r.megabytes:>7.1f} MB'
        )


def folder_megabytes(folder: Path) -> float:
    """Of all files."""
    return sum(file.stat().st_size for file in folder.rglob('*') if file.is_file()) / 1e6


def without_distortion(part: PosedImages, folder: Path) -> PosedImages:
    """Frames as one camera without distortion would have taken them, in a folder if they are not
    so already: the reference knows no others.
    """
    camera = part.camera.undistorted()
    if all(part.camera_of(i) == camera for i in range(len(part))):
        return part
    folder.mkdir()
    frames = []
    for index, frame in enumerate(part.frames):
        path = folder / f'{index:06d}.png'
        write_image(path, part.load_as(index, camera))
        frames.append(replace(frame, path=path, camera=camera))
    return PosedImages.of(folder, frames)


def make_map(train: PosedImages, path: Path | None, folder: Path) -> tuple[SiftMap, float]:
    """The reference's map, from the file if it is there; and its size on disk in MB."""
    path = path or folder / 'map.npz'
    if not path.exists():
        started = time.process_time(), time.time()
        photos = without_distortion(train, folder / 'photos')
        sift_map = build_sift_map(photos, folder, threads=1)
        sift_map.save(path)
        print(
            f'SIFT map of {len(train)} photos: {len(sift_map.points)} points seen '
            f'{len(sift_map.point_of)} times, made in {time.time() - started[1]:.0f} s, '
            f'of the processor {time.process_time() - started[0]:.0f} s'
        )
    return SiftMap.load(path), path.stat().st_size / 1e6


def run(arguments: argparse.Namespace) -> None:
    """Measure everything and print it."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    pycolmap.logging.minloglevel = pycolmap.logging.Level.ERROR.value
    train = open_part(arguments.data, 'train')
    queries = open_part(arguments.queries or arguments.data, 'test')
    localizer = Localizer(arguments.environment, 'cpu', threads=1)
    verifier = Verifier.of(localizer.environment)

    def regressed(index: int) -> np.ndarray:
        return localizer.localize(images[index], queries.camera).T_map_cam

    def verified(index: int) -> np.ndarray | None:
        estimate = localizer.localize(images[index], queries.camera)
        found = verifier.verify(images[index], queries.camera, estimate)
        return found.T_map_cam if found.verified else None

    def peer(index: int) -> np.ndarray | None:
        found = sift_map.localize(flat[index], pinhole.camera, arguments.photos)
        return None if found is None else found[0]

    images = [queries.load(index) for index in range(len(queries))]
    megabytes = folder_megabytes(arguments.environment)
    rows = [measure('regressed', queries, regressed, megabytes)]
    if verifier is None:
        print(f'{arguments.environment} has no landmarks: map_landmarks makes them')
    else:
        rows.append(measure('verified', queries, verified, megabytes))
    with tempfile.TemporaryDirectory(prefix='bench_peer_') as folder:
        sift_map, megabytes = make_map(train, arguments.map, Path(folder))
        pinhole = without_distortion(queries, Path(folder) / 'queries')
        flat = [pinhole.load(index) for index in range(len(pinhole))]
        name = f'SIFT, {arguments.photos} photos'
        rows.append(measure(name, queries, peer, megabytes))
    print_table(rows)


def main(argv: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog='bench_peer',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add('--data', type=Path, required=True, metavar='DIR', help='dataset with training frames')
    add('--queries', type=Path, metavar='DIR', help='dataset with test frames (default: --data)')
    add('--environment', type=Path, required=True, metavar='DIR', help='built of the same frames')
    add('--photos', type=int, default=PHOTOS, help='the reference matches (default: %(default)d)')
    add('--map', type=Path, metavar='FILE.npz', help='keep the map there, or take it from there')
    return run_stage('bench_peer', lambda: run(parser.parse_args(argv)), ValueError)


if __name__ == '__main__':
    sys.exit(main())
