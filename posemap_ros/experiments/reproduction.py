"""The paper's experiments at its sizes, or in a given time, and its Table 5 with ours beside."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from posemap_ros.alignment.align import MIN_IMAGES
from posemap_ros.alignment.self_supervised import SelfSupervisedAligner
from posemap_ros.building.build import Build
from posemap_ros.environment import Environment
from posemap_ros.experiments.ablation import Ablation, Run, Setting, report
from posemap_ros.experiments.published import comparison_table, is_outdoors, known_scene
from posemap_ros.experiments.time_budget import Costs, scaled, short_run
from posemap_ros.recipe import Recipe, load_recipe
from posemap_ros.support.distributed import (
    is_first,
    same_for_all,
    wait_for_all,
)
from posemap_ros.support.files import atomic_write
from posemap_ros.support.stopwatch import Stopwatch, format_duration
from posemap_ros.support.untrusted import dump_yaml, read_json

ALIGNED = ('pmnet', 'dfnet')
# The training frames for which the recipes count their steps.
COUNTED_FOR = {'paper_indoor': 1400, 'paper_outdoor': 610}
# Every so many test frames are aligned on (paper, section 4.1): 10 % indoors, 50 % outdoors.
ALIGN_EVERY = {False: 10, True: 2}
_LARGEST_PLAN = 1 << 20  # bytes
_TIMED_STEPS = 5  # of an alignment


@dataclass(frozen=True)
class Plan:
    """How much of the paper's schedule is run."""

    asked: str  # what it is a plan for
    share: float
    align_steps: int | None  # None: as many epochs as the recipe says

    def save(self, path: Path) -> None:
        """Write as JSON, atomically."""
        with atomic_write(path) as temporary:
            temporary.write_text(json.dumps(asdict(self)))

    @classmethod
    def load(cls, path: Path, asked: str) -> Plan | None:
        """What `save` wrote, if it answers to what is asked now."""
        try:
            plan = cls(**read_json(path, _LARGEST_PLAN))
        except (OSError, ValueError, TypeError):
            return None
        return plan if plan.asked == asked else None


class Reproduction:
    """The paper's experiments on one dataset, in one folder.

    Args:
        setting: its recipe `paper` becomes the one for the scene.
        runs: which networks.
        hours: that everything may take; None: as long as the whole schedule takes.
    """

    def __init__(self, setting: Setting, runs: list[Run], hours: float | None) -> None:
        self.out, self.hours, self.runs = setting.out, hours, runs
        self.scene = known_scene(setting.data.resolve().name)
        name, *variants = setting.recipe.split('+')
        if name == 'paper':
            name = 'paper_outdoor' if is_outdoors(self.scene) else 'paper_indoor'
        self.outdoors = is_outdoors(self.scene) or name == 'paper_outdoor'
        self.setting = replace(setting, recipe='+'.join([name, *variants]))

    def run(self) -> None:
        """Plan, train, measure and tell."""
        watch = Stopwatch()
        ablation = Ablation(self.setting)
        frames = len(ablation.build(replace(self.runs[0], fraction=1.0)).dataset)
        align_on = self._align_on(ablation.test.names)
        recipe = load_recipe(self.setting.recipe)
        # The steps of someone's own recipe are taken as they are.
        counted_for = COUNTED_FOR.get(recipe.name.split('+')[0], frames)
        recipe = scaled(recipe, frames / counted_for, 1.0)
        # Nothing here is verified by landmarks.
        recipe = replace(recipe, landmarks=replace(recipe.landmarks, photos=0))
        plan = self._plan(recipe, align_on)
        recipe = scaled(recipe, 1.0, plan.share)
        ablation = self._ablation(self.out, recipe, align_on, plan.align_steps)
        builds = [ablation.build(run) for run in self.runs]  # mistakes show before hours are spent
        for run, build in zip(self.runs, builds):
            ablation.complete(run, build, align=run.variant in ALIGNED)
        if is_first():
            text = self._tell(ablation, builds[0], plan)
            with atomic_write(self.out / 'tables.md') as temporary:
                temporary.write_text(f'{text}\n')
            print(f'{text}\n\nthis call took {format_duration(watch.total)}')

    def _align_on(self, test: list[str]) -> Path | None:
        """The list of the test frames to align on; None where there are too few."""
        if self.setting.align_on or len(test) < MIN_IMAGES:
            return self.setting.align_on
        every = min(ALIGN_EVERY[self.outdoors], len(test) // MIN_IMAGES)
        return _written(self.out / 'align_on.txt', '\n'.join(test[::every]))

    def _ablation(
        self, out: Path, recipe: Recipe, align_on: Path | None, align_steps: int | None
    ) -> Ablation:
        """In a folder, with a recipe that is kept there."""
        kept = _written(out / 'recipe.yaml', dump_yaml(recipe.to_dict()))
        return Ablation(
            replace(
                self.setting,
                out=out,
                recipe=str(kept),
                align_on=align_on,
                align_steps=align_steps,
            )
        )

    def _plan(self, recipe: Recipe, align_on: Path | None) -> Plan:
        """How much of a recipe's schedule is run; as it was planned before, if it was."""
        asked = json.dumps([self.hours, recipe.to_dict()])
        path = self.out / 'plan.json'
        plan = Plan.load(path, asked)
        if plan is None:
            wait_for_all()  # nobody writes one before all have looked
            share, align_steps = 1.0, self.setting.align_steps
            if self.hours is not None:
                share, align_steps = self._rehearse(recipe, align_on)
            plan = Plan(asked, share, align_steps)
            if is_first():
                plan.save(path)
        return plan

    def _rehearse(self, recipe: Recipe, align_on: Path | None) -> tuple[float, int]:
        """Do everything once with a few steps, and see what fits into the time.

        Returns:
            the share of the schedule, and steps of an alignment.
        """
        watch = Stopwatch()
        folder = self.out / 'rehearsal'
        if is_first():
            print('--- a short run of everything, to see how long it takes', flush=True)
            shutil.rmtree(folder, ignore_errors=True)
        wait_for_all()
        ablation = self._ablation(folder, short_run(recipe), align_on, 1)
        run = replace(self.runs[0], variant='pmnet')
        build = ablation.build(run)
        with watch.section('training'):
            ablation.complete(run, build, align=False)
        with watch.section('aligning'):
            ablation.complete(run, build)
        planned = 1.0, 1
        if is_first():
            steps = self.setting.align_steps
            steps = steps or recipe.alignment.epochs * len(ablation.aligned_on)
            step = _seconds_per_alignment_step(ablation, run, build) if align_on else 0.0
            costs = Costs.of(
                recipe,
                folder / 'work',
                watch.seconds['training'],
                alignment=steps * step,
                around_alignment=watch.seconds['aligning'],
            )
            share = costs.share(
                3600.0 * self.hours - watch.total,
                fields=len({(run.fraction, run.seed) for run in self.runs}),
                networks=len(self.runs),
                alignments=sum(run.variant in ALIGNED for run in self.runs),
            )
            planned = share, max(1, round(share * steps))
            print(f'--- {100 * share:.3g} % of the schedule fits into the time', flush=True)
            shutil.rmtree(folder)
        return same_for_all(planned)

    def _tell(self, ablation: Ablation, build: Build, plan: Plan) -> str:
        """The tables, and what they are of, as Markdown."""
        nerf, aprnet = build.recipe.nerf_p, build.recipe.aprnet
        schedule = 'The whole schedule'
        if self.hours is not None:
            schedule = f'{100 * plan.share:.3g} % of the schedule: {self.hours:g} hours'
        return '\n\n'.join(
            [
                f'# {self.setting.data.resolve().name}',
                f'Recipe {self.setting.recipe}, {len(build.dataset)} training frames, '
                f'{len(ablation.test)} test frames, {len(ablation.aligned_on)} of which are '
                f'aligned on. {schedule}, which is {nerf.steps} and {nerf.pose_steps} steps of '
                f"NeRF-P and at most {aprnet.steps} of APRNet. The paper's figures are those of "
                "the authors' splits, which these data may have or not.",
                "## Medians on all test frames, beside the paper's",
                comparison_table(ablation.results(), self.scene, outdoors=self.outdoors),
                report(ablation.results(), build.dataset, ablation.test),
            ]
        )


def _written(path: Path, text: str) -> Path:
    """A file with this text, which all processes see."""
    if is_first():
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as temporary:
            temporary.write_text(text, encoding='utf-8')
    wait_for_all()
    return path


def _seconds_per_alignment_step(ablation: Ablation, run: Run, build: Build) -> float:
    """Of a self-supervised alignment of the environment that a run left."""
    environment = Environment.load(ablation.out / 'environments' / run.name, 0)
    net = environment.load_aprnet(build.device)
    nerf = environment.load_nerf_p(build.device)
    image = torch.from_numpy(ablation.test.load_as(0, net.camera))[None].to(build.device)
    recipe, generator = build.recipe.alignment, torch.Generator().manual_seed(0)
    aligner = SelfSupervisedAligner(net, nerf, image, recipe, generator)
    aligner.step(0.0)  # the first is slower
    _finish(build.device)
    started = time.perf_counter()
    for _ in range(_TIMED_STEPS):
        aligner.step(0.0)
    _finish(build.device)
    return (time.perf_counter() - started) / _TIMED_STEPS


def _finish(device: torch.device) -> None:
    if device.type == 'cuda':
        torch.cuda.synchronize(device)
