"""Compare variants of a recipe on a dataset, over several seeds, and print the paper's tables.

Every variant is trained with the same budget on the same frames, and measured on the same test
frames. Variants are those in config/training/variants, or several joined with +. What runs have in
common (NeRF-P, its renders) is computed once. Run it again after any stop, and it resumes; run it
with other seeds or variants, and they join the tables.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from posemap_ros.building.build import Build, prepare_build
from posemap_ros.building.environment import build_environment
from posemap_ros.dataset import PosedImages, open_dataset, open_part
from posemap_ros.evaluation.ablation import Result, fraction_table, main_table, outlier_table
from posemap_ros.evaluation.errors import rotation_error_deg, translation_error_m
from posemap_ros.evaluation.retrieval import retrieve_poses
from posemap_ros.evaluation.run import localize_all
from posemap_ros.evaluation.uncertainty import calibration
from posemap_ros.localizer import Localizer
from posemap_ros.recipe import load_recipe
from posemap_ros.support.command_line import SEED, add_training_arguments, number, run_stage
from posemap_ros.support.distributed import is_first, process_group, wait_for_all
from posemap_ros.support.files import atomic_write
from posemap_ros.training.align import align_on_images
from posemap_ros.training.train_nerf_p import only_training_in
from posemap_ros.verification.verifier import Verifier

VARIANTS = ('pmnet', 'dfnet', 'posenet')
SEEDS = (0, 1, 2)
RETRIEVAL = 'nearest image'
_SAME_M = 1e-3  # errors of one network differ by less from one machine to the next


@dataclass(frozen=True)
class Run:
    """One variant, trained once."""

    variant: str
    fraction: float
    seed: int

    @property
    def name(self) -> str:
        """Of its files."""
        return f'{self.variant}-{100 * self.fraction:g}percent-seed{self.seed}'


class Ablation:
    """Runs on one dataset, in one folder: environments, results, and the work that they share."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        self.out: Path = arguments.out
        for folder in ('environments', 'results'):
            (self.out / folder).mkdir(parents=True, exist_ok=True)
        self.test = open_part(arguments.data, 'test', arguments.test_split, kind=arguments.format)
        self.aligned_on: frozenset[str] = frozenset()
        if arguments.align_on:
            chosen = open_part(arguments.data, 'test', arguments.align_on, kind=arguments.format)
            self.aligned_on = frozenset(chosen.names)

    def build(self, run: Run) -> Build:
        """The training that a run needs."""
        recipe = load_recipe(f'{self.arguments.recipe}+{run.variant}')
        # Of the frames that the recipe takes: the paper's are a part of all there are.
        fraction = run.fraction * recipe.data_fraction
        build = prepare_build(
            self.arguments.data,
            replace(recipe, seed=run.seed, data_fraction=fraction),
            self.out / 'work',
            split=self.arguments.split,
            data_format=self.arguments.format,
            device=self.arguments.device,
            backbone_weights=self.arguments.backbone_weights,
        )
        return replace(build, nerf_seed=self.arguments.nerf_seed)

    def complete(self, run: Run, build: Build, *, align: bool = True) -> None:
        """Train, measure, align and measure again, as far as that is not done yet.

        Of several processes all train, and the first does the rest.
        """
        if is_first():
            print(f'--- {run.name}', flush=True)
        environment = self.out / 'environments' / run.name
        digest = build.digest(build.recipe.to_dict(), build.seed_of_nerf, self.test.names)
        known = self._known(run.name, digest)
        complete = self._is_complete(known)
        if known is None or not (complete or environment.is_dir()):
            build_environment(build, environment, overwrite=True)
        if is_first():
            if not complete:
                localizer = Localizer(environment, build.device, 0)
                self._measure(run, run.name, run.variant, digest, localizer, self.test)
            if align and self.aligned_on:
                self._align(run, build, environment)
        wait_for_all()

    def retrieve(self, build: Build) -> None:
        """Measure the floor: the pose of the nearest training image."""
        digest = build.digest(self.test.names)
        if self._known(RETRIEVAL, digest) is not None:
            return
        poses = retrieve_poses(
            build.dataset,
            self.test,
            build.network_camera,
            build.recipe.aprnet.backbone,
            build.backbone_weights,
        )
        Result(
            RETRIEVAL,
            1.0,
            0,
            digest,
            self.test.names,
            translation_error_m(poses, self.test.poses).tolist(),
            rotation_error_deg(poses, self.test.poses).tolist(),
        ).save(self._path(RETRIEVAL))

    def results(self) -> list[Result]:
        """All results in the folder, of this call and of others."""
        return [Result.load(path) for path in sorted((self.out / 'results').glob('*.json'))]

    def _align(self, run: Run, build: Build, environment: Path) -> None:
        """Results after alignment, apart for the frames that were aligned on and the others."""
        steps = self.arguments.align_steps
        parts = {
            'aligned on these': [n for n in self.test.names if n in self.aligned_on],
            'aligned on others': [n for n in self.test.names if n not in self.aligned_on],
        }
        digest = build.digest(
            build.recipe.to_dict(), build.seed_of_nerf, sorted(self.aligned_on), steps
        )
        names = {part: f'{run.name}-{part.replace(" ", "_")}' for part in parts if parts[part]}
        known = [self._known(name, digest) for name in names.values()]
        if all(map(self._is_complete, known)):
            return
        revision = None
        if None not in known:
            revision = self._revision_of(known[0], environment, build.device)
            figures = known[0].figures
        if revision is None:
            images = open_dataset(
                self.arguments.data, self.arguments.align_on, self.arguments.format
            )
            result = align_on_images(
                environment,
                images,
                revision=0,
                steps=steps,
                device=self.arguments.device,
                seed=run.seed,
            )
            print(result.reason)
            # An alignment that does not help is dropped, and the network is what it was.
            revision = result.revision if result.accepted else 0
            figures = {'alignment_kept': float(result.accepted)}
        localizer = Localizer(environment, build.device, revision)
        for part, name in names.items():
            row, chosen = f'{run.variant}, {part}', self.test.select(parts[part])
            self._measure(run, name, row, digest, localizer, chosen, figures)

    def _revision_of(self, result: Result, environment: Path, device: torch.device) -> int | None:
        """Which revision of an environment an aligned result is of; None where it is not there.

        Results of earlier versions do not say it, but their errors are its.
        """
        if not environment.is_dir():
            return None
        if (revision := result.figures.get('revision')) is not None:
            return int(revision)
        frames = self.test.select(result.frames)
        for revision in (None, 0):
            found = localize_all(Localizer(environment, device, revision), frames)
            if np.allclose(found.translation_m, result.translation_m, rtol=0, atol=_SAME_M):
                return found.revision
        return None

    def _path(self, name: str) -> Path:
        return self.out / 'results' / f'{name.replace(" ", "_")}.json'

    def _known(self, name: str, digest: str) -> Result | None:
        """The result of a run with all these choices, if there is one."""
        path = self._path(name)
        result = Result.load(path) if path.exists() else None
        return result if result is not None and result.digest == digest else None

    def _is_complete(self, result: Result | None) -> bool:
        if result is None:
            return False
        return result.tried_verification or self.arguments.verification == 'off'

    def _measure(
        self,
        run: Run,
        name: str,
        row: str,
        digest: str,
        localizer: Localizer,
        frames: PosedImages,
        more: Mapping[str, float] | None = None,
    ) -> None:
        """Keep the errors on test frames as the result of a run, with verified poses if asked, and
        more figures.
        """
        verifies = self.arguments.verification == 'always'
        verifier = Verifier.of(localizer.environment) if verifies else None
        evaluation = localize_all(localizer, frames, verifier=verifier)
        verified_m, verified_deg = [], []
        if verifies:
            if verifier is None:
                print(f'{localizer.environment.path} has no landmarks: nothing is verified')
            verified_m, verified_deg = (
                _over_all(errors, evaluation.verified, len(frames))
                for errors in evaluation.verified_errors
            )
        metres, degrees = evaluation.translation_m, evaluation.rotation_deg
        figures = {
            **(more or {}),
            **calibration(metres, evaluation.sigma_translation_m, 'translation'),
            **calibration(degrees, evaluation.sigma_rotation_deg, 'rotation'),
            'revision': evaluation.revision,
        }
        Result(
            row,
            run.fraction,
            run.seed,
            digest,
            frames.names,
            metres.tolist(),
            degrees.tolist(),
            figures,
            verified_m,
            verified_deg,
        ).save(self._path(name))


def _over_all(errors: np.ndarray, which: np.ndarray, count: int) -> list[float | None]:
    """Errors [n] of some frames, by their indices, as a list over all of them."""
    found = dict(zip(which.tolist(), errors.tolist()))
    return [found.get(index) for index in range(count)]


def report(results: list[Result], training: PosedImages, test: PosedImages) -> str:
    """The tables, as Markdown."""
    positions = {frame.name: frame.T_world_cam[:3, 3] for frame in test.frames}
    parts = [
        '## All test frames (Table 5)',
        main_table(results),
        '## The 30 test frames farthest from the training clusters (Table 4)',
        outlier_table(results, training.poses[:, :3, 3], positions),
    ]
    if any(result.fraction < 1.0 for result in results):
        parts += ['## With less training data (Figure 6)', fraction_table(results)]
    return '\n\n'.join(parts)


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
            ablation = Ablation(arguments)
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
