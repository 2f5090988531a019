"""The landmarks of a place, and the photos they were seen in, as one file."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from posemap_ros.camera import Camera
from posemap_ros.landmarks.keypoints import DETECTORS
from posemap_ros.support import commands
from posemap_ros.support.files import atomic_write

FORMAT = 1
_ABOUT = 'landmarks'  # the entry of the file's metadata with all that is no tensor
_REMAKE = 'make it again: ' + commands.stage(
    'map_landmarks', '--environment', 'ENVIRONMENT', '--data', 'DATA'
)
_LARGEST_FILE = 2**30
_LARGEST_SIDE_PX = 8192
_FARTHEST_M = 100_000.0
_UNREADABLE = (SafetensorError, OSError, LookupError, TypeError, ValueError, RecursionError)
# Of each tensor: its type in safetensors, and its shape in the sizes that the file has.
_TENSORS = {
    'points': ('F32', ('landmarks', 3)),
    'sigmas': ('F32', ('landmarks',)),
    'descriptors': ('U8', ('landmarks', 'bytes')),
    'T_world_cam': ('F64', ('photos', 4, 4)),
    'looks': ('F16', ('photos', 'features')),
    'photo_offsets': ('I64', ('photos + 1',)),
    'seen': ('I32', ('sightings',)),
    'seen_points': ('F32', ('sightings', 3)),
    'pose_covariances': ('F32', ('photos', 6, 6)),
}
_OPTIONAL = 'pose_covariances'


class InvalidLandmarks(ValueError):
    """A file of landmarks that is missing, damaged, or of another format; says which and what to
    do.
    """


@dataclass(frozen=True, eq=False)
class LandmarkMap:
    """L landmarks, and P photos that see them.

    Attributes:
        points: [L, 3] float32, world, metres.
        sigmas: [L] float32, standard deviation of each point's position (root of the largest
            eigenvalue of its covariance), metres.
        descriptors: [L, D] uint8, as the detector makes them.
        T_world_cam: [P, 4, 4] float64, poses of the photos.
        looks: [P, G] float16, what each photo looks like as a whole (`Estimate.descriptor`), of
            unit length; G is 0 where nobody described them.
        photo_offsets: [P + 1] int64: photo p sees ``seen[photo_offsets[p]:photo_offsets[p + 1]]``.
        seen: [sightings] int32, indices of landmarks.
        seen_points: [sightings, 3] float32, where the landmark is if this photo's pose is exact:
            on its ray through the keypoint, at the landmark's depth; world, metres.
        camera: the pinhole camera in whose images keypoints are found.
        detector: name of the keypoint detector.
        pose_covariances: [P, 6, 6] float32, of steps of the photos' poses (see `pose_solver`),
            which all that a photo sees shares. Zero for photos of the mapping drive, whose errors
            the calibration of the place covers; None where all are.
    """

    points: np.ndarray
    sigmas: np.ndarray
    descriptors: np.ndarray
    T_world_cam: np.ndarray
    looks: np.ndarray
    photo_offsets: np.ndarray
    seen: np.ndarray
    seen_points: np.ndarray
    camera: Camera
    detector: str
    pose_covariances: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.points)

    def seen_by(self, photo: int) -> np.ndarray:
        """Indices of the landmarks that a photo sees."""
        return self.seen[self.photo_offsets[photo] : self.photo_offsets[photo + 1]]

    def seen_from(self, photos: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The landmarks that any of these photos sees: [k] indices in order, and [k, 3] where on
        the mean these photos place them.

        Near these photos that is better than `points`: poses drift by a centimetre or two from one
        part of a drive to another, and the pose that is sought is wanted in their terms.
        """
        parts = [slice(*self.photo_offsets[p : p + 2]) for p in photos]
        seen = np.concatenate([self.seen[part] for part in parts])
        points = np.concatenate([self.seen_points[part] for part in parts])
        index, group = np.unique(seen, return_inverse=True)
        sums = [np.bincount(group, axis, len(index)) for axis in points.T]
        return index, np.stack(sums, axis=1) / np.bincount(group, minlength=len(index))[:, None]

    def fits(self, other: LandmarkMap) -> bool:
        """Whether both are of the same camera and detector, so that they can be joined."""
        return (other.camera, other.detector) == (self.camera, self.detector)

    def joined(self, other: LandmarkMap) -> LandmarkMap:
        """The landmarks and photos of both maps. A point that is in both is in it twice, as each
        of them saw it.

        Raises:
            ValueError: they are of different cameras or detectors.
        """
        if not self.fits(other):
            raise ValueError('landmarks of different cameras or detectors cannot be joined')
        both = {
            name: np.concatenate([getattr(self, name), getattr(other, name)])
            for name in ('points', 'sigmas', 'descriptors', 'T_world_cam', 'looks', 'seen_points')
        }
        offsets = (self.photo_offsets, self.photo_offsets[-1] + other.photo_offsets[1:])
        seen = (self.seen, other.seen + np.int32(len(self)))
        return replace(
            self,
            **both,
            photo_offsets=np.concatenate(offsets),
            seen=np.concatenate(seen),
            pose_covariances=_joined_covariances(self, other),
        )

    def of_photos(self, photos: np.ndarray) -> LandmarkMap:
        """Some of the photos, by their indices, and the landmarks that they see."""
        spans = [np.arange(*self.photo_offsets[p : p + 2]) for p in photos]
        sightings = np.concatenate([np.empty(0, np.int64), *spans])
        landmarks, seen = np.unique(self.seen[sightings], return_inverse=True)
        return replace(
            self,
            points=self.points[landmarks],
            sigmas=self.sigmas[landmarks],
            descriptors=self.descriptors[landmarks],
            T_world_cam=self.T_world_cam[photos],
            looks=self.looks[photos],
            photo_offsets=np.concatenate([[0], np.cumsum([len(s) for s in spans])]).astype(int),
            seen=seen.astype(np.int32),
            seen_points=self.seen_points[sightings],
            pose_covariances=(
                None if self.pose_covariances is None else self.pose_covariances[photos]
            ),
        )

    def to_bytes(self) -> bytes:
        """The content of the file that `load` reads."""
        tensors = {
            name: np.ascontiguousarray(getattr(self, name))
            for name in _TENSORS
            if name != _OPTIONAL or self.pose_covariances is not None
        }
        about = {
            'format': FORMAT,
            'detector': self.detector,
            'camera': self.camera.to_dict(),
        }
        # In one entry: safetensors writes several in any order, and the same map is the same file.
        return save(tensors, {_ABOUT: json.dumps(about)})

    def save(self, path: Path) -> None:
        """Write the file, all of it or nothing."""
        with atomic_write(path) as temporary:
            temporary.write_bytes(self.to_bytes())

    @classmethod
    def load(cls, path: Path) -> LandmarkMap:
        """Read and check a file; its sizes are looked at before memory is taken.

        Raises:
            InvalidLandmarks: with one sentence that names the file and the way out.
        """
        try:
            return cls._load(Path(path))
        except InvalidLandmarks:
            raise
        except _UNREADABLE as error:
            raise InvalidLandmarks(f'{path} cannot be read ({error}): {_REMAKE}') from error

    @classmethod
    def _load(cls, path: Path) -> LandmarkMap:
        if not path.is_file():
            raise InvalidLandmarks(f'there is no file of landmarks {path}: {_REMAKE}')
        if path.stat().st_size > _LARGEST_FILE:
            raise InvalidLandmarks(f'{path} is larger than {_LARGEST_FILE >> 20} MiB: {_REMAKE}')
        with safe_open(path, framework='numpy') as file:
            about = json.loads((file.metadata() or {})[_ABOUT])
            if about['format'] != FORMAT:
                raise InvalidLandmarks(
                    f'{path} has format {about["format"]!r:.20}, and this version of posemap_ros '
                    f'reads {FORMAT}: {_REMAKE}, or update posemap_ros'
                )
            if set(file.keys()) | {_OPTIONAL} != set(_TENSORS):
                raise InvalidLandmarks(f'{path} holds other tensors than landmarks do: {_REMAKE}')
            _check_shapes(path, {name: file.get_slice(name) for name in file.keys()})
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        camera = Camera.from_dict(about['camera'])
        landmarks = cls(**tensors, camera=camera, detector=about['detector'])
        if fault := landmarks._fault():
            raise InvalidLandmarks(f'{path} is damaged: {fault}; {_REMAKE}')
        return landmarks

    def _fault(self) -> str | None:
        """What is wrong with the values, if anything."""
        offsets, T = self.photo_offsets, self.T_world_cam
        orthonormal = np.swapaxes(T[:, :3, :3], 1, 2) @ T[:, :3, :3]
        lengths = np.linalg.norm(self.looks.astype(np.float32), axis=1)
        camera = self.camera
        checks = {
            'its detector is unknown': self.detector in DETECTORS,
            'its camera is not one that images are adapted to': (
                camera.distortion_model == 'none'
                and max(camera.width, camera.height) <= _LARGEST_SIDE_PX
            ),
            'its descriptors are not of its detector': (
                self.detector in DETECTORS
                and self.descriptors.shape[1] == DETECTORS[self.detector].descriptor_size
            ),
            'points are not finite or too far away': (
                _within(self.points, _FARTHEST_M) and _within(self.seen_points, _FARTHEST_M)
            ),
            'standard deviations are not positive': (
                _within(self.sigmas, _FARTHEST_M) and bool((self.sigmas > 0).all())
            ),
            'poses are not rigid': (
                _within(T, _FARTHEST_M)
                and np.allclose(orthonormal, np.eye(3), rtol=0, atol=1e-3)
                and bool((np.linalg.det(T[:, :3, :3]) > 0).all())
                and np.array_equal(T[:, 3], np.broadcast_to((0, 0, 0, 1), (len(T), 4)))
            ),
            'covariances of poses are none': (
                self.pose_covariances is None or _are_covariances(self.pose_covariances)
            ),
            'looks are not of unit length': (
                self.looks.shape[1] == 0 or np.allclose(lengths, 1.0, rtol=0, atol=0.01)
            ),
            'its sightings are not those of its photos': (
                offsets[0] == 0
                and offsets[-1] == len(self.seen)
                and bool((offsets[1:] >= offsets[:-1]).all())
            ),
            'photos see landmarks that do not exist': (
                bool(((self.seen >= 0) & (self.seen < len(self))).all())
            ),
        }
        return next((fault for fault, holds in checks.items() if not holds), None)


def _check_shapes(path: Path, slices: dict) -> None:
    """Types, and that the same size is the same everywhere."""
    sizes: dict[str, int] = {}
    for name, (dtype, wanted) in _TENSORS.items():
        if name not in slices:
            continue
        shape = slices[name].get_shape()
        fits = slices[name].get_dtype() == dtype and len(shape) == len(wanted)
        fits = fits and all(
            sizes.setdefault(size, n) == n if isinstance(size, str) else size == n
            for size, n in zip(wanted, shape)
        )
        if not fits:
            raise InvalidLandmarks(f'{path}: {name} has a wrong type or shape: {_REMAKE}')
    if sizes['photos + 1'] != sizes['photos'] + 1 or not sizes['photos']:
        raise InvalidLandmarks(f'{path}: its photos have no sightings: {_REMAKE}')


def _joined_covariances(a: LandmarkMap, b: LandmarkMap) -> np.ndarray | None:
    parts = [
        np.zeros((len(part.T_world_cam), 6, 6), np.float32)
        if part.pose_covariances is None
        else part.pose_covariances
        for part in (a, b)
    ]
    return None if a.pose_covariances is b.pose_covariances is None else np.concatenate(parts)


def _are_covariances(values: np.ndarray) -> bool:
    if not _within(values, _FARTHEST_M) or not np.allclose(values, values.swapaxes(1, 2)):
        return False
    least = np.linalg.eigvalsh(values.astype(np.float64))[:, 0]
    return bool((least >= -1e-5 * np.trace(values, axis1=1, axis2=2)).all())


def _within(values: np.ndarray, limit: float) -> bool:
    return bool(np.isfinite(values).all() and (np.abs(values) <= limit).all())
