"""Build an environment from posed images: NeRF-P, then APRNet. Run it again after any stop, and it
resumes.

DIR of the data is what extract_bag writes, any folder with a nerfstudio transforms.json, or a
folder of 7-Scenes, Cambridge Landmarks, COLMAP or TUM. Frames listed in its train.txt are trained
on if there is such a file, otherwise those that its authors meant for training, otherwise all.

On several GPUs: torchrun --nproc-per-node N -m posemap_ros.training.build_environment ...
"""

from __future__ import annotations

import argparse
import shutil
import sys

from posemap_ros.building.environment import build_environment
from posemap_ros.support.command_line import add_training_arguments, run_stage
from posemap_ros.support.distributed import is_first, process_group
from posemap_ros.training.train_nerf_p import open_build


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
        with process_group(), open_build(arguments) as build:
            watch = build_environment(build, arguments.out, overwrite=arguments.overwrite)
            if is_first():
                if not arguments.keep_work:
                    shutil.rmtree(build.work)
                print(watch.summary())

    return run_stage(
        'build_environment', work, ValueError, when_stopped='the same command goes on from here'
    )


if __name__ == '__main__':
    sys.exit(main())
