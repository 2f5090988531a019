"""An image and an estimate of its pose in; a pose of centimetres, its covariance and a verdict
out.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from posemap_ros.camera import Camera, ImageAdapter
from posemap_ros.landmarks.keypoints import Keypoints, make_detector
from posemap_ros.landmarks.landmark_map import LandmarkMap
from posemap_ros.landmarks.matching import unit_vectors
from posemap_ros.pose_covariance import (
    HasPoseCovariance,
    sigma_rotation_deg,
    sigma_translation_m,
)
from posemap_ros.verification.calibration import Calibration
from posemap_ros.verification.matching import match_anywhere, match_nearby
from posemap_ros.verification.pose_solver import (
    Matches,
    Solution,
    consensus,
    influence,
    refine,
    step_between,
)
from posemap_ros.verification.verdict import GRID, Evidence, objection
from posemap_ros.verification.visibility import Visibility

if TYPE_CHECKING:
    from posemap_ros.environment import Environment
    from posemap_ros.localizer import Estimate

_logger = logging.getLogger(__name__)

# Enough for centimetres, few enough for an image in 60 ms.
_KEYPOINTS = 600
_LANDMARKS = 4000
_PHOTOS = 10  # near a pose
_PHOTOS_ALIKE = 8
# A keypoint of a small blob is found to this share of the image's longer side; one that looks at
# a wider part of the image is found less well.
_KEYPOINT_SIGMA = 0.6 / 320
_KEYPOINT_SHARP = 6.0 / 320
# Shares of the image's longer side within which a keypoint may be its landmark: for the first
# guess, for the matches around it, and for those that count as evidence.
_CONSENSUS, _RING, _CORE = 4.0 / 320, 6.0 / 320, 2.0 / 320
_WIDEST_SEARCH = 0.3  # share of the longer side; beyond it, what is alike is looked for anywhere
_SPREADS = 3.0  # standard deviations that a search covers
_AGREEMENT = 4.0
# A pose from matches in one part of the image is a little off in the others: they are matched
# around it again, as long as that finds more, or until most that should be visible is found.
_ROUNDS, _WELL_MATCHED = 4, 0.6
_CAMERAS_KEPT = 8
_FEWEST = 6


@dataclass(frozen=True, eq=False)
class Prior:
    """The last verified pose, carried on by odometry, and by how much it may be off: standard
    deviations per axis.
    """

    T_map_cam: np.ndarray  # [4, 4]
    sigma_m: float
    sigma_deg: float


@dataclass(frozen=True, eq=False)
class Verification(HasPoseCovariance):
    """What was found out about one image.

    Attributes:
        verified: whether the pose is to be believed.
        reason: in a sentence, what it rests on, or why there is none.
        T_map_cam: [4, 4] float64, camera (optical axes) to map, where something was solved.
        covariance: [6, 6] as of `Estimate`.
        inliers: landmarks seen where they should be.
        cells: of a grid of 12 x 9 over the image, those with some of them.
        origin: what led to the pose: 'prior', 'estimate' or 'look-alike photos'.
        pixels, landmarks: [n, 2] pixels of the landmark camera and [n] indices of the landmarks
            found there.
        seconds: processor time of this thread.
    """

    verified: bool
    reason: str
    T_map_cam: np.ndarray | None = None
    covariance: np.ndarray | None = None
    inliers: int = 0
    cells: int = 0
    origin: str = ''
    evidence: Evidence | None = None
    pixels: np.ndarray | None = None
    landmarks: np.ndarray | None = None
    seconds: float = 0.0


@dataclass(frozen=True, eq=False)
class _Seen:
    """The keypoints of an image, their descriptors as unit vectors."""

    keypoints: Keypoints
    vectors: np.ndarray

    @property
    def pixels(self) -> np.ndarray:
        return self.keypoints.points


@dataclass(frozen=True, eq=False)
class _Guess:
    """Matches that a candidate led to: keypoints and landmarks, and about where from."""

    origin: str
    keypoints: np.ndarray
    landmarks: np.ndarray
    points: np.ndarray
    T_map_cam: np.ndarray


class Verifier:
    """Verifies poses by the landmarks of an environment. Safe to call from several threads.

    Args:
        landmarks: of the place.
        calibration: what the place's verdicts were calibrated to.
    """

    def __init__(self, landmarks: LandmarkMap, calibration: Calibration | None = None) -> None:
        self.landmarks = landmarks
        self.calibration = calibration or Calibration()
        self._detector = make_detector(landmarks.detector)
        self._visibility = Visibility(landmarks)
        self._is_unsure = np.zeros(len(landmarks), bool)
        if landmarks.pose_covariances is not None:
            photos = np.flatnonzero(landmarks.pose_covariances.any(axis=(1, 2)))
            for photo in photos:
                self._is_unsure[landmarks.seen_by(photo)] = True
        self._adapters: dict[Camera, ImageAdapter] = {}

    @classmethod
    def of(cls, environment: Environment, today: LandmarkMap | None = None) -> Verifier | None:
        """The verifier of an environment; None where its landmarks were not mapped.

        Args:
            today: in place of the landmarks that its revision adds.

        Raises:
            InvalidLandmarks, InvalidCalibration: with a sentence.
        """
        if environment.landmarks is None:
            return None
        calibration = Calibration.from_dict(environment.verification)
        landmarks = LandmarkMap.load(environment.landmarks)
        if today is None and environment.todays_landmarks is not None:
            today = LandmarkMap.load(environment.todays_landmarks)
            if not landmarks.fits(today):
                _logger.warning(
                    '%s were found with another detector or camera than those of the environment, '
                    'which were mapped anew since, and are left out: align again',
                    environment.todays_landmarks,
                )
                today = None
        return cls(landmarks if today is None else landmarks.joined(today), calibration)

    def verify(
        self, image: np.ndarray, camera: Camera, estimate: Estimate, prior: Prior | None = None
    ) -> Verification:
        """Solve the pose of an image uint8 RGB [H, W, 3] taken by ``camera``, and judge it.

        Raises:
            CameraMismatch: ``camera`` sees too little of what the landmarks' camera saw.
        """
        start = time.thread_time()
        best = None
        for attempt in self.attempts(image, camera, estimate, prior):
            if best is None or attempt.verified or attempt.cells > best.cells:
                best = attempt
            if best.verified:
                break
        if best is None:
            best = Verification(False, 'No pose fits what was recognised in the image.')
        return replace(best, seconds=time.thread_time() - start)

    def attempts(
        self, image: np.ndarray, camera: Camera, estimate: Estimate, prior: Prior | None = None
    ) -> Iterator[Verification]:
        """What each candidate leads to, the surest candidate first; one that leads to no pose is
        left out. Arguments and errors are those of `verify`.
        """
        grey = cv2.cvtColor(self._adapted(image, camera), cv2.COLOR_RGB2GRAY)
        keypoints = self._detector.detect(grey, max_keypoints=_KEYPOINTS)
        seen = _Seen(keypoints, unit_vectors(keypoints.descriptors, self._detector))
        for guess in self._guesses(seen, estimate, prior):
            found = self._solve(guess(), seen, estimate, prior)
            if found is not None:
                yield found

    def _guesses(
        self, seen: _Seen, estimate: Estimate, prior: Prior | None
    ) -> Iterator[Callable[[], _Guess]]:
        """The candidates, the surest first."""
        if prior is not None:
            yield lambda: self._guess_near(
                'prior', seen, prior.T_map_cam, prior.sigma_m, np.radians(prior.sigma_deg)
            )
        yield lambda: self._guess_near(
            'estimate',
            seen,
            estimate.T_map_cam,
            estimate.sigma_translation_m,
            np.radians(estimate.sigma_rotation_deg),
        )
        if self.landmarks.looks.shape[1] == len(estimate.descriptor):
            yield lambda: self._guess_alike(seen, estimate.descriptor)

    def _guess_near(
        self, origin: str, seen: _Seen, T: np.ndarray, sigma_m: float, sigma_rad: float
    ) -> _Guess:
        """Matches around where landmarks should be if a pose were known to a spread."""
        camera = self.landmarks.camera
        near = self._visibility.photos_near(T, _PHOTOS)
        landmarks, points = self._visibility.landmarks_of(*near)
        pixels, depths, visible = self._visibility.project(landmarks, points, T, camera)
        radii = camera.fx * _SPREADS * (sigma_rad + sigma_m / np.maximum(depths, 0.3))
        radii += _RING * camera.longer_side
        reach = radii[:, None]
        visible &= ((pixels > -reach) & (pixels < (camera.width, camera.height) + reach)).all(1)
        chosen = np.flatnonzero(visible)[:_LANDMARKS]
        landmarks, points = landmarks[chosen], points[chosen]
        pixels, radii = pixels[chosen], radii[chosen]
        if not len(landmarks) or np.median(radii) > _WIDEST_SEARCH * camera.longer_side:
            k, m = self._match_anywhere(seen, landmarks, points)
        else:
            k, m = self._match_nearby(seen, landmarks, pixels, radii)
        return _Guess(origin, k, landmarks[m], points[m], T)

    def _guess_alike(self, seen: _Seen, descriptor: np.ndarray) -> _Guess:
        """Matches with what the photos show that look like the image."""
        likeness = self.landmarks.looks.astype(np.float32) @ descriptor
        photos = np.argsort(-likeness, kind='stable')[:_PHOTOS_ALIKE]
        landmarks, points = self._visibility.landmarks_of(photos, np.ones(len(photos)))
        landmarks, points = landmarks[:_LANDMARKS], points[:_LANDMARKS]
        k, m = self._match_anywhere(seen, landmarks, points)
        T = self.landmarks.T_world_cam[photos[0]]
        return _Guess('look-alike photos', k, landmarks[m], points[m], T)

    def _solve(
        self, guess: _Guess, seen: _Seen, estimate: Estimate, prior: Prior | None
    ) -> Verification | None:
        """The pose that a guess leads to, and the verdict on it; None where it leads nowhere."""
        camera = self.landmarks.camera
        rough = consensus(
            self._matches(seen, guess.keypoints, guess.landmarks, guess.points, guess.T_map_cam),
            camera,
            _CONSENSUS * camera.longer_side,
        )
        if rough is None:
            return None
        best, T = None, rough
        for _ in range(_ROUNDS):
            found = self._matched_around(T, guess.origin, seen, estimate, prior)
            if found is None or (best is not None and found.cells <= best.cells):
                break
            best, T = found, found.T_map_cam
            if best.evidence.share > _WELL_MATCHED:
                break
        return best

    def _matched_around(
        self, T: np.ndarray, origin: str, seen: _Seen, estimate: Estimate, prior: Prior | None
    ) -> Verification | None:
        """The pose by all landmarks close to where a first pose expects them. Many keypoints that
        were not distinct in a wide search are in a narrow one.
        """
        camera = self.landmarks.camera
        near = self._visibility.photos_near(T, _PHOTOS)
        landmarks, points = self._visibility.landmarks_of(*near)
        pixels, _, visible = self._visibility.project(landmarks, points, T, camera)
        visible &= ((pixels > 0) & (pixels < (camera.width, camera.height))).all(axis=1)
        landmarks, points, pixels = landmarks[visible], points[visible], pixels[visible]
        ring = np.full(len(landmarks), _RING * camera.longer_side, np.float32)
        k, m = self._match_nearby(seen, landmarks, pixels, ring)
        if len(k) < _FEWEST:
            return None
        matches = self._matches(seen, k, landmarks[m], points[m], T)
        solution = refine(T, matches, camera)
        if solution is None:
            return None
        return self._judged(origin, solution, matches, landmarks[m], pixels, seen, estimate, prior)

    def _judged(
        self,
        origin: str,
        solution: Solution,
        matches: Matches,
        landmarks: np.ndarray,
        expected: np.ndarray,
        seen: _Seen,
        estimate: Estimate,
        prior: Prior | None,
    ) -> Verification:
        camera = self.landmarks.camera
        T, covariance = solution.T_map_cam, self.calibration.calibrated(solution.covariance)
        covariance = covariance + self._inherited(solution, matches, landmarks)
        projected, _, _ = self._visibility.project(landmarks, matches.points, T, camera)
        off = np.linalg.norm(projected - matches.pixels, axis=1) / camera.longer_side
        core, ring = off < _CORE, off < _RING
        # Chance puts as many into each pixel of the ring as into each of its core.
        by_chance = (ring & ~core).sum() * _CORE**2 / (_RING**2 - _CORE**2)
        pixels = matches.pixels[core]
        evidence = Evidence(
            inliers=float(core.sum() - by_chance),
            cells=len(self._cells(pixels)),
            cells_expected=len(self._cells(expected) & self._cells(seen.pixels)),
            sigma_m=sigma_translation_m(covariance),
            sigma_deg=sigma_rotation_deg(covariance),
            agrees=self._agrees(T, estimate, prior),
        )
        against = objection(evidence, self.calibration, self._visibility.scale)
        agree = f'{core.sum()} landmarks in {evidence.cells} parts of the image agree.'
        return Verification(
            verified=not against,
            reason=against or agree,
            T_map_cam=T,
            covariance=covariance,
            inliers=int(core.sum()),
            cells=evidence.cells,
            origin=origin,
            evidence=evidence,
            pixels=pixels,
            landmarks=landmarks[core],
        )

    def _inherited(
        self, solution: Solution, matches: Matches, landmarks: np.ndarray
    ) -> np.ndarray:
        """What the pose takes over of the errors of photos whose own poses were verified: [6, 6].

        All that such a photo sees is off by one and the same step. No number of landmarks makes
        less of that, and the solver, to which they agree, does not know.
        """
        unsure = self._is_unsure[landmarks]
        covariances = self.landmarks.pose_covariances
        if not unsure.any():
            return np.zeros((6, 6))
        photos, likeness = self._visibility.photos_near(solution.T_map_cam, _PHOTOS)
        weights = likeness * covariances[photos].any(axis=(1, 2))
        if not weights.any():
            photos, weights = np.arange(len(covariances)), covariances.any(axis=(1, 2))
        covariance = np.average(covariances[photos], axis=0, weights=weights)
        A = influence(solution, matches, self.landmarks.camera, unsure)
        return A @ covariance @ A.T

    def _agrees(self, T: np.ndarray, estimate: Estimate, prior: Prior | None) -> bool:
        """Whether a pose lies where the network, or odometry, expects it."""
        sigma_m, sigma_deg = estimate.sigma_translation_m, estimate.sigma_rotation_deg
        expectations = [(estimate.T_map_cam, sigma_m, sigma_deg)]
        if prior is not None:
            # Without odometry a prior grows until every pose of the place is near it: that it may
            # lie anywhere speaks for none of them.
            narrow = min(sigma_m, prior.sigma_m), min(sigma_deg, prior.sigma_deg)
            expectations.append((prior.T_map_cam, *narrow))
        for T_expected, sigma_m, sigma_deg in expectations:
            step = step_between(T_expected, T)
            shift, turn = np.linalg.norm(step[:3]), np.degrees(np.linalg.norm(step[3:]))
            if shift < _AGREEMENT * sigma_m and turn < _AGREEMENT * sigma_deg:
                return True
        return False

    def _matches(
        self,
        seen: _Seen,
        keypoints: np.ndarray,
        landmarks: np.ndarray,
        points: np.ndarray,
        T_map_cam: np.ndarray,
    ) -> Matches:
        """As the solver takes them. A landmark's error lies along the line from which it was
        seen, and shows as far as it is looked at from the side.
        """
        points = points.astype(np.float64)
        away = points - T_map_cam[:3, 3]
        away /= np.linalg.norm(away, axis=1, keepdims=True)
        cosine = np.einsum('ij,ij->i', away, self._visibility.directions[landmarks])
        sideways = np.sqrt(np.clip(1.0 - cosine**2, 0.05**2, 1.0))
        side = self.landmarks.camera.longer_side
        blur = seen.keypoints.scales[keypoints].astype(np.float64) / (_KEYPOINT_SHARP * side)
        return Matches(
            seen.pixels[keypoints].astype(np.float64),
            _KEYPOINT_SIGMA * side * np.hypot(1.0, blur),
            points,
            self.landmarks.sigmas[landmarks] * sideways,
        )

    def _match_anywhere(
        self, seen: _Seen, landmarks: np.ndarray, points: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        vectors = unit_vectors(self.landmarks.descriptors[landmarks], self._detector)
        apart = 0.03 * self._visibility.distances[landmarks]
        return match_anywhere(seen.vectors, vectors, points, apart)

    def _match_nearby(
        self, seen: _Seen, landmarks: np.ndarray, pixels: np.ndarray, radii: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        vectors = unit_vectors(self.landmarks.descriptors[landmarks], self._detector)
        size = (self.landmarks.camera.width, self.landmarks.camera.height)
        return match_nearby(seen.vectors, seen.pixels, vectors, pixels, radii, size)

    def _cells(self, pixels: np.ndarray) -> set[int]:
        """Cells of the grid over the image that pixels [n, 2] lie in."""
        size = (self.landmarks.camera.width, self.landmarks.camera.height)
        cells = np.clip((pixels / size * GRID).astype(int), 0, np.array(GRID) - 1)
        return set((cells[:, 0] * GRID[1] + cells[:, 1]).tolist())

    def _adapted(self, image: np.ndarray, camera: Camera) -> np.ndarray:
        """The image as the landmarks' camera would have taken it."""
        adapter = self._adapters.get(camera)
        if adapter is None:
            adapter = ImageAdapter(camera, self.landmarks.camera)
            if len(self._adapters) >= _CAMERAS_KEPT:
                self._adapters.clear()
            self._adapters[camera] = adapter
        return adapter(image)
