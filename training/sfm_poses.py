"""Find the poses of a folder's images by structure from motion, for images that have none.

Takes a folder of images in order of their names, or a dataset, whose camera is used and whose
poses are not (but see --scale-from-poses). Writes DIR/images and DIR/transforms.json. From a bag,
`extract_bag --poses sfm` does the same.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

import numpy as np

from posemap_ros.camera import Camera
from posemap_ros.dataset import DatasetError, PosedFrame, open_dataset, write_transforms_json
from posemap_ros.dataset.image_io import SUFFIXES, read_image_size
from posemap_ros.dataset.open_dataset import is_dataset
from posemap_ros.extraction.sfm import SfmPoses, structure_from_motion
from posemap_ros.support.command_line import number, run_stage
from posemap_ros.support.files import atomic_folder, check_folder_is_free
from posemap_ros.support.progress import progress_bar

# COLMAP's guess of a focal length, where nothing is known: of the longer side.
_FOCAL_FACTOR = 1.2


def main(argv: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog='sfm_poses', description=__doc__)
    add = parser.add_argument
    add('--images', type=Path, required=True, metavar='DIR', help='images, or a dataset')
    add('--out', type=Path, required=True, metavar='DIR', help='folder to make')
    add('--overwrite', action='store_true', help='replace what the folder holds')
    add('--every', type=number(int, 1), default=1, metavar='N', help='use only each N-th image')
    add(
        '--focal',
        type=number(float, 1.0, 1e6),
        metavar='PX',
        help='focal length in pixels (default: that of the dataset; of mere images: estimated)',
    )
    add(
        '--refine-camera',
        action='store_true',
        help='the intrinsics are known only roughly: estimate them, too',
    )
    add(
        '--distance',
        nargs=3,
        metavar=('FRAME', 'FRAME', 'METRES'),
        help='how far apart two named frames were taken: sets the scale',
    )
    add(
        '--scale-from-poses',
        action='store_true',
        help='take scale and world from the poses of the dataset, such as odometry',
    )
    add('--threads', type=number(int, 1), default=2, metavar='N', help='default: %(default)s')
    arguments = parser.parse_args(argv)

    def work() -> None:
        check_folder_is_free(arguments.out, overwrite=arguments.overwrite)
        source = Source(arguments.images, arguments.every, arguments.focal)
        poses = structure_from_motion(
            [frame.path for frame in source.frames],
            source.camera,
            metric_poses=source.poses if arguments.scale_from_poses else None,
            distance=source.distance(arguments.distance),
            refine_camera=arguments.refine_camera or source.refine_camera,
            threads=arguments.threads,
            progress=progress_bar,
        )
        with atomic_folder(arguments.out, overwrite=arguments.overwrite) as folder:
            write_dataset(folder, source, poses)
        print('\n'.join(poses.report))
        print(f'wrote {arguments.out}')

    return run_stage('sfm_poses', work, ValueError)


class Source:
    """Images in order, their camera, and their poses if they have any."""

    def __init__(self, root: Path, every: int, focal: float | None) -> None:
        self.root = root
        self.refine_camera = False
        if is_dataset(root):
            dataset = open_dataset(root)
            if any(dataset.camera_of(i) != dataset.camera for i in range(len(dataset))):
                raise DatasetError(f'{root}: the frames have several cameras; one is needed')
            self.frames, self.camera = dataset.frames[::every], dataset.camera
            self.poses: list[np.ndarray] | None = [frame.T_world_cam for frame in self.frames]
        else:
            self.frames, self.poses = _plain_images(root)[::every], None
            width, height = read_image_size(self.frames[0].path)
            f = focal or _FOCAL_FACTOR * max(width, height)
            self.camera = Camera(width, height, f, f, width / 2, height / 2)
            self.refine_camera = focal is None

    def distance(self, given: list[str] | None) -> tuple[int, int, float] | None:
        """Two frames by name and metres -> by index. Raises `DatasetError`."""
        if given is None:
            return None
        names = [frame.name for frame in self.frames]
        for name in given[:2]:
            if name not in names:
                raise DatasetError(
                    f'--distance: there is no frame {name!r}; names are like {names[0]!r}'
                )
        try:
            return names.index(given[0]), names.index(given[1]), float(given[2])
        except ValueError:
            raise DatasetError(f'--distance: {given[2]!r} is not a number of metres') from None


def write_dataset(folder: Path, source: Source, poses: SfmPoses) -> None:
    """The registered images, copied, and their transforms.json."""
    frames = []
    for frame, T in zip(source.frames, poses.T_world_cam):
        if T is not None:
            path = folder / 'images' / frame.path.relative_to(source.root)
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(frame.path, path)
            name = path.relative_to(folder).with_suffix('').as_posix()
            frames.append(PosedFrame(name, path, T, frame.stamp_ns))
    extra = {'pose_source': 'structure from motion', 'scale': poses.scale}
    write_transforms_json(folder, poses.camera, frames, extra)


def _plain_images(root: Path) -> tuple[PosedFrame, ...]:
    if not root.is_dir():
        raise DatasetError(f'{root}: there is no such folder')
    paths = sorted(path for path in root.rglob('*') if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise DatasetError(f'{root}: there are no images ({", ".join(SUFFIXES)})')
    return tuple(
        PosedFrame(path.relative_to(root).with_suffix('').as_posix(), path, np.eye(4))
        for path in paths
    )


if __name__ == '__main__':
    sys.exit(main())
