"""Whether an aligned network is better: asked in places that it was not trained on.

Frames next to those that were trained on get better in any case, also where all the rest of the
map is forgotten. So frames are held out in blocks, away from the others, and views all over the
map are asked for, too. Neither says how the rest of the map looks today: who saw a corner of it
only cannot judge.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from posemap_ros.aprnet.network import APRNet
from posemap_ros.aprnet.renders import PosedViews
from posemap_ros.aprnet.trainer import predict
from posemap_ros.geometry import rotation_error_deg, translation_error

# One frame in so many judges, and no more than so many: more only take time.
HOLD_OUT_EVERY = 5
MAX_HELD_OUT = 40
# Runs of frames that are held out together.
_BLOCKS = 4
# A part of the map is shown by frames that are no more than so many steps away.
_NEAR_STEPS = 5.0
# Errors below these are noise of the labels themselves.
_FLOOR = 0.01
# What counts as better shrinks errors by at least this share.
_LEAST = 0.005
# By how many standard errors a change must differ from none to be more than noise.
_SURE = 2.0
# What views of the map may get worse by, seen for sure.
_TOLERATED = 0.1


def hold_out_places(T_world_cam: Tensor, step_m: float, step_deg: float) -> tuple[Tensor, Tensor]:
    """Divide frames at poses [N, 4, 4], N >= 8, into those to train on and those that judge.

    Those that judge lie in a few blocks, spread over the order of the frames. What is nearer to
    one of them than a step belongs to neither, as long as half of the frames are left to train on.

    Args:
        step_m, step_deg: from where on it is another place: metres and degrees, each by its own,
            or shares of both.

    Returns:
        two tensors of indices, sorted.
    """
    count = len(T_world_cam)
    judges = min(max(2, count // HOLD_OUT_EVERY), MAX_HELD_OUT)
    blocks = min(_BLOCKS, judges // 2)
    apart = _steps_between(T_world_cam, T_world_cam, step_m, step_deg)
    held_out = torch.zeros(count, dtype=torch.bool)
    for block in range(blocks):
        middle = int((block + 0.5) * count / blocks)
        nearest = apart[middle].masked_fill(held_out, torch.inf).argsort()
        held_out[nearest[: (judges + block) // blocks]] = True
    away = apart[:, held_out].amin(dim=1).masked_fill(held_out, -1.0)
    at_least_half = away.sort(descending=True).values[(count + 1) // 2 - 1]
    trained = away >= min(1.0, float(at_least_half))
    return trained.nonzero()[:, 0], held_out.nonzero()[:, 0]


def share_shown(T_world_cam: Tensor, mapped: Tensor, step_m: float, step_deg: float) -> float:
    """The share of the map near which there are frames.

    Args:
        T_world_cam: [N, 4, 4] of the frames.
        mapped: [M, 4, 4] of the mapping photos; where M is 0 nobody knows, and it is 1.
    """
    if not len(mapped):
        return 1.0
    apart = _steps_between(mapped, T_world_cam, step_m, step_deg).amin(dim=1)
    return float((apart < _NEAR_STEPS).float().mean())


def _steps_between(a: Tensor, b: Tensor, step_m: float, step_deg: float) -> Tensor:
    """[N, M] steps from each of the poses a [N, 4, 4] to each of b [M, 4, 4]."""
    a, b = a[:, None], b[None]
    return translation_error(a, b) / step_m + rotation_error_deg(a, b) / step_deg


@dataclass(frozen=True)
class PoseErrors:
    """How far poses are off: metres [n], degrees [n]."""

    metres: Tensor
    degrees: Tensor

    @classmethod
    def of(cls, net: APRNet, views: PosedViews) -> PoseErrors:
        """Of what a network says of n images; n may be 0."""
        if not len(views):
            return cls.none()
        predicted = predict(net, views.images).T_world_cam.cpu()
        return cls(
            translation_error(predicted, views.T_world_cam),
            rotation_error_deg(predicted, views.T_world_cam),
        )

    @classmethod
    def none(cls) -> PoseErrors:
        """Of no images."""
        return cls(torch.empty(0), torch.empty(0))

    @property
    def amounts(self) -> Tensor:
        """One number [n] each: metres, and a metre for a radian."""
        return self.metres + torch.deg2rad(self.degrees)

    def __str__(self) -> str:
        return f'{self.metres.median():.3f} m {self.degrees.median():.2f} deg'


@dataclass(frozen=True)
class Gaps:
    """How much photos differ from the views at the poses estimated for them: [n]."""

    amounts: Tensor


@dataclass(frozen=True)
class Change:
    """The same n images (n may be 0) judged by the network before and after it was aligned."""

    before: PoseErrors | Gaps
    after: PoseErrors | Gaps

    @property
    def is_better(self) -> bool:
        """Whether the errors shrank, and not by chance."""
        mean, noise = self._growth()
        return mean + _SURE * noise < 0.0 and mean < -_LEAST

    @property
    def is_worse(self) -> bool:
        """Whether the errors grew by more than is tolerated, and not by chance."""
        mean, noise = self._growth()
        return mean - _SURE * noise > 0.0 and mean > _TOLERATED

    def _growth(self) -> tuple[float, float]:
        """Mean logarithm of what the errors were multiplied by, and its standard error."""
        before, after = (e.amounts for e in (self.before, self.after))
        if len(before) < 2:
            return 0.0, 0.0
        if isinstance(self.before, PoseErrors):
            before, after = before.clamp_min(_FLOOR), after.clamp_min(_FLOOR)
        growth = (after / before).log()
        return float(growth.mean()), float(growth.std() / len(growth) ** 0.5)

    def __len__(self) -> int:
        return len(self.before.amounts)

    def __str__(self) -> str:
        if isinstance(self.before, PoseErrors):
            return f'off by {self.before} before, by {self.after} after'
        growth = float(self.after.amounts.mean() / self.before.amounts.mean()) - 1.0
        return (
            f'fit the views of the map {100 * abs(growth):.1f} % '
            f'{"worse" if growth > 0 else "better"} than before'
        )
