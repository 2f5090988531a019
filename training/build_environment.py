"""Build an environment from posed images: NeRF-P, then APRNet. Run it again after any stop, and it
resumes.

DIR of the data is what extract_bag writes, any folder with a nerfstudio transforms.json, or a
folder of 7-Scenes, Cambridge Landmarks, COLMAP or TUM. Frames listed in its train.txt are trained
on if there is such a file, otherwise those that its authors meant for training, otherwise all.
"""

from __future__ import annotations

import argparse
import sys

from posemap_ros.building import build_environment
from posemap_ros.command_line import add_training_arguments, run_stage
from posemap_ros.recipe import load_recipe


def main(argv: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog='build_environment', description=__doc__)
    add_training_arguments(parser)
    parser.add_argument(
        '--overwrite', action='store_true', help='replace what the environment folder holds'
    )
    parser.add_argument(
        '--keep-work', action='store_true', help='keep checkpoints and renders in OUT.work'
    )
    arguments = parser.parse_args(argv)

    def work() -> None:
        watch = build_environment(
            arguments.data,
            arguments.out,
            load_recipe(arguments.recipe),
            split=arguments.split,
            device=arguments.device,
            backbone_weights=arguments.backbone_weights,
            data_format=arguments.format,
            overwrite=arguments.overwrite,
            keep_work=arguments.keep_work,
        )
        print(watch.summary())

    return run_stage(
        'build_environment', work, ValueError, when_stopped='the same command goes on from here'
    )


if __name__ == '__main__':
    sys.exit(main())
