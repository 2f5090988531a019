"""Camera intrinsics, lens distortion, and turning one camera's images into another's.

Pixel convention: (0, 0) is the image's top-left *corner*, so the pixel in column u and row v has
its centre at (u + 0.5, v + 0.5), and cx = width / 2 is the middle of the image. Resizing is then a
plain scaling. OpenCV and ROS count from the centre of the first pixel instead; their cx and cy are
smaller by 0.5. Only `Camera.from_camera_info` and `Camera.matrix_opencv` cross that border.

Optical axes are OpenCV's: x right, y down, z forward.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from posemap_ros.support.printable import printable

if TYPE_CHECKING:
    import torch

# How many coefficients each model of sensor_msgs/CameraInfo may have (missing ones are zero).
DISTORTION_LENGTHS = {
    'none': (0,),
    'plumb_bob': (4, 5),  # k1 k2 p1 p2 [k3]
    'rational_polynomial': (8, 12),  # k1 k2 p1 p2 k3..k6 [s1..s4]
    'equidistant': (4,),  # k1..k4 of the angle (OpenCV's fisheye)
}
_LONGEST_DISTORTION = 14  # OpenCV's: the above, and a tilted sensor
MINIMUM_COVERAGE = 0.7
_MOST_SAMPLES = 3  # along one side of a target pixel
# Between a telescope, and more than a fisheye has in terms of its focal length.
_NARROWEST_DEG, _WIDEST_DEG = 1.0, 170.0
_LARGEST_ASPECT = 10.0  # of a pixel: rows or columns may be binned
_FARTHEST_CENTRE = 10.0  # image sizes: an image may be cropped


class InvalidCamera(ValueError):
    """Intrinsics that no camera has."""


class CameraMismatch(ValueError):
    """A camera sees too little of what another one would see."""


@dataclass(frozen=True)
class Camera:
    """Intrinsics of a camera; lengths in pixels, measured from the image's top-left corner.

    Raises `InvalidCamera` for sizes, focal lengths or coefficients that make no sense.
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    distortion_model: str = 'none'
    distortion: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for name in ('width', 'height'):
            size = getattr(self, name)
            if isinstance(size, bool) or int(size) != size or size <= 0:
                raise InvalidCamera(f'camera {name} must be a positive whole number, not {size!r}')
            object.__setattr__(self, name, int(size))
        for name in ('fx', 'fy', 'cx', 'cy'):
            value = float(getattr(self, name))
            if not math.isfinite(value) or (name in ('fx', 'fy') and value <= 0):
                wanted = 'positive' if name in ('fx', 'fy') else 'finite'
                raise InvalidCamera(f'camera {name} must be {wanted}, not {value}')
            object.__setattr__(self, name, value)
        object.__setattr__(self, 'distortion', tuple(float(k) for k in self.distortion))
        if self.distortion_model not in DISTORTION_LENGTHS:
            raise InvalidCamera(
                f"distortion model '{printable(self.distortion_model)}' is not known; "
                f'known are {", ".join(DISTORTION_LENGTHS)}'
            )
        if len(self.distortion) not in DISTORTION_LENGTHS[self.distortion_model]:
            lengths = ' or '.join(map(str, DISTORTION_LENGTHS[self.distortion_model]))
            raise InvalidCamera(
                f'distortion model {self.distortion_model} takes {lengths} coefficients, '
                f'not {len(self.distortion)}'
            )
        if not all(map(math.isfinite, self.distortion)):
            raise InvalidCamera(f'distortion coefficients must be finite, not {self.distortion}')

    @classmethod
    def from_camera_info(
        cls,
        width: int,
        height: int,
        K: Sequence[float],
        distortion_model: str = '',
        D: Sequence[float] = (),
    ) -> Camera:
        """The fields of a sensor_msgs/CameraInfo; K is row-major 3x3, centres at integers.

        Raises `InvalidCamera` also for what no real camera has, such as an identity or normalised
        K: its images would be localized, to a wrong place.
        """
        if len(K) != 9:
            raise InvalidCamera(f'K of a CameraInfo has 9 numbers, not {len(K)}')
        if len(D) > _LONGEST_DISTORTION:
            raise InvalidCamera(
                f'D of a CameraInfo has at most {_LONGEST_DISTORTION} numbers, not {len(D)}'
            )
        fx, skew, cx, _, fy, cy, *_ = map(float, K)
        if fx == 0:
            raise InvalidCamera('the camera is not calibrated: K (or P) of its CameraInfo is zero')
        if not abs(skew) <= 1e-3 * abs(fx):
            raise InvalidCamera(f'a camera with skewed pixels (K[1] = {skew:g}) is not supported')
        model, D = _tidy_distortion(distortion_model, [float(d) for d in D])
        camera = cls(width, height, fx, fy, cx + 0.5, cy + 0.5, model, D)
        if doubt := camera.implausible():
            raise InvalidCamera(
                f'the CameraInfo says fx = {fx:g}, fy = {fy:g}, cx = {cx:g}, cy = {cy:g} of '
                f'images of {width}x{height} pixels, and {doubt}, as with no real camera: K and '
                'P must be in pixels; calibrate it (ros2 run camera_calibration '
                'cameracalibrator)'
            )
        return camera

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Camera:
        """Inverse of `to_dict`."""
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(values) - known):
            raise InvalidCamera(f'a camera has no {", ".join(map(repr, unknown))}')
        try:
            return cls(**values)
        except InvalidCamera:
            raise
        except (TypeError, ValueError) as error:
            raise InvalidCamera(f'camera entries missing or of a wrong type: {error}') from None

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, strings and lists, as YAML and JSON take them."""
        return {**asdict(self), 'distortion': list(self.distortion)}

    def resized(self, width: int, height: int) -> Camera:
        """The camera whose images are this one's, scaled to another size."""
        x, y = width / self.width, height / self.height
        return replace(
            self,
            width=width,
            height=height,
            fx=self.fx * x,
            fy=self.fy * y,
            cx=self.cx * x,
            cy=self.cy * y,
        )

    @property
    def longer_side(self) -> int:
        """Of the images, pixels: what detail in them is measured by, however they are held."""
        return max(self.width, self.height)

    def with_shorter_side(self, pixels: int, multiple: int = 1) -> Camera:
        """The camera whose images are scaled until their shorter side has so many pixels; both
        sides are rounded to whole multiples.
        """
        width, height = self.width, self.height
        short = round(pixels / multiple) * multiple
        long = round(self.longer_side * short / min(width, height) / multiple) * multiple
        return self.resized(*((short, long) if width < height else (long, short)))

    def with_longer_side_at_most(self, pixels: int) -> Camera:
        """This camera, or one whose images are smaller: so many pixels along the longer side."""
        width, height, long = self.width, self.height, self.longer_side
        if long <= pixels:
            return self
        short = max(1, round(min(width, height) * pixels / long))
        return self.resized(*((short, pixels) if width < height else (pixels, short)))

    def undistorted(self) -> Camera:
        """The pinhole camera of the same size, focal length and centre."""
        return replace(self, distortion_model='none', distortion=())

    def matrix_opencv(self) -> np.ndarray:
        """[3, 3] float64, with pixel centres at integers, for OpenCV's functions and ROS."""
        return np.array(
            [[self.fx, 0.0, self.cx - 0.5], [0.0, self.fy, self.cy - 0.5], [0.0, 0.0, 1.0]]
        )

    def rays(self, stride: int = 1) -> torch.Tensor:
        """[height // stride, width // stride, 3] float32: directions with z = 1, optical axes.

        Each goes through the centre of a block of stride x stride pixels.
        """
        import torch  # here, because reading datasets and bags should not wait for it

        self._must_be_pinhole('rays are cast by')
        u = (np.arange(self.width // stride) + 0.5) * stride
        v = (np.arange(self.height // stride) + 0.5) * stride
        y, x = np.meshgrid((v - self.cy) / self.fy, (u - self.cx) / self.fx, indexing='ij')
        return torch.from_numpy(np.stack([x, y, np.ones_like(x)], axis=-1)).float()

    def project(self, points: np.ndarray) -> np.ndarray:
        """Where points [..., 3] in front of the camera (optical axes) appear: [..., 2] float64.

        Points that the distortion model cannot describe (beyond the angle at which its polynomial
        folds back), or that are not in front, are NaN.
        """
        points = np.asarray(points, np.float64)
        z = points[..., 2:]
        xy = np.divide(points[..., :2], z, out=np.full_like(points[..., :2], np.nan), where=z > 0)
        return self._distort(xy) * (self.fx, self.fy) + (self.cx, self.cy)

    def _distort(self, xy: np.ndarray) -> np.ndarray:
        """Normalised image coordinates [..., 2] of the pinhole -> those behind the lens."""
        if self.distortion_model == 'none':
            return xy
        x, y = xy[..., 0], xy[..., 1]
        r = np.hypot(x, y)
        r = np.where(r < self._largest_radius(), r, np.nan)
        if self.distortion_model == 'equidistant':
            theta = np.arctan(r)
            bent = self._radial(theta)
            scale = np.divide(bent, r, out=np.ones_like(r), where=r != 0)
            return np.stack([x * scale, y * scale], axis=-1)
        _, _, p1, p2 = self.distortion[:4]
        s1, s2, s3, s4 = (*self.distortion[8:12], *[0.0] * 4)[:4]
        r2 = r * r
        radial = self._radial(r)
        return np.stack(
            [
                x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x) + r2 * (s1 + r2 * s2),
                y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y + r2 * (s3 + r2 * s4),
            ],
            axis=-1,
        )

    def _radial(self, r: np.ndarray) -> np.ndarray:
        """What the lens does along the radius: theta -> bent angle, or the factor at r."""
        if self.distortion_model == 'equidistant':
            k1, k2, k3, k4 = self.distortion
            t2 = r * r
            return r * (1 + t2 * (k1 + t2 * (k2 + t2 * (k3 + t2 * k4))))
        k1, k2, _, _, k3, k4, k5, k6 = (*self.distortion, *[0.0] * 4)[:8]
        r2 = r * r
        numerator = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
        denominator = 1 + r2 * (k4 + r2 * (k5 + r2 * k6))
        return numerator / np.where(denominator > 0, denominator, np.inf)

    def _largest_radius(self) -> float:
        """The radius at which the distortion stops growing; beyond, its polynomial folds back."""
        if self.distortion_model == 'none':
            return math.inf
        angle = np.linspace(0, math.radians(89.5), 5000)
        radius = np.tan(angle)
        with np.errstate(all='ignore'):  # coefficients that overflow fold, too
            if self.distortion_model == 'equidistant':
                bent = self._radial(angle)
            else:
                bent = radius * self._radial(radius)
            folds = np.flatnonzero(~(np.diff(bent) > 0))
        return float(radius[folds[0]]) if folds.size else math.inf

    def implausible(self) -> str:
        """Why no real camera is like that, or ''."""
        across, down = (
            math.degrees(2 * math.atan(size / 2 / focal))
            for size, focal in ((self.width, self.fx), (self.height, self.fy))
        )
        if max(across, down) > _WIDEST_DEG or max(across, down) < _NARROWEST_DEG:
            return f'it would see {across:.3g} x {down:.3g} deg'
        if not 1 / _LARGEST_ASPECT <= self.fx / self.fy <= _LARGEST_ASPECT:
            return f'its pixels would be {self.fy / self.fx:.3g} times as wide as high'
        away = max(abs(self.cx / self.width - 0.5), abs(self.cy / self.height - 0.5))
        if away > _FARTHEST_CENTRE:
            return f'its centre would be {away:.3g} image sizes away'
        return ''

    def _must_be_pinhole(self, whose: str) -> None:
        if self.distortion_model != 'none':
            raise InvalidCamera(
                f'{whose} an undistorted camera; this one has {self.distortion_model} distortion: '
                'use camera.undistorted()'
            )


class ImageAdapter:
    """Turns images of `source` into what `target` would see: undistorts, scales, crops.

    Both look the same way from the same place. What the source does not see is black. Raises
    `CameraMismatch` when less than 70 % of the target's image would be seen.

    Shrinking averages over the area of each target pixel, because sampling a larger image pixel by
    pixel aliases. The look-up tables are computed once, so keep the adapter. They have at most
    nine entries for each of the target's pixels, whatever the source: 5 ms for 192x144 pixels.
    """

    def __init__(self, source: Camera, target: Camera) -> None:
        target._must_be_pinhole('images are adapted to')
        self.source, self.target = source, target
        resized = source.resized(target.width, target.height)
        # To 0.002 px: intrinsics that went through text differ in the last digits.
        self._only_resizes = source.distortion_model == 'none' and np.allclose(
            resized.matrix_opencv(), target.matrix_opencv(), rtol=0, atol=0.002
        )
        if self._only_resizes:
            self.coverage = 1.0
            return
        # A very large source is first reduced to about twice the target's resolution, then sampled
        # at about its own resolution, several times in each target pixel, whose mean is taken.
        reduce_x, samples_x = _sampling(source.fx / target.fx, source.width)
        reduce_y, samples_y = _sampling(source.fy / target.fy, source.height)
        self._reduced = source.resized(-(-source.width // reduce_x), -(-source.height // reduce_y))
        fine = target.resized(target.width * samples_x, target.height * samples_y)
        self._map_x, self._map_y, self.coverage = _sampling_maps(self._reduced, fine)
        if self.coverage < MINIMUM_COVERAGE:
            raise CameraMismatch(
                f'the camera ({_describe(source)}) sees only {100 * self.coverage:.0f} % of the '
                f'view that is needed ({_describe(target)}) and must see at least '
                f'{100 * MINIMUM_COVERAGE:.0f} %: use a lens as wide as the one the environment '
                'was built with or, if it is that wide, calibrate it again'
            )

    def seen(self) -> np.ndarray:
        """Which of the target's pixels the source sees to the full: bool [height, width]."""
        white = np.full((self.source.height, self.source.width, 3), 255, np.uint8)
        return self(white).min(axis=-1) == 255

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """uint8 [source.height, source.width, 3] -> uint8 [target.height, target.width, 3]."""
        expected = (self.source.height, self.source.width, 3)
        if image.dtype != np.uint8 or image.shape != expected:
            raise ValueError(
                f'expected a uint8 image of shape {expected}, got {image.dtype} {image.shape}'
            )
        if self._only_resizes:
            return _resize(image, self.target)
        image = cv2.remap(
            _resize(image, self._reduced),
            self._map_x,
            self._map_y,
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
        )
        return _resize(image, self.target)


def _tidy_distortion(model: str, D: list[float]) -> tuple[str, tuple[float, ...]]:
    """Drivers' many ways of saying 'none', and coefficients cut short or padded with zeros."""
    polynomial = model in ('plumb_bob', 'rational_polynomial')
    if polynomial and len(D) > 8:
        # OpenCV can append a thin prism (4) and a tilted sensor (2); where unused, they are zero.
        D = D[:12] if not any(D[12:]) else D
        D = D[:8] if not any(D[8:]) else D
    if not D or (not any(D) and model != 'equidistant'):
        # An equidistant lens without coefficients still is a fisheye, any other one is a pinhole.
        return ('equidistant', (0.0,) * 4) if model == 'equidistant' else ('none', ())
    if polynomial and len(D) == 8 and not any(D[5:]):
        return 'plumb_bob', tuple(D[:5])
    if model == 'rational_polynomial' and len(D) in (4, 5):
        return 'plumb_bob', tuple(D)
    if model == 'plumb_bob' and len(D) in DISTORTION_LENGTHS['rational_polynomial']:
        return 'rational_polynomial', tuple(D)
    return model, tuple(D)


def _sampling(shrink: float, size: int) -> tuple[int, int]:
    """By how much to reduce a side of the source first, and how often to sample a target pixel.

    `shrink` is that of the middle of the image; `size` bounds it where it is of no real camera.
    """
    reduce = max(1, int(min(shrink / 2, size)))
    return reduce, max(1, math.ceil(min(shrink / reduce, _MOST_SAMPLES) - 0.15))


def _sampling_maps(source: Camera, target: Camera) -> tuple[np.ndarray, np.ndarray, float]:
    """Where to look in the source for each target pixel (OpenCV indices), and the share inside."""
    lens = cv2.fisheye if source.distortion_model == 'equidistant' else cv2
    map_x, map_y = lens.initUndistortRectifyMap(
        source.matrix_opencv(),
        np.array(source.distortion or [0.0] * 4),
        np.eye(3),
        target.matrix_opencv(),
        (target.width, target.height),
        cv2.CV_32FC1,
    )
    u = (np.arange(target.width) + 0.5 - target.cx) / target.fx
    v = (np.arange(target.height) + 0.5 - target.cy) / target.fy
    inside = np.hypot(u, v[:, None]) < source._largest_radius()
    for index, size in ((map_x, source.width), (map_y, source.height)):
        inside &= (index >= -0.5) & (index <= size - 0.5)
        # Half a pixel at the border has no neighbour to blend with: it repeats the border pixel.
        np.clip(index, 0, size - 1, out=index)
    for index in (map_x, map_y):  # what is outside looks at a place far enough to be all black
        index[~inside] = -2
    return map_x, map_y, float(inside.mean())


def _resize(image: np.ndarray, to: Camera) -> np.ndarray:
    height, width = image.shape[:2]
    if (width, height) == (to.width, to.height):
        return image
    shrinks = to.width <= width and to.height <= height
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(image, (to.width, to.height), interpolation=interpolation)


def _describe(camera: Camera) -> str:
    across = math.degrees(
        math.atan(camera.cx / camera.fx) + math.atan((camera.width - camera.cx) / camera.fx)
    )
    return f'{camera.width}x{camera.height}, f = {camera.fx:.0f} px, about {across:.0f} deg wide'
