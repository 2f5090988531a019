"""Which convention, focal length and time offset make poses and images agree.

Each of the three changes what looks best for the others, so they are looked for together: that
way the one that is wrong comes out wrong, and the others come out right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from posemap_ros.camera import Camera
from posemap_ros.check.conventions import AS_GIVEN, CONVENTIONS, Convention
from posemap_ros.check.pairs import Pairs, Progress
from posemap_ros.check.timeline import Timeline
from posemap_ros.rigid import relative_poses
from posemap_ros.two_view.epipolar import sampson_px

# What a pair can cost at most, as a share of the image's width: with more, all is equally wrong.
_CAP = 0.03
_COARSE_FOCAL = np.geomspace(0.67, 1.5, 7)
_FINE_FOCAL = np.geomspace(0.6, 1 / 0.6, 53)  # 2 % apart, 1 among them
_LONGEST_OFFSET_S = 1.0
_COARSE_STEPS = 5  # of the offset, on each side
_FINE_STEPS = 30
_ROUNDS = 2
_REFINED = 3  # conventions, beside the given one
_ALIKE = 1.2  # a frame that the camera is mounted on is likelier than a convention as good
_BETTER_CONVENTION = 0.7  # of the cost of the given one, or the given one is believed
_SHARE_WITH_OFFSET = 0.6  # of the pairs whose poses must be known at all offsets
_RESAMPLES = 50


@dataclass(frozen=True, eq=False)
class Profile:
    """The mean cost in pixels at each value of one quantity, the others at their best.

    `best` is the lowest point of a parabola through the grid's best and its neighbours, `sigma`
    its spread over resampled pairs (bootstrap).
    """

    values: np.ndarray
    costs: np.ndarray
    best: float
    sigma: float

    def cost_at(self, value: float) -> float:
        return float(np.interp(value, self.values, self.costs))


@dataclass(frozen=True, eq=False)
class Fit:
    """What fits best.

    Attributes:
        convention: the given one unless another is much better.
        focal: profile over the factor of the given focal length.
        offset: profile over seconds: an image fits the pose that is given for that much later.
            None where it cannot be tested.
        residuals_px: [p] median Sampson distance of each pair at the best of all three.
        given_px: the same, median over the pairs, with everything as given.
        costs_px: cost of each convention, at its own best focal length and offset.
    """

    convention: Convention
    focal: Profile
    offset: Profile | None
    residuals_px: np.ndarray
    given_px: float
    costs_px: dict[Convention, float]
    camera: Camera  # with the best focal length
    T_world_a: np.ndarray  # [p, 4, 4] at the best convention and offset
    T_world_b: np.ndarray


def fit_epipolar(
    pairs: Pairs,
    poses: np.ndarray,
    timeline: Timeline,
    camera: Camera,
    conventions: Sequence[Convention] = CONVENTIONS,
    progress: Progress = lambda items, what, total: items,
) -> Fit:
    """Search all conventions on a coarse grid, then near the best ones more finely.

    Args:
        pairs: matched points, in pixels of `camera`.
        poses: [n, 4, 4] of all frames, as they were read.
        timeline: when the frames were taken.
        camera: pinhole.
        conventions: what the poses may be, `AS_GIVEN` among them.
        progress: shows how far the search is.
    """
    longest, known = _longest_offset(pairs, poses, timeline)
    used = pairs.select(known)
    few = _Objective(used.thinned(), poses, timeline, camera, longest, conventions)
    tried = progress(conventions, 'trying conventions', len(conventions))
    best = {convention: few.search(convention) for convention in tried}
    promising = sorted(best, key=lambda convention: best[convention][0])[:_REFINED]
    for convention in {AS_GIVEN, *promising}:
        _, focal, offset = best[convention]
        focal, offset = few.refine(convention, focal, offset)
        best[convention] = (float(few.costs(convention, focal, offset).mean()), focal, offset)
    chosen = _likeliest({convention: cost for convention, (cost, _, _) in best.items()})
    _, focal, offset = best[chosen]
    everything = _Objective(used, poses, timeline, camera, longest, [chosen])
    offset_profile = everything.offset_profile(chosen, focal) if longest else None
    offset = offset_profile.best if offset_profile else 0.0
    focal_profile = everything.focal_profile(chosen, offset)
    focal = focal_profile.best
    poses_a, poses_b = (
        timeline.shifted(chosen.correct(poses), index, offset)[0] for index in (pairs.a, pairs.b)
    )
    right, given = _with_focal(camera, focal), relative_poses(poses[pairs.a], poses[pairs.b])
    return Fit(
        convention=chosen,
        focal=focal_profile,
        offset=offset_profile,
        residuals_px=_medians(pairs, relative_poses(poses_a, poses_b), right),
        given_px=float(np.median(_medians(pairs, given, camera))),
        costs_px={convention: cost for convention, (cost, _, _) in best.items()},
        camera=right,
        T_world_a=poses_a,
        T_world_b=poses_b,
    )


def _likeliest(costs: dict[Convention, float]) -> Convention:
    """The cheapest; as given if that is hardly worse, else a frame, the first that is not."""
    least = min(costs.values())
    if least > _BETTER_CONVENTION * costs[AS_GIVEN]:
        return AS_GIVEN
    frames = [c for c, cost in costs.items() if c.frame and cost <= _ALIKE * least]
    return frames[0] if frames else min(costs, key=costs.__getitem__)


class _Objective:
    """What the pairs cost at any convention, focal length and offset."""

    def __init__(
        self,
        pairs: Pairs,
        poses: np.ndarray,
        timeline: Timeline,
        camera: Camera,
        longest_offset_s: float,
        conventions: Sequence[Convention],
    ) -> None:
        self._pairs, self._timeline, self._camera = pairs, timeline, camera
        self._longest = longest_offset_s
        self._poses = {convention: convention.correct(poses) for convention in conventions}

    def costs(self, convention: Convention, focal: float, offset: float) -> np.ndarray:
        """Of each pair [p], its median distance, up to the cap."""
        return self._costs(self._relative(convention, offset), focal)

    def search(self, convention: Convention) -> tuple[float, float, float]:
        """The lowest mean cost on a coarse grid, and its focal factor and offset."""
        tried = []
        for offset in _offsets(self._longest, _COARSE_STEPS):
            T_b_a = self._relative(convention, offset)
            tried += [
                (float(self._costs(T_b_a, focal).mean()), float(focal), float(offset))
                for focal in _COARSE_FOCAL
            ]
        return min(tried)

    def refine(self, convention: Convention, focal: float, offset: float) -> tuple[float, float]:
        """The best focal factor and offset near these, each in turn."""
        for _ in range(_ROUNDS):
            if self._longest:
                offset = self.offset_profile(convention, focal).best
            focal = self.focal_profile(convention, offset).best
        return focal, offset

    def focal_profile(self, convention: Convention, offset: float) -> Profile:
        T_b_a = self._relative(convention, offset)
        return _profile(_FINE_FOCAL, np.stack([self._costs(T_b_a, f) for f in _FINE_FOCAL]))

    def offset_profile(self, convention: Convention, focal: float) -> Profile:
        offsets = _offsets(self._longest, _FINE_STEPS)
        return _profile(offsets, np.stack([self.costs(convention, focal, t) for t in offsets]))

    def _relative(self, convention: Convention, offset: float) -> np.ndarray:
        """T_b_a [p, 4, 4] of the pairs."""
        poses, pairs = self._poses[convention], self._pairs
        a, _ = self._timeline.shifted(poses, pairs.a, offset)
        b, _ = self._timeline.shifted(poses, pairs.b, offset)
        return relative_poses(a, b)

    def _costs(self, T_b_a: np.ndarray, focal: float) -> np.ndarray:
        camera = _with_focal(self._camera, focal)
        return np.minimum(_medians(self._pairs, T_b_a, camera), _CAP * camera.width)


def _longest_offset(
    pairs: Pairs, poses: np.ndarray, timeline: Timeline
) -> tuple[float, np.ndarray]:
    """The longest offset for which poses are known for most pairs, and which pairs [p] these are.

    0 where frames are too far apart in time, or not in order at all.
    """
    longest = _LONGEST_OFFSET_S
    while pairs.in_order and longest >= 2 * timeline.frame_s > 0:
        known = np.ones(len(pairs), bool)
        for offset in _offsets(longest, _COARSE_STEPS):
            for index in (pairs.a, pairs.b):
                known &= timeline.shifted(poses, index, offset)[1]
        if known.mean() >= _SHARE_WITH_OFFSET:
            return longest, known
        longest /= 2
    return 0.0, np.ones(len(pairs), bool)


def _offsets(longest: float, steps: int) -> np.ndarray:
    return np.linspace(-longest, longest, 2 * steps + 1) if longest else np.zeros(1)


def _medians(pairs: Pairs, T_b_a: np.ndarray, camera: Camera) -> np.ndarray:
    return np.median(sampson_px(pairs.points_a, pairs.points_b, T_b_a, camera), axis=1)


def _with_focal(camera: Camera, factor: float) -> Camera:
    return replace(camera, fx=camera.fx * factor, fy=camera.fy * factor)


def _profile(values: np.ndarray, costs: np.ndarray) -> Profile:
    """From the costs [n, p] of p pairs at n values."""
    rng = np.random.default_rng(0)
    resampled = [
        _lowest(values, costs[:, rng.integers(costs.shape[1], size=costs.shape[1])].mean(axis=1))
        for _ in range(_RESAMPLES)
    ]
    mean = costs.mean(axis=1)
    return Profile(values, mean, _lowest(values, mean), float(np.std(resampled)))


def _lowest(values: np.ndarray, costs: np.ndarray) -> float:
    """Where the parabola through the lowest cost and its two neighbours is lowest."""
    i = int(np.argmin(costs))
    if i in (0, len(values) - 1):
        return float(values[i])
    before, lowest, after = costs[i - 1 : i + 2]
    bend = before - 2 * lowest + after
    shift = 0.0 if bend <= 0 else 0.5 * (before - after) / bend
    step = (values[i + 1] - values[i - 1]) / 2
    return float(values[i] + shift * step)
