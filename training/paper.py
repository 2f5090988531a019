"""Train what the paper compares at its sizes, and print its Table 5 with its own figures beside:
PoseNet, DFNet, NeRFMap, PMNet and PMNet without two of its losses; then DFNet and PMNet aligned on
unlabelled images, which makes DFNet_dm and PMNet_ud.

The data are a scene of 7-Scenes or Cambridge Landmarks, or any other. The recipe `paper` is
paper_outdoor for Cambridge Landmarks and paper_indoor else, with as many epochs for any number of
frames; `paper+cosine` and so on changes what the variant says. With --hours a short run of
everything comes first, and tells by how much all schedules must shrink. Run it again after any
stop, and it resumes.

On several GPUs: torchrun --nproc-per-node N -m posemap_ros.training.paper ...
"""

from __future__ import annotations

import sys

from posemap_ros.experiments.reproduction import Reproduction
from posemap_ros.support.command_line import number, run_stage
from posemap_ros.support.distributed import process_group
from posemap_ros.training.ablate import make_parser, runs_of, setting_of
from posemap_ros.training.train_nerf_p import only_training_in

VARIANTS = ('pmnet', 'dfnet', 'posenet', 'nerfmap', 'no_image', 'no_rvs')


def main(argv: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = make_parser('paper', __doc__, VARIANTS, seeds=(0,))
    parser.set_defaults(recipe='paper')
    parser.add_argument(
        '--hours',
        type=number(float, 1e-3),
        metavar='H',
        help='shrink all schedules so that everything takes about so long (default: the whole)',
    )
    arguments = parser.parse_args(argv)

    def work() -> None:
        with process_group(), only_training_in(arguments.out / 'work'):
            Reproduction(setting_of(arguments), runs_of(arguments), arguments.hours).run()

    return run_stage('paper', work, ValueError, when_stopped='the same command goes on from here')


if __name__ == '__main__':
    sys.exit(main())
