"""What is heard, as things that Rerun draws. No ROS."""

from __future__ import annotations

import threading
from collections import deque
from datetime import datetime

import cv2
import numpy as np

from posemap_ros.camera import Camera
from posemap_ros.live_view import paths
from posemap_ros.live_view.blueprint import blueprint
from posemap_ros.live_view.rerun_sdk import rr
from posemap_ros.map_view.paced import MapPictures
from posemap_ros.support.printable import printable

# Colours of the states.
COLOURS = {
    'localized': (80, 200, 120),
    'uncertain': (240, 180, 60),
    'lost': (230, 80, 70),
    'uninitialized': (150, 150, 150),
}
_PATH_COLOUR = (110, 130, 160)
_SIGMAS = 3.0  # of the ellipsoid
_STEP_M, _STEPS = 0.1, 300  # of the trail: their length, and how many are kept
_SMALLEST_M = 0.005  # an ellipsoid that can still be seen
# Photos farther apart than this many usual steps are not of one drive: no line between them.
_JUMP = 8.0
_NEWS, _NEWS_LENGTH = 30, 300  # lines, characters of each
_JPEG_QUALITY = 85
# What files of these kinds begin with.
JPEG, PNG = b'\xff\xd8\xff', b'\x89PNG'


class Scene:
    """Logs to one stream. Safe to call from several threads; times are in ns."""

    def __init__(self, stream: rr.RecordingStream) -> None:
        self._stream = stream
        self._last_position: np.ndarray | None = None
        self._trail: deque[tuple[list[np.ndarray], tuple[int, int, int]]] = deque(maxlen=_STEPS)
        self._news: deque[str] = deque(maxlen=_NEWS)
        self._static: dict[str, rr.AsComponents] = {}
        self._lock = threading.Lock()  # a thread's log belongs to the time that it set
        self._log_static(paths.PLACE, rr.ViewCoordinates.RIGHT_HAND_Z_UP)

    # ---- what stays

    def points(self, points: np.ndarray, colours: np.ndarray | None = None) -> None:
        """The place's points [N, 3], with colours uint8 [N, 3], or else coloured by height."""
        if colours is None:
            colours = by_height(points)
        radii = rr.Radius.ui_points(2.0)
        self._log_static(paths.POINTS, rr.Points3D(points, colors=colours, radii=radii))

    def mapped_path(self, positions: np.ndarray) -> None:
        """Where the camera was on the mapping drive: [P, 3], in order."""
        radii = rr.Radius.ui_points(1.0)
        strips = rr.LineStrips3D(unbroken(positions), colors=_PATH_COLOUR, radii=radii)
        self._log_static(paths.MAPPED_PATH, strips)

    def lens(self, camera: Camera) -> None:
        """The camera, as a pinhole."""
        pinhole = rr.Pinhole(
            image_from_camera=camera.matrix_opencv(),
            resolution=(camera.width, camera.height),
            camera_xyz=rr.ViewCoordinates.RDF,
            image_plane_distance=0.25,
        )
        self._log_static(paths.CAMERA, pinhole)

    def repeat_what_stays(self) -> None:
        """For browsers that are opened later: a server that is full drops what is oldest."""
        for path, thing in self._static.copy().items():
            self._log_static(path, thing)
        rr.send_blueprint(blueprint(), make_active=False, recording=self._stream)

    def _log_static(self, path: str, thing: rr.AsComponents) -> None:
        self._static[path] = thing
        rr.log(path, thing, static=True, recording=self._stream)

    # ---- what changes

    def image(self, time_ns: int, encoded: bytes) -> None:
        """What the camera saw: a JPEG or PNG."""
        self._log(time_ns, (paths.IMAGE, _picture(encoded)))

    def pose(
        self,
        time_ns: int,
        T_map_base: np.ndarray,
        covariance: np.ndarray,
        T_base_cam: np.ndarray | None,
        state: str,
    ) -> None:
        """Where the robot was, with the covariance [6, 6] of that, and its camera."""
        colour = COLOURS.get(state, COLOURS['uninitialized'])
        position = T_map_base[:3, 3]
        half_axes, rotation = np.linalg.eigh(covariance[:3, :3])
        rotation[:, 0] *= np.sign(np.linalg.det(rotation))
        half_sizes = np.maximum(_SIGMAS * np.sqrt(np.maximum(half_axes, 0.0)), _SMALLEST_M)
        items = [
            (paths.ROBOT, _transform(T_map_base, axis_length=0.3)),
            (
                paths.SPREAD,
                rr.Transform3D(translation=position, mat3x3=rotation),
                rr.Ellipsoids3D(half_sizes=[half_sizes], colors=colour),
            ),
        ]
        if T_base_cam is not None:
            items.append((paths.CAMERA, _transform(T_map_base @ T_base_cam)))
        if self._lengthen_trail(position, colour):
            steps, colours = zip(*self._trail)
            radii = rr.Radius.ui_points(2.5)
            items.append((paths.TRAIL, rr.LineStrips3D(steps, colors=colours, radii=radii)))
        self._log(time_ns, *items)

    def _lengthen_trail(self, position: np.ndarray, colour: tuple[int, int, int]) -> bool:
        """By a step from the last pose to this one, if it is worth drawing."""
        last = self._last_position
        if last is not None and np.linalg.norm(position - last) < _STEP_M:
            return False
        self._last_position = position
        if last is not None:
            self._trail.append(([last, position], colour))
        return last is not None

    def no_pose(self, time_ns: int) -> None:
        """Nobody knows where the robot is."""
        self._last_position = None
        self._log(
            time_ns,
            *((path, rr.Clear(recursive=False)) for path in (paths.ROBOT, paths.SPREAD)),
        )

    def pictures(self, time_ns: int, pictures: MapPictures) -> None:
        """What the map shows there."""
        self._log(
            time_ns,
            (paths.VIEW, _picture(jpeg(pictures.view))),
            (paths.POSEMAP, _picture(jpeg(pictures.posemap))),
        )

    def figures(self, time_ns: int, plot: str, figures: dict[str, float]) -> None:
        """Curves of a plot, by their names."""
        curves = ((f'{plot}/{rr.escape_entity_path_part(n)}', v) for n, v in figures.items())
        self._log(time_ns, *((path, rr.Scalar(value)) for path, value in curves))

    def status(self, time_ns: int, markdown: str) -> None:
        """How things are, in words."""
        self._log(time_ns, (paths.STATUS, _markdown(markdown)))

    def say(self, time_ns: int, path: str, text: str, level: str = 'INFO') -> None:
        """A line of the log, and on top of the news."""
        at = datetime.fromtimestamp(1e-9 * time_ns).strftime('%H:%M:%S')
        source = path.rsplit('/', 1)[-1]
        emphasis = '**' if level in ('WARN', 'ERROR', 'CRITICAL') else ''
        short = printable(text, _NEWS_LENGTH)
        self._news.appendleft(f'- `{at}` {source}: {emphasis}{short}{emphasis}')
        self._log(
            time_ns,
            (path, rr.TextLog(text, level=level)),
            (paths.NEWS, _markdown('\n'.join(self._news))),
        )

    def _log(self, time_ns: int, *items: tuple) -> None:
        with self._lock:
            rr.set_time_nanos(paths.TIMELINE, time_ns, recording=self._stream)
            for path, *things in items:
                rr.log(path, *things, recording=self._stream)


def by_height(points: np.ndarray) -> np.ndarray:
    """Colours uint8 RGB [N, 3] from the floor (blue) to the ceiling (red), outliers apart."""
    if not len(points):
        return np.empty((0, 3), np.uint8)
    low, high = np.percentile(points[:, 2], (2, 98))
    share = np.clip((points[:, 2] - low) / max(high - low, 1e-6), 0.0, 1.0)
    grey = (255.0 * share).astype(np.uint8)[:, None]
    return cv2.cvtColor(cv2.applyColorMap(grey, cv2.COLORMAP_TURBO), cv2.COLOR_BGR2RGB)[:, 0]


def unbroken(positions: np.ndarray) -> list[np.ndarray]:
    """Positions [P, 3] in pieces between which the camera was carried or switched off."""
    if len(positions) < 2:
        return [positions]
    steps = np.linalg.norm(np.diff(positions, axis=0), axis=1)
    moved = steps[steps > 0]
    usual = np.median(moved) if len(moved) else 0.0
    return np.split(positions, np.flatnonzero(steps > _JUMP * usual) + 1)


def jpeg(pixels: np.ndarray) -> bytes:
    """A picture uint8 RGB [h, w, 3], compressed."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    return cv2.imencode('.jpg', np.ascontiguousarray(pixels[..., ::-1]), quality)[1].tobytes()


def _markdown(text: str) -> rr.TextDocument:
    return rr.TextDocument(text, media_type=rr.MediaType.MARKDOWN)


def _picture(encoded: bytes) -> rr.EncodedImage:
    kind = 'image/png' if encoded.startswith(PNG) else 'image/jpeg'
    return rr.EncodedImage(contents=encoded, media_type=kind)


def _transform(T: np.ndarray, **options: float) -> rr.Transform3D:
    return rr.Transform3D(translation=T[:3, 3], mat3x3=T[:3, :3], **options)
