"""Divide a dataset into training and test frames: writes train.txt and test.txt into its folder.

Whole drives are held out where there are several, otherwise blocks of one drive, with margins. A
drive is a folder of images, or several where they are of cameras of one robot. build_environment
then trains on the one part, evaluate tests on the other.
"""

from __future__ import annotations

import argparse
import sys

from posemap_ros.dataset import open_dataset
from posemap_ros.dataset.splits import SplitOptions, make_split, write_split
from posemap_ros.support.command_line import add_data_arguments, run_stage

DEFAULTS = SplitOptions()


def main(argv: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog='split_dataset', description=__doc__)
    add_data_arguments(parser)
    add = parser.add_argument
    add(
        '--test-share',
        type=float,
        metavar='SHARE',
        default=DEFAULTS.test_share,
        help='of all frames (default: %(default)s)',
    )
    add(
        '--blocks',
        type=int,
        metavar='N',
        default=DEFAULTS.blocks,
        help='of test frames in a single drive (default: %(default)s)',
    )
    add(
        '--margin-frames',
        type=int,
        metavar='N',
        default=DEFAULTS.margin_frames,
        help='before and after each block, used for nothing (default: %(default)s)',
    )
    add(
        '--margin-translation',
        type=float,
        metavar='METRES',
        default=DEFAULTS.margin_m,
        help='frames nearer to a test frame, and looking the same way, are used for nothing '
        'wherever in the drive they are (default: %(default)s)',
    )
    add(
        '--margin-rotation',
        type=float,
        metavar='DEGREES',
        default=DEFAULTS.margin_deg,
        help='what looking the same way is (default: %(default)s)',
    )
    add('--overwrite', action='store_true', help='replace the train.txt and test.txt there are')
    arguments = parser.parse_args(argv)

    def work() -> None:
        options = SplitOptions(
            arguments.test_share,
            arguments.blocks,
            arguments.margin_frames,
            arguments.margin_translation,
            arguments.margin_rotation,
        )
        dataset = open_dataset(arguments.data, kind=arguments.format)
        split = make_split(dataset, options)
        write_split(dataset, split, arguments.data, overwrite=arguments.overwrite)
        print(split.describe(dataset))
        print(f'wrote {arguments.data / "train.txt"} and {arguments.data / "test.txt"}')

    return run_stage('split_dataset', work, ValueError)


if __name__ == '__main__':
    sys.exit(main())
