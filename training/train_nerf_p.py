"""Train, or resume, only NeRF-P, the first stage of build_environment, in its work folder
OUT.work.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from posemap_ros.building.build import Build, prepare_build, work_folder
from posemap_ros.building.environment import FolderInUse
from posemap_ros.building.field import train_nerf_p
from posemap_ros.recipe import load_recipe
from posemap_ros.support.command_line import add_training_arguments, run_stage
from posemap_ros.support.distributed import is_first, process_group
from posemap_ros.support.files import claimed
from posemap_ros.support.stopwatch import Stopwatch


@contextmanager
def open_build(arguments: argparse.Namespace) -> Iterator[Build]:
    """The training run that the shared arguments describe, in a work folder of its own.

    Raises as `prepare_build` does, and `FolderInUse`.
    """
    build = prepare_build(
        arguments.data,
        load_recipe(arguments.recipe),
        work_folder(arguments.out),
        split=arguments.split,
        data_format=arguments.format,
        device=arguments.device,
        backbone_weights=arguments.backbone_weights,
    )
    with only_training_in(build.work):
        yield build


@contextmanager
def only_training_in(work: Path) -> Iterator[None]:
    """Claim a work folder, which is made if it is missing; it goes if nothing came into it. The
    first process does so for all of one training.

    Raises `FolderInUse` at once if another training works there.
    """
    if not is_first():
        yield
        return
    with ExitStack() as stack:
        try:
            stack.enter_context(claimed(work))
        except BlockingIOError:
            raise FolderInUse(
                f'another training works in {work}: wait for it, or give another --out'
            ) from None
        try:
            yield
        finally:
            with suppress(OSError):
                work.rmdir()


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
            with open_build(arguments) as build, watch.section('NeRF-P'):
                figures = train_nerf_p(build)[1]
            if is_first():
                print_figures(figures)
                print(watch.summary())

    return run_stage(
        'train_nerf_p', work, ValueError, when_stopped='the same command goes on from here'
    )


if __name__ == '__main__':
    sys.exit(main())
