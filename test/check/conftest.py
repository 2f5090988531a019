"""The room, and what matches in its images; made once, because the poses have no part in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from textured_room import drive, write_room

from posemap_ros.check.fit import Fit, fit_epipolar
from posemap_ros.check.pairs import Pairs, find_pairs
from posemap_ros.check.timeline import Timeline, timeline_of
from posemap_ros.dataset import PosedImages
from posemap_ros.two_view.features import FeatureMatcher


@dataclass(frozen=True)
class Room:
    dataset: PosedImages
    matcher: FeatureMatcher
    timeline: Timeline
    pairs: Pairs

    def fit(self, poses: np.ndarray | None = None, camera=None) -> Fit:
        poses = self.dataset.poses if poses is None else poses
        return fit_epipolar(self.pairs, poses, self.timeline, camera or self.matcher.camera)


@pytest.fixture(scope='session')
def room(tmp_path_factory) -> Room:
    dataset = write_room(tmp_path_factory.mktemp('data') / 'room', drive(60))
    matcher, timeline = FeatureMatcher(dataset), timeline_of(dataset)
    return Room(dataset, matcher, timeline, find_pairs(matcher, timeline))
