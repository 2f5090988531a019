"""Extract posed frames from a bag: the images and poses that an environment is built from.

Reads rosbag2 (mcap, sqlite3, zstd, in parts) and ROS 1 bags, without ROS. Writes DIR/images and
DIR/transforms.json, which nerfstudio reads too. Topics need to be named only where the bag holds
several that fit; --list shows what there is, and commands to copy.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import get_args

from posemap_ros.dataset.errors import DatasetError
from posemap_ros.extraction.bag import BagError
from posemap_ros.extraction.bag_recording import BagOptions
from posemap_ros.extraction.bag_summary import summarize_bag
from posemap_ros.extraction.bag_topics import PoseSource
from posemap_ros.extraction.frame_selection import FrameSelection
from posemap_ros.extraction.from_bag import extract_bag
from posemap_ros.extraction.sfm import MOST_IMAGES
from posemap_ros.support.command_line import measured_distance, run_stage
from posemap_ros.support.progress import progress_bar
from posemap_ros.support.stopwatch import Stopwatch

DEFAULTS, SELECTION = BagOptions(), FrameSelection()


def main(argv: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = make_parser()
    arguments = parser.parse_args(argv)
    if not arguments.list and arguments.out is None:
        parser.error('--out DIR is needed (or --list)')
    try:
        options = options_from(arguments)
    except ValueError as error:
        parser.error(str(error))

    def work() -> None:
        if arguments.list:
            print(summarize_bag(arguments.bag))
            return
        stopwatch = Stopwatch()
        try:
            extraction = extract_bag(
                arguments.bag,
                arguments.out,
                options,
                overwrite=arguments.overwrite,
                progress=progress_bar,
                stopwatch=stopwatch,
            )
        except FileExistsError:
            raise BagError(
                f'{arguments.out} is not empty; give another folder, or --overwrite to replace it'
            ) from None
        print(extraction)
        print(f'wrote {arguments.out}')
        print(stopwatch.summary())

    return run_stage('extract_bag', work, BagError, DatasetError)


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog='extract_bag', description=__doc__)
    add = parser.add_argument
    add('bag', type=Path, help='rosbag2 folder, or a .mcap, .db3 or .bag file')
    add('--out', type=Path, metavar='DIR', help='folder to make; must be new or empty')
    add('--overwrite', action='store_true', help='replace what DIR holds')
    add('--list', action='store_true', help='show what the bag holds, and commands to copy')

    topics = parser.add_argument_group('what to read').add_argument
    topics('--image-topic', metavar='TOPIC', help='Image or CompressedImage')
    topics('--camera-info-topic', metavar='TOPIC', help="default: the one beside the images'")
    topics(
        '--pose-topic',
        metavar='TOPIC',
        help='PoseStamped, PoseWithCovarianceStamped, Odometry or Path',
    )
    topics(
        '--pose-source',
        '--poses',
        choices=get_args(PoseSource),
        default='topic',
        help='topic: from --pose-topic (default); tf: from --map-frame to the camera; sfm: found '
        'from the images alone by structure from motion, in metres if there is a pose topic or '
        '--distance; none: images and camera.yaml only, for align',
    )
    topics(
        '--map-frame',
        metavar='FRAME',
        default=DEFAULTS.map_frame,
        help='with --pose-source tf: poses are in this frame (default: %(default)s)',
    )
    topics(
        '--pose-frame',
        metavar='FRAME',
        help='the frame whose poses the topic holds: the optical frame of the camera, or '
        'another one, such as base_link, that /tf_static connects with it (default: '
        'child_frame_id of an Odometry; the other types do not say it)',
    )
    topics(
        '--camera-frame',
        metavar='FRAME',
        help='optical frame of the camera (default: frame_id of the images)',
    )
    topics(
        '--rectified',
        action=argparse.BooleanOptionalAction,
        default=None,
        help='images are undistorted already, P of camera_info describes them (default: if the '
        'topic is called image_rect...)',
    )
    topics(
        '--max-gap',
        type=float,
        metavar='SECONDS',
        default=DEFAULTS.max_gap_s,
        help='interpolate between poses at most this far apart (default: %(default)s)',
    )
    topics(
        '--pose-delay',
        type=float,
        metavar='SECONDS',
        default=DEFAULTS.pose_delay_s,
        help='poses are stamped this much later than the images, as check_dataset says; negative: '
        'earlier (default: %(default)s)',
    )
    topics(
        '--distance',
        nargs=3,
        metavar=('FRAME', 'FRAME', 'METRES'),
        help='with sfm: how far apart the camera was at two frames, such as 12 or '
        'images/000012.jpg; rescale_dataset sets it later',
    )
    topics(
        '--skip-invalid-poses',
        action='store_true',
        help='leave out poses that are NaN or no rotation, instead of stopping at the first',
    )

    images = parser.add_argument_group('what to write').add_argument
    images(
        '--undistort',
        action='store_true',
        help='write images of a pinhole camera (default: images and distortion as they are)',
    )
    selection = parser.add_argument_group(
        'which frames to keep',
        'Each time the camera has moved or turned enough, the sharpest one since the last time.',
    ).add_argument
    selection(
        '--min-translation',
        type=float,
        metavar='METRES',
        default=SELECTION.min_translation_m,
        help='default: %(default)s',
    )
    selection(
        '--min-rotation',
        type=float,
        metavar='DEGREES',
        default=SELECTION.min_rotation_deg,
        help='default: %(default)s',
    )
    selection(
        '--min-image-motion',
        type=float,
        metavar='SHARE',
        default=SELECTION.min_image_motion,
        help="instead, with sfm: of the image's width, by which it has moved "
        '(default: %(default)s)',
    )
    selection(
        '--every',
        type=int,
        metavar='N',
        default=SELECTION.every,
        help='look only at every N-th image',
    )
    selection(
        '--max-frames',
        type=int,
        metavar='N',
        help=f'thin evenly down to N (default: all, with sfm {MOST_IMAGES})',
    )
    selection(
        '--keep-blurred',
        action='store_true',
        help='keep the first frame each time, however blurred (default: leave out those that '
        'have far less detail than the ones around them)',
    )
    return parser


def options_from(arguments: argparse.Namespace) -> BagOptions:
    """Raises ValueError for numbers out of range."""
    if not arguments.max_gap >= 0:
        raise ValueError('--max-gap must not be negative')
    if not abs(arguments.pose_delay) < 60.0:
        raise ValueError('--pose-delay must be less than a minute: set the clocks instead')
    return BagOptions(
        image_topic=arguments.image_topic,
        camera_info_topic=arguments.camera_info_topic,
        pose_topic=arguments.pose_topic,
        pose_source=arguments.pose_source,
        map_frame=arguments.map_frame,
        pose_frame=arguments.pose_frame,
        camera_frame=arguments.camera_frame,
        rectified=arguments.rectified,
        max_gap_s=arguments.max_gap,
        pose_delay_s=arguments.pose_delay,
        skip_invalid_poses=arguments.skip_invalid_poses,
        distance=_parse_distance(arguments.distance),
        undistort=arguments.undistort,
        selection=FrameSelection(
            min_translation_m=arguments.min_translation,
            min_rotation_deg=arguments.min_rotation,
            min_image_motion=arguments.min_image_motion,
            every=arguments.every,
            max_frames=arguments.max_frames,
            skip_blurred=not arguments.keep_blurred,
        ),
    )


def _parse_distance(words: list[str] | None) -> tuple[int, int, float] | None:
    if words is None:
        return None
    *frames, metres = measured_distance(words)
    numbers = [re.fullmatch(r'(?:images/)?(\d{1,9})(?:\.\w+)?', frame) for frame in frames]
    if None in numbers:
        raise ValueError('--distance takes two frames by number or file: 12, or images/000012.jpg')
    first, second = (int(number[1]) for number in numbers)
    if first == second:
        raise ValueError('--distance takes two different frames')
    return first, second, metres


if __name__ == '__main__':
    sys.exit(main())
