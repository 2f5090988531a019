"""All checks of a dataset, one after the other: can the data work?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from posemap_ros.check.conventions import CONVENTIONS
from posemap_ros.check.coverage_map import SeenFromAbove, judge_coverage, look_from_above
from posemap_ros.check.expected_accuracy import Retrieval, judge_retrieval, measure_retrieval
from posemap_ros.check.exposure import Exposure, judge_exposure, measure_exposure
from posemap_ros.check.findings import Finding
from posemap_ros.check.fit import Fit, fit_epipolar
from posemap_ros.check.geometry_findings import FEWEST_PAIRS, judge_geometry, no_pairs
from posemap_ros.check.motion import Motion, examine_motion, judge_motion
from posemap_ros.check.mounts import mount_conventions
from posemap_ros.check.pairs import Pairs, Progress, find_pairs
from posemap_ros.check.scale import Scale, judge_scale, measure_scale
from posemap_ros.check.split import Split, judge_split, measure_split
from posemap_ros.check.timeline import Timeline, timeline_of
from posemap_ros.dataset import PosedImages
from posemap_ros.dataset.transforms_json import read_mounts
from posemap_ros.two_view.features import FeatureMatcher


@dataclass(frozen=True, eq=False)
class Checked:
    """What was found out, and what pictures are drawn from; None where it could not be tested."""

    dataset: PosedImages
    matcher: FeatureMatcher
    timeline: Timeline
    findings: list[Finding]
    poses: np.ndarray  # [n, 4, 4] in the convention that fits
    pairs: Pairs
    fit: Fit | None = None
    scale: Scale | None = None
    motion: Motion | None = None
    exposure: Exposure | None = None
    above: SeenFromAbove | None = None
    split: Split | None = None
    retrieval: Retrieval | None = None


def check_dataset(
    dataset: PosedImages,
    parts: tuple[Iterable[int], Iterable[int]] | None = None,
    progress: Progress = lambda items, what, total: items,
) -> Checked:
    """Check convention, focal length and time offset; then, with those put right, everything else.

    That way one mistake is reported once, not as five.

    Args:
        dataset: all frames.
        parts: indices of training and of test frames, if the data are split.
        progress: shows how far a long step is.

    Raises:
        DatasetError: an image cannot be read.
    """
    matcher, timeline = FeatureMatcher(dataset), timeline_of(dataset)
    pairs = find_pairs(matcher, timeline, progress)
    checked = Checked(dataset, matcher, timeline, [], dataset.poses, pairs)
    if len(pairs) < FEWEST_PAIRS:
        return replace(checked, findings=[no_pairs(pairs)])
    conventions = [*CONVENTIONS, *mount_conventions(read_mounts(dataset.root))]
    fit = fit_epipolar(pairs, dataset.poses, timeline, matcher.camera, conventions, progress)
    poses = fit.convention.correct(dataset.poses)
    scale = measure_scale(poses, pairs, fit, timeline, metric=dataset.metric)
    motion = examine_motion(matcher, poses, fit.camera, timeline, scale.depth_m)
    exposure = measure_exposure(matcher, pairs)
    above = look_from_above(poses, timeline.order, scale.depth_m, dataset.unit)
    split = measure_split(poses, timeline, *parts) if parts else None
    retrieval = measure_retrieval(dataset, poses, timeline, split)
    findings = judge_geometry(dataset, pairs, fit, timeline)
    if len(findings) > 1:  # poses belong to the images
        findings += [
            judge_scale(scale, timeline, dataset.root),
            *judge_motion(motion, dataset.names, dataset.unit),
            judge_coverage(above),
            judge_split(split, dataset),
            judge_retrieval(retrieval, dataset.unit),
        ]
    return replace(
        checked,
        findings=[*findings, judge_exposure(exposure)],
        poses=poses,
        fit=fit,
        scale=scale,
        motion=motion,
        exposure=exposure,
        above=above,
        split=split,
        retrieval=retrieval,
    )
