"""Train, or resume, APRNet on the NeRF-P that train_nerf_p left in OUT.work (trained first where
it is missing).

`build_environment` with the same arguments then writes the environment.
"""

from __future__ import annotations

import argparse
import sys

from posemap_ros.building.field import train_nerf_p
from posemap_ros.building.network import check_weights, train_aprnet_stage
from posemap_ros.support.command_line import add_training_arguments, run_stage
from posemap_ros.support.distributed import is_first, process_group
from posemap_ros.support.stopwatch import Stopwatch
from posemap_ros.training.train_nerf_p import open_build, print_figures


def main(argv: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog='train_aprnet', description=__doc__)
    add_training_arguments(parser)
    arguments = parser.parse_args(argv)

    def work() -> None:
        watch = Stopwatch()
        with process_group(), open_build(arguments) as build:
            check_weights(build)
            with watch.section('NeRF-P'):
                nerf = train_nerf_p(build)[0]
            with watch.section('APRNet'):
                figures = train_aprnet_stage(build, nerf)[2]
            if is_first():
                print_figures(figures)
                print(watch.summary())

    return run_stage(
        'train_aprnet', work, ValueError, when_stopped='the same command goes on from here'
    )


if __name__ == '__main__':
    sys.exit(main())
