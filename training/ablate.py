"""Compare variants of a recipe on a dataset, over several seeds, and print the paper's tables.

Every variant is trained with the same budget on the same frames, and measured on the same test
frames. Variants are those in config/training/variants, or several joined with +. What runs have in
common (NeRF-P, its renders) is computed once. Run it again after any stop, and it resumes; run it
with other seeds or variants, and they join the tables.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from posemap_ros.experiments.ablation import Ablation, Run, Setting, report
from posemap_ros.support.command_line import SEED, add_training_arguments, number, run_stage
from posemap_ros.support.distributed import is_first, process_group
from posemap_ros.support.files import atomic_write
from posemap_ros.training.train_nerf_p import only_training_in

VARIANTS = ('pmnet', 'dfnet', 'posenet')
SEEDS = (0, 1, 2)


def make_parser(
    prog: str, description: str, variants: Sequence[str], seeds: Sequence[int]
) -> argparse.ArgumentParser:
    """The arguments that ablate and paper share, with these variants and seeds if others are not
    asked for.
    """
    parser = argparse.ArgumentParser(prog=prog, description=description)
    add_training_arguments(
        parser, out='folder for tables.md, results and environments; OUT/work holds the work'
    )
    add = parser.add_argument
    add('--test-split', type=Path, metavar='FILE', help='names of the test frames')
    add(
        '--variants',
        nargs='+',
        default=variants,
        metavar='NAME',
        help=f'default: {" ".join(variants)}',
    )
    add(
        '--seeds',
        nargs='+',
        type=SEED,
        default=seeds,
        metavar='N',
        help=f'default: {" ".join(map(str, seeds))}',
    )
    add(
        '--nerf-seed',
        type=SEED,
        metavar='N',
        help="all runs share the NeRF-P of this seed (default: each has its own seed's)",
    )
    add(
        '--fractions',
        nargs='+',
        type=number(float, 1e-6, 1.0),
        default=(1.0,),
        metavar='SHARE',
        help='of the training frames that the recipe takes, such as 1 0.5 0.25 (default: 1)',
    )
    add(
        '--align-on',
        type=Path,
        metavar='FILE',
        help='names of test frames on whose images each network is aligned afterwards '
        '(pmnet becomes PMNet_ud, dfnet DFNet_dm)',
    )
    add('--align-steps', type=number(int, 1), metavar='N', help="default: the recipe's epochs")
    return parser


def setting_of(arguments: argparse.Namespace, verifies: bool = False) -> Setting:
    """What the arguments say of all runs."""
    return Setting(
        data=arguments.data,
        out=arguments.out,
        recipe=arguments.recipe,
        data_format=arguments.format,
        split=arguments.split,
        test_split=arguments.test_split,
        device=arguments.device,
        backbone_weights=arguments.backbone_weights,
        nerf_seed=arguments.nerf_seed,
        align_on=arguments.align_on,
        align_steps=arguments.align_steps,
        verifies=verifies,
    )


def runs_of(arguments: argparse.Namespace) -> list[Run]:
    """All that is asked for."""
    return [
        Run(variant, fraction, seed)
        for fraction in arguments.fractions
        for seed in arguments.seeds
        for variant in arguments.variants
    ]


def main(argv: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = make_parser('ablate', __doc__, VARIANTS, SEEDS)
    parser.add_argument(
        '--verification',
        choices=('off', 'always'),
        default='off',
        help='always: verify each pose by landmarks, too, for columns of their own; results that '
        'lack them are measured again, without training (default: %(default)s)',
    )
    arguments = parser.parse_args(argv)

    def work() -> None:
        with process_group():
            ablation = Ablation(setting_of(arguments, arguments.verification == 'always'))
            runs = runs_of(arguments)
            builds = [ablation.build(run) for run in runs]  # mistakes show before hours are spent
            with only_training_in(ablation.out / 'work'):
                for run, build in zip(runs, builds):
                    ablation.complete(run, build)
            if is_first():
                whole = max(builds, key=lambda build: len(build.dataset))
                ablation.retrieve(whole)
                text = report(ablation.results(), whole.dataset, ablation.test)
                with atomic_write(arguments.out / 'tables.md') as temporary:
                    temporary.write_text(f'{text}\n')
                print(text)

    return run_stage('ablate', work, ValueError, when_stopped='the same command goes on from here')


if __name__ == '__main__':
    sys.exit(main())
