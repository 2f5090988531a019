"""What a build does next, and how long it will take in all."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from posemap_ros.building.build import Build
from posemap_ros.building.scene import recipe_of
from posemap_ros.support.stopwatch import format_duration
from posemap_ros.verification.calibrate import LOCALIZED

# Seconds on one core of an AMD EPYC of 2025, measured once. What counts is how they compare: as
# soon as a stage is done, its time says how fast this machine is.
_PHOTO_DEPTH, _FIELD_RAY, _POSEMAP_CELL = 0.17, 8.3e-5, 7.2e-5
_VIEW_RAY, _NETWORK_PIXEL, _LANDMARK_PHOTO, _CALIBRATED_PHOTO = 1.2e-5, 7.2e-7, 0.12, 0.2
_MLP = 16.0  # times what the grid takes
# Of its expected time, that a stage must take to tell anything: less, and it was resumed.
_TELLS = 0.3


@dataclass(frozen=True)
class Stage:
    """A part of a build: its name, and what it takes on that core, seconds."""

    name: str
    seconds: float


def stages_of(build: Build) -> list[Stage]:
    """What `build_environment` does, in order."""
    recipe, frames = recipe_of(build), len(build.dataset)
    nerf, apr, marks = recipe.nerf_p, recipe.aprnet, recipe.landmarks
    field = _MLP if nerf.field == 'mlp' else 1.0
    camera = build.network_camera
    cells = camera.width * camera.height / 256
    view = camera.with_shorter_side(apr.views.image_height)
    rays = view.width * view.height
    views = frames * (1 + apr.views.each(frames) * apr.uses_views)
    mapped = min(frames, marks.photos)
    return [
        Stage(
            'NeRF-P',
            frames * _PHOTO_DEPTH * (nerf.depth_weight > 0)
            + nerf.steps * nerf.rays_per_step * _FIELD_RAY * field
            + nerf.pose_steps * nerf.pose_batch * cells * _POSEMAP_CELL * field,
        ),
        Stage(
            'APRNet',
            views * rays * _VIEW_RAY * field
            + apr.steps * apr.batch * camera.width * camera.height * _NETWORK_PIXEL,
        ),
        Stage('landmarks', mapped * _LANDMARK_PHOTO),
        Stage('calibrating', min(mapped, LOCALIZED) * _CALIBRATED_PHOTO),
    ]


class TimeLeft:
    """Says at the beginning of each stage what comes next, and how long all takes from there.

    Args:
        stages: in their order.
        say: prints a line.
        clock: seconds.
    """

    def __init__(
        self,
        stages: list[Stage],
        say: Callable[[str], None] = print,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stages, self._say, self._clock = stages, say, clock
        self._begun: tuple[Stage, float] | None = None
        self._taken = self._expected = 0.0  # by the stages that are done

    def begin(self, name: str) -> None:
        """The stage with this name begins, and the one before is done."""
        now = self._clock()
        if self._begun is not None:
            stage, since = self._begun
            if now - since > _TELLS * stage.seconds:
                self._taken += now - since
                self._expected += stage.seconds
        index = [stage.name for stage in self._stages].index(name)
        self._begun = self._stages[index], now
        slower = self._taken / self._expected if self._expected else 1.0
        left = slower * sum(stage.seconds for stage in self._stages[index:])
        rest = ', '.join(stage.name for stage in self._stages[index + 1 :])
        self._say(
            f'--- {index + 1} of {len(self._stages)}: {name}{f"; then {rest}" if rest else ""}; '
            f'about {format_duration(left)} left in all'
        )
