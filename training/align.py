"""Align an environment on images of how the place looks today.

The poses in the data are not used: where the environment has landmarks, the images are verified by
them, and what is verified is learned. The result becomes a new revision of the environment if it
helps in places that were not trained on, and is dropped otherwise.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from posemap_ros.alignment.align import AlignmentResult, align_environment
from posemap_ros.dataset import open_dataset
from posemap_ros.environment import MANIFEST, Environment
from posemap_ros.support.command_line import SEED, add_data_arguments, number, run_stage
from posemap_ros.support.device import out_of_memory_means
from posemap_ros.support.files import check_writable
from posemap_ros.support.progress import progress_bar
from posemap_ros.support.stopwatch import Stopwatch


@out_of_memory_means('lower alignment.view_height in the recipe, and build again')
def align_on_dataset(
    environment: Path,
    data: Path,
    split: Path | None = None,
    *,
    data_format: str | None = None,
    every: int = 1,
    verify: bool = True,
    revision: int | None = None,
    seconds: float | None = None,
    steps: int | None = None,
    device: str = 'auto',
    seed: int = 0,
    watch: Stopwatch | None = None,
) -> AlignmentResult:
    """Align on every ``every``-th image of a dataset's split; see `align_environment`."""
    watch = watch or Stopwatch()
    dataset = open_dataset(data, split, data_format)
    dataset = replace(dataset, frames=dataset.frames[::every])
    loaded = Environment.load(environment, revision)
    if loaded.warning:
        print(loaded.warning, file=sys.stderr)
    check_writable(loaded.path / MANIFEST)
    with watch.section('aligning'), progress_bar(None, 'aligning', 100, '%') as bar:

        def progress(fraction: float, text: str) -> None:
            bar.set_postfix_str(text, refresh=False)
            bar.update(round(100 * fraction) - bar.n)

        return align_environment(
            environment,
            dataset,
            verify=verify,
            revision=loaded.revision,
            seconds=seconds,
            steps=steps,
            device=device,
            seed=seed,
            progress=progress,
        )


def main(argv: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog='align', description=__doc__)
    add = parser.add_argument
    add(
        '--environment',
        type=Path,
        required=True,
        metavar='DIR',
        help='environment folder; gets a new revision',
    )
    add_data_arguments(parser)
    add('--split', type=Path, metavar='FILE', help='names of the frames to align on')
    add('--every', type=number(int, 1), default=1, metavar='N', help='use only every N-th of them')
    add(
        '--verification',
        choices=('off', 'always'),
        default='always',
        help='off: without labels, as in the paper (default: %(default)s)',
    )
    add('--seconds', type=number(float, 0.0), metavar='S', help='stop after so long')
    add(
        '--steps',
        type=number(int, 1),
        metavar='N',
        help="stop after so many steps (default: the recipe's epochs)",
    )
    add('--seed', type=SEED, default=0)
    add('--device', default='auto', help='auto, cpu, cuda, ... (default: %(default)s)')
    arguments = parser.parse_args(argv)

    def work() -> None:
        watch = Stopwatch()
        result = align_on_dataset(
            arguments.environment,
            arguments.data,
            arguments.split,
            data_format=arguments.format,
            every=arguments.every,
            verify=arguments.verification == 'always',
            seconds=arguments.seconds,
            steps=arguments.steps,
            device=arguments.device,
            seed=arguments.seed,
            watch=watch,
        )
        print(f'{result.reason}; the environment is at revision {result.revision}')
        print(watch.summary())

    return run_stage('align', work, ValueError, when_stopped='the environment is as it was')


if __name__ == '__main__':
    sys.exit(main())
