"""Train, or resume, only NeRF-P, the first stage of build_environment, in its work folder
OUT.work.
"""

from __future__ import annotations

import argparse
import sys

from posemap_ros.building import Build, prepare_build, train_nerf_p, work_folder
from posemap_ros.recipe import load_recipe
from posemap_ros.support.command_line import add_training_arguments, run_stage
from posemap_ros.support.distributed import is_first, process_group
from posemap_ros.support.stopwatch import Stopwatch


def open_build(arguments: argparse.Namespace) -> Build:
    """The training run that the shared arguments describe; raises as `prepare_build` does."""
    return prepare_build(
        arguments.data,
        load_recipe(arguments.recipe),
        work_folder(arguments.out),
        split=arguments.split,
        data_format=arguments.format,
        device=arguments.device,
        backbone_weights=arguments.backbone_weights,
    )


def print_figures(figures: dict[str, float]) -> None:
    """One line each."""
    for name, value in figures.items():
        print(f'{name}: {value:.3f}')


def main(argv: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog='train_nerf_p', description=__doc__)
    add_training_arguments(parser)
    arguments = parser.parse_args(argv)

    def work() -> None:
        watch = Stopwatch()
        with process_group():
            build = open_build(arguments)
            with watch.section('NeRF-P'):
                figures = train_nerf_p(build)[1]
            if is_first():
                print_figures(figures)
                print(watch.summary())

    return run_stage(
        'train_nerf_p', work, ValueError, when_stopped='the same command goes on from here'
    )


if __name__ == '__main__':
    sys.exit(main())
