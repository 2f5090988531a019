"""Give a dataset its scale, where that was found out only later: multiplies the positions in its
transforms.json.

By a distance that was measured between two of the photos, or by a factor. Poses from images alone
have a scale of their own until then.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from posemap_ros.dataset import DatasetError, PosedImages, open_dataset
from posemap_ros.dataset.transforms_json import rescale
from posemap_ros.support.command_line import measured_distance, number, run_stage

_SMALLEST = 1e-9


def main(argv: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog='rescale_dataset', description=__doc__)
    parser.add_argument('--data', type=Path, required=True, metavar='DIR', help='dataset folder')
    add = parser.add_mutually_exclusive_group(required=True).add_argument
    add(
        '--distance',
        nargs=3,
        metavar=('FRAME', 'FRAME', 'METRES'),
        help='how far apart the camera was at two frames, named as in a split file or as files',
    )
    add(
        '--factor',
        type=number(float, 1e-6, 1e6),
        metavar='F',
        help='metres in a unit of the dataset, for example 0.001 of millimetres',
    )
    arguments = parser.parse_args(argv)

    def work() -> None:
        dataset = open_dataset(arguments.data)
        factor = arguments.factor or factor_of(dataset, arguments.distance)
        rescale(arguments.data, factor)
        print(f'the positions of {len(dataset)} frames are multiplied by {factor:.6g}: metres')

    return run_stage('rescale_dataset', work, ValueError)


def factor_of(dataset: PosedImages, distance: list[str]) -> float:
    """By what positions have to be multiplied that two frames are so many metres apart.

    Raises ValueError with a sentence.
    """
    first, second, metres = measured_distance(distance)
    a, b = (dataset.select([name]).poses[0, :3, 3] for name in (first, second))
    apart = float(np.linalg.norm(a - b))
    if apart < _SMALLEST:
        raise DatasetError(f'{first} and {second} were taken from the same place')
    return metres / apart


if __name__ == '__main__':
    sys.exit(main())
