"""Map the landmarks of an environment's place: what poses are verified by. build_environment does
so, too; this is for environments from before there were any, and for trying other choices.

DIR of the data is what the environment was built from. Landmarks that the environment has are
replaced.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from dataclasses import replace
from pathlib import Path

from posemap_ros.building.build import work_folder
from posemap_ros.building.landmarks import find_landmarks, store_landmarks
from posemap_ros.dataset import leave_out_narrow, open_part
from posemap_ros.environment import Environment
from posemap_ros.recipe import InvalidRecipe, load_recipe
from posemap_ros.support.command_line import add_data_arguments, run_stage
from posemap_ros.support.device import choose_device
from posemap_ros.support.stopwatch import Stopwatch


def map_environment(
    path: Path,
    data: Path,
    split: Path | None = None,
    *,
    data_format: str | None = None,
    recipe: str | None = None,
    device: str = 'auto',
) -> Environment:
    """Map the landmarks of the environment folder ``path``, or resume, and store them in it.

    Args:
        data, split, data_format: the photos, as `open_part` takes them.
        recipe: name of the one that says how; None is the environment's own.

    Raises:
        InvalidEnvironment, DatasetError, InvalidRecipe, ValueError: with a sentence that says what
            to do.
    """
    environment = Environment.load(path, revision=0)
    chosen = environment.recipe
    if recipe is not None:
        chosen = replace(chosen, landmarks=load_recipe(recipe).landmarks)
    if chosen.landmarks.photos == 0:
        raise InvalidRecipe(
            f'the recipe {chosen.name} wants no landmarks (landmarks.photos is 0): name another '
            'with --recipe'
        )
    dataset = leave_out_narrow(open_part(data, 'train', split, data_format))
    device = choose_device(device)
    work = work_folder(path) / 'landmarks'
    nerf, net = environment.load_nerf_p(device), environment.load_aprnet(device)
    landmarks = find_landmarks(dataset, nerf, net, chosen, work)
    if landmarks is not None:
        environment = store_landmarks(environment, landmarks, dataset, device)
    shutil.rmtree(work)
    if not any(work.parent.iterdir()):
        work.parent.rmdir()
    return environment


def main(argv: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog='map_landmarks', description=__doc__)
    add = parser.add_argument
    add(
        '--environment',
        type=Path,
        required=True,
        metavar='DIR',
        help='environment folder; gets new landmarks',
    )
    add_data_arguments(parser)
    add('--split', type=Path, metavar='FILE', help='names of the photos (default: the train.txt)')
    add(
        '--recipe',
        metavar='NAME',
        help="whose `landmarks` say how (default: the environment's own)",
    )
    add('--device', default='auto', help='auto, cpu, cuda, ... (default: %(default)s)')
    arguments = parser.parse_args(argv)

    def work() -> None:
        watch = Stopwatch()
        with watch.section('landmarks'):
            map_environment(
                arguments.environment,
                arguments.data,
                arguments.split,
                data_format=arguments.format,
                recipe=arguments.recipe,
                device=arguments.device,
            )
        print(watch.summary())

    return run_stage(
        'map_landmarks', work, ValueError, when_stopped='the same command goes on from here'
    )


if __name__ == '__main__':
    sys.exit(main())
