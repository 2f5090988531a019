"""Find the poses of a folder's images by structure from motion, for images that have none.

Takes a folder of images in order of their names, or a dataset, whose camera is used and whose
poses are not (but see --scale-from-poses). A camera.yaml in the folder, as the camera_calibration
of ROS writes it, is used. Writes DIR/images and DIR/transforms.json. From a bag, `extract_bag
--poses sfm` does the same.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from posemap_ros.dataset import (
    DatasetError,
    PosedFrame,
    PosedImages,
    open_images,
    photos,
    write_transforms_json,
)
from posemap_ros.dataset.open_dataset import is_dataset
from posemap_ros.extraction.photo_choice import choose_photos
from posemap_ros.extraction.sfm import MOST_IMAGES, SfmPoses, how_to_scale, structure_from_motion
from posemap_ros.support.command_line import measured_distance, number, run_stage
from posemap_ros.support.files import atomic_folder, check_folder_is_free
from posemap_ros.support.progress import progress_bar


def main(argv: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog='sfm_poses', description=__doc__)
    add = parser.add_argument
    add('--images', type=Path, required=True, metavar='DIR', help='images, or a dataset')
    add('--out', type=Path, required=True, metavar='DIR', help='folder to make')
    add('--overwrite', action='store_true', help='replace what the folder holds')
    add('--every', type=number(int, 1), default=1, metavar='N', help='use only each N-th image')
    add(
        '--max-images',
        type=number(int, 3),
        default=MOST_IMAGES,
        metavar='N',
        help='of more than these, use those whose view has changed, and of still more, evenly so '
        'many: what it takes grows faster than their number (default: %(default)s)',
    )
    add(
        '--focal',
        type=number(float, 1.0, 1e6),
        metavar='PX',
        help='focal length in pixels (default: that of the dataset or of camera.yaml; of mere '
        'images: estimated)',
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
        help='how far apart two frames, by name or file, were taken: sets the scale; '
        'rescale_dataset does so later',
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
        given = len(source.images)
        source.thin(arguments.max_images, arguments.distance)
        if len(source.images) < given:
            print(
                f'{given} images are more than {arguments.max_images}: '
                f'{len(source.images)} are used, whose views differ; --max-images N allows more'
            )
        poses = structure_from_motion(
            [frame.path for frame in source.images.frames],
            source.images.camera,
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
        for line in how_to_scale(arguments.out, poses.scale):
            print(line)

    return run_stage('sfm_poses', work, ValueError)


class Source:
    """Images in order, their camera, and their poses if they have any."""

    def __init__(self, root: Path, every: int, focal: float | None) -> None:
        if not root.is_dir():
            raise DatasetError(f'{root}: there is no such folder')
        images = open_images(root)
        if not is_dataset(root):
            self.refine_camera = focal is None and not photos.knows_camera(root)
            if focal:
                images = _with_focal(images, focal)
        else:
            self.refine_camera = False
        if any(images.camera_of(i) != images.camera for i in range(len(images))):
            raise DatasetError(f'{root}: the frames have several cameras; one is needed')
        self.images = replace(images, frames=images.frames[::every])

    def thin(self, most: int, distance: list[str] | None) -> None:
        """Leave about so many images, and the two whose distance is given: `choose_photos`."""
        needed = self.distance(distance) or ()
        paths = [frame.path for frame in self.images.frames]
        chosen = choose_photos(paths, most, needed[:2], progress_bar)
        self.images = replace(self.images, frames=tuple(self.images.frames[i] for i in chosen))

    @property
    def poses(self) -> list[np.ndarray] | None:
        """[4, 4] of each; None where they have none."""
        return list(self.images.poses) if self.images.is_posed else None

    def distance(self, given: list[str] | None) -> tuple[int, int, float] | None:
        """Two frames by name and metres -> by index. Raises ValueError with a sentence."""
        if given is None:
            return None
        first, second, metres = measured_distance(given)
        names = self.images.names
        a, b = (names.index(self.images.select([name]).names[0]) for name in (first, second))
        return a, b, metres


def _with_focal(images: PosedImages, focal: float) -> PosedImages:
    """Mere images, whose focal length is known."""
    frames = tuple(
        replace(frame, camera=replace(frame.camera, fx=focal, fy=focal)) for frame in images.frames
    )
    return PosedImages.of(images.root, frames)


def write_dataset(folder: Path, source: Source, poses: SfmPoses) -> None:
    """The registered images, copied, and their transforms.json."""
    frames = []
    root = source.images.root
    for frame, T in zip(source.images.frames, poses.T_world_cam):
        if T is not None:
            path = folder / 'images' / frame.path.relative_to(root)
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(frame.path, path)
            name = path.relative_to(folder).with_suffix('').as_posix()
            frames.append(PosedFrame(name, path, T, frame.stamp_ns))
    extra = {'pose_source': 'structure from motion', 'scale': poses.scale}
    write_transforms_json(folder, poses.camera, frames, extra)


if __name__ == '__main__':
    sys.exit(main())
