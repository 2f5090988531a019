"""How much of a schedule fits into the time that is given: a short run of everything tells what a
step takes, and what all else takes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import median

from posemap_ros.recipe import Recipe
from posemap_ros.training_loop import SHOW_EVERY

# In the short run the held-out error is looked at once and the synthetic views are drawn anew
# once, in different tens of the steps, whose times are known.
_STEPS, _CHECKED_AFTER, _REDRAWN_AFTER = 80, 40, 60


class NotEnoughTime(ValueError):
    """Not even the work around the steps fits into the time."""


def short_run(recipe: Recipe) -> Recipe:
    """The recipe with so few steps that it is soon over, and each of them as costly as any."""
    nerf = replace(recipe.nerf_p, steps=_STEPS, pose_steps=_STEPS)
    redraw = _REDRAWN_AFTER if recipe.aprnet.views.redraw_steps else 0
    aprnet = replace(
        recipe.aprnet,
        steps=_STEPS,
        rendering_losses_from=0.0,
        plateau=replace(recipe.aprnet.plateau, checks=_STEPS // _CHECKED_AFTER, stop=1.0),
        views=replace(recipe.aprnet.views, redraw_steps=redraw),
    )
    return replace(recipe, nerf_p=nerf, aprnet=aprnet)


def scaled(recipe: Recipe, frames: float, share: float) -> Recipe:
    """A share of the schedule, for so many times the frames that its steps are counted for.

    How often synthetic views are drawn anew follows the frames alone: as many epochs as before.
    """

    def steps(count: int) -> int:
        return max(1, round(frames * share * count))

    nerf, aprnet = recipe.nerf_p, recipe.aprnet
    redraw = aprnet.views.redraw_steps
    checks = max(min(10, aprnet.plateau.checks), round(share * aprnet.plateau.checks))
    return replace(
        recipe,
        nerf_p=replace(nerf, steps=steps(nerf.steps), pose_steps=steps(nerf.pose_steps)),
        aprnet=replace(
            aprnet,
            steps=steps(aprnet.steps),
            plateau=replace(aprnet.plateau, checks=checks),
            views=replace(
                aprnet.views, redraw_steps=max(1, round(frames * redraw)) if redraw else 0
            ),
        ),
    )


@dataclass(frozen=True)
class Costs:
    """Seconds of a training with a whole schedule, as a short run tells them."""

    nerf_p: float  # its steps
    aprnet: float  # its steps, with the held-out error and the synthetic views
    alignment: float  # its steps
    around: float  # all but the steps, without alignment
    around_alignment: float  # all but its steps

    @classmethod
    def of(cls, recipe: Recipe, work: Path, seconds: float, **alignment: float) -> Costs:
        """From the short run of a recipe.

        Args:
            recipe: with its whole schedule.
            work: folder of the run, which took so many seconds.
            alignment: its costs.
        """
        nerf, apr = recipe.nerf_p, recipe.aprnet
        view, pose = (median(_tens(work, stem)) / SHOW_EVERY for stem in ('views', 'posemap'))
        tens = _tens(work, 'aprnet')
        usual = median(tens)
        step = usual / SHOW_EVERY
        check = max(0.0, tens[_CHECKED_AFTER // SHOW_EVERY - 1] - usual)
        redraw = max(0.0, tens[_REDRAWN_AFTER // SHOW_EVERY - 1] - usual)
        rounds = apr.steps / apr.views.redraw_steps if apr.views.redraw_steps else 0.0
        return cls(
            nerf_p=nerf.steps * view + nerf.pose_steps * pose,
            aprnet=apr.steps * step + apr.plateau.checks * check + rounds * redraw,
            around=max(0.0, seconds - _STEPS * (view + pose + step) - check - redraw),
            **alignment,
        )

    def share(self, seconds: float, fields: int, networks: int, alignments: int) -> float:
        """Of the schedule, at most 1, that fits into a time with so many trainings of each kind.

        Raises:
            NotEnoughTime: none does.
        """
        around = networks * self.around + alignments * self.around_alignment
        steps = fields * self.nerf_p + networks * self.aprnet + alignments * self.alignment
        if seconds <= around:
            raise NotEnoughTime(
                f'all but the steps of the trainings takes {around / 3600:.2g} hours, and '
                f'{max(0.0, seconds) / 3600:.2g} are left: give more, or ask for fewer variants'
            )
        return min(1.0, (seconds - around) / steps)


def _tens(work: Path, stem: str) -> list[float]:
    """How long each ten steps of a training took, by the curves that it left for TensorBoard."""
    # Slow to import, and nothing else here needs it.
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (file,) = work.glob(f'*/events.out.tfevents.*.{stem}')
    curves = EventAccumulator(str(file), size_guidance={'scalars': 0}).Reload()
    times = [event.wall_time for event in curves.Scalars(curves.Tags()['scalars'][0])]
    return [after - before for before, after in pairwise(times)]
