"""Write a dataset of any format that is known as images/ and nerfstudio's transforms.json.

Images are linked, not copied, where both folders are on one file system.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from posemap_ros.dataset import DatasetError
from posemap_ros.dataset.convert import convert_dataset
from posemap_ros.support.command_line import add_data_arguments, number, run_stage


def main(argv: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog='convert_dataset', description=__doc__)
    add_data_arguments(parser)
    add = parser.add_argument
    add('--out', type=Path, required=True, metavar='DIR', help='folder to make')
    add(
        '--origin',
        type=number(float, -1e9, 1e9),
        nargs=3,
        metavar=('X', 'Y', 'Z'),
        default=(0.0, 0.0, 0.0),
        help='the point that becomes the origin, in metres, where positions are far from it (UTM)',
    )
    add('--overwrite', action='store_true', help='replace what the folder holds')
    arguments = parser.parse_args(argv)

    def work() -> None:
        try:
            dataset = convert_dataset(
                arguments.data,
                arguments.out,
                arguments.format,
                origin=arguments.origin,
                overwrite=arguments.overwrite,
            )
        except FileExistsError:
            raise DatasetError(
                f'{arguments.out} is not empty; give another folder, or --overwrite to replace it'
            ) from None
        print(f'{len(dataset)} frames in {arguments.out}')

    return run_stage('convert_dataset', work, ValueError)


if __name__ == '__main__':
    sys.exit(main())
