"""Variants of a recipe on one dataset, over seeds: trained, measured, aligned, and tabulated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from posemap_ros.alignment.on_images import align_on_images
from posemap_ros.building.build import Build, prepare_build
from posemap_ros.building.environment import build_environment
from posemap_ros.dataset import PosedImages, open_dataset, open_part
from posemap_ros.evaluation.errors import rotation_error_deg, translation_error_m
from posemap_ros.evaluation.retrieval import retrieve_poses
from posemap_ros.evaluation.run import localize_all
from posemap_ros.evaluation.uncertainty import calibration
from posemap_ros.experiments.results import Result, fraction_table, main_table, outlier_table
from posemap_ros.localizer import Localizer
from posemap_ros.recipe import load_recipe
from posemap_ros.support.distributed import is_first, wait_for_all
from posemap_ros.verification.verifier import Verifier

RETRIEVAL = 'nearest image'


@dataclass(frozen=True)
class Setting:
    """What all runs of an ablation have in common.

    Attributes:
        data, data_format: the dataset, and its reader if it is not found by looking at it.
        out: folder of environments, results and the work that they share.
        recipe: by name or path; a run adds its variant.
        split, test_split: files with the names of training and test frames, if not the data's.
        device: of the training.
        backbone_weights: file with ImageNet weights, or None for where the backbone finds its own.
        nerf_seed: of the one NeRF-P of all runs; None: each has that of its own seed.
        align_on: file with the names of test frames that networks are aligned on afterwards.
        align_steps: of each alignment; None: the recipe's epochs.
        verifies: whether poses are verified by landmarks, too.
    """

    data: Path
    out: Path
    recipe: str
    data_format: str | None = None
    split: Path | None = None
    test_split: Path | None = None
    device: str = 'auto'
    backbone_weights: Path | None = None
    nerf_seed: int | None = None
    align_on: Path | None = None
    align_steps: int | None = None
    verifies: bool = False


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

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.out = setting.out
        for folder in ('environments', 'results'):
            (self.out / folder).mkdir(parents=True, exist_ok=True)
        self.test = open_part(setting.data, 'test', setting.test_split, kind=setting.data_format)
        self.aligned_on: frozenset[str] = frozenset()
        if setting.align_on:
            chosen = open_part(setting.data, 'test', setting.align_on, kind=setting.data_format)
            self.aligned_on = frozenset(chosen.names)

    def build(self, run: Run) -> Build:
        """The training that a run needs."""
        recipe = load_recipe(f'{self.setting.recipe}+{run.variant}')
        # Of the frames that the recipe takes: the paper's are a part of all there are.
        fraction = run.fraction * recipe.data_fraction
        build = prepare_build(
            self.setting.data,
            replace(recipe, seed=run.seed, data_fraction=fraction),
            self.out / 'work',
            split=self.setting.split,
            data_format=self.setting.data_format,
            device=self.setting.device,
            backbone_weights=self.setting.backbone_weights,
        )
        return replace(build, nerf_seed=self.setting.nerf_seed)

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
            row=RETRIEVAL,
            fraction=1.0,
            seed=0,
            digest=digest,
            frames=self.test.names,
            translation_m=translation_error_m(poses, self.test.poses).tolist(),
            rotation_deg=rotation_error_deg(poses, self.test.poses).tolist(),
        ).save(self._path(RETRIEVAL))

    def results(self) -> list[Result]:
        """All results in the folder, of this call and of others."""
        return [Result.load(path) for path in sorted((self.out / 'results').glob('*.json'))]

    def _align(self, run: Run, build: Build, environment: Path) -> None:
        """Results after alignment, apart for the frames that were aligned on and the others."""
        steps = self.setting.align_steps
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
        revision, figures = None, {}
        if None not in known and environment.is_dir():
            figures = known[0].figures
            revision = int(figures['revision'])
        if revision is None:
            images = open_dataset(
                self.setting.data, self.setting.align_on, self.setting.data_format
            )
            result = align_on_images(
                environment,
                images,
                revision=0,
                steps=steps,
                device=self.setting.device,
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
        return result.tried_verification or not self.setting.verifies

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
        verifies = self.setting.verifies
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
            row=row,
            fraction=run.fraction,
            seed=run.seed,
            digest=digest,
            frames=frames.names,
            translation_m=metres.tolist(),
            rotation_deg=degrees.tolist(),
            figures=figures,
            verified_translation_m=verified_m,
            verified_rotation_deg=verified_deg,
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
