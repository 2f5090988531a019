"""The robot and its two drives: true motion through way points, and the odometry it would report.

Frames (REP-103, REP-105): `base_link` on the floor between the wheels, x forward, z up;
`camera_link` at the lens, tilted, x forward; `camera_optical` there too, z forward, y down.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .shapes import rotation

CAMERA_HEIGHT_M, CAMERA_FORWARD_M, CAMERA_TILT_DEG = 0.75, 0.10, 6.0  # tilted up
SPEED, TURN_RATE = 0.45, np.radians(45)  # m/s, rad/s
ACCELERATION, TURN_ACCELERATION = 0.5, np.radians(120)
STEP_S = 0.01


@dataclass(frozen=True)
class Drive:
    """Way points (x, y, turn): in the map (m), and how far to turn on the spot there (degrees)."""

    waypoints: tuple[tuple[float, float, float], ...]
    frames: int
    rate_hz: float
    start_ns: int
    seed: int


# Round the table once each way, at two distances, and all around at the corners of the second
# lap: every place is seen under many headings.
MAPPING = Drive(
    waypoints=(
        (-1.85, 0.8, 0),
        (-1.85, -0.9, 0),
        (-1.2, -1.3, 0),
        (0.2, -1.25, 0),
        (1.2, -1.15, 0),
        (1.5, -0.3, 0),
        (1.5, 1.0, 0),
        (0.9, 1.45, 0),
        (-0.4, 1.5, 0),
        (-1.5, 1.35, 0),
        (-1.75, 0.5, 0),
        (-1.5, -0.7, 0),
        (-1.5, -1.15, 270),
        (-1.55, 0.3, 0),
        (-1.45, 1.35, 360),
        (-0.2, 1.4, 0),
        (1.3, 1.35, 360),
        (1.3, 0.2, 0),
        (1.3, -1.05, 360),
        (0.0, -1.1, 0),
        (-1.3, -1.2, 0),
        (-1.7, 0.2, 0),
        (-1.6, 1.3, 0),
        (0.0, 1.35, 0),
    ),
    frames=450,
    rate_hz=5.0,
    start_ns=1_760_000_000_000_000_000,
    seed=1,
)
LATER = Drive(
    waypoints=(
        (-0.9, 1.4, 0),
        (-1.55, 1.2, 0),
        (-1.7, 0.0, 0),
        (-1.6, -1.0, 0),
        (-0.6, -1.2, 0),
        (0.7, -1.2, 0),
        (1.35, -0.9, 0),
        (1.4, 0.3, 0),
        (1.3, 1.2, 200),
        (1.35, 0.2, 0),
        (1.2, -1.0, 0),
        (0.2, -1.2, 0),
        (-1.3, -1.15, 0),
        (-1.6, 0.2, 0),
    ),
    frames=450,
    rate_hz=12.0,
    start_ns=1_760_021_600_000_000_000,
    seed=2,
)


def true_motion(drive: Drive) -> np.ndarray:
    """Rows (t, x, y, heading, v, w) every STEP_S until the last frame; accelerations are bounded.

    A unicycle that steers towards the next way point, and turns on the spot where it lies behind.
    """
    (x, y, _), targets = drive.waypoints[0], list(drive.waypoints[1:])
    heading = np.arctan2(targets[0][1] - y, targets[0][0] - x)
    v = w = to_turn = 0.0
    rows = []
    for step in range(int(drive.frames / drive.rate_hz / STEP_S) + 1):
        rows.append((step * STEP_S, x, y, heading, v, w))
        while targets and np.hypot(targets[0][0] - x, targets[0][1] - y) < 0.3:
            to_turn = np.radians(targets.pop(0)[2])
        wanted_v = wanted_w = 0.0
        if to_turn > 0.05:
            wanted_w = min(2.2 * to_turn, TURN_RATE)
            to_turn -= w * STEP_S
        elif targets:
            bearing = np.arctan2(targets[0][1] - y, targets[0][0] - x) - heading
            bearing = (bearing + np.pi) % (2 * np.pi) - np.pi
            wanted_w = np.clip(2.2 * bearing, -TURN_RATE, TURN_RATE)
            wanted_v = SPEED * np.clip(1.15 - abs(bearing) / 0.9, 0.0, 1.0)
        v += np.clip(wanted_v - v, -ACCELERATION * STEP_S, ACCELERATION * STEP_S)
        w += np.clip(wanted_w - w, -TURN_ACCELERATION * STEP_S, TURN_ACCELERATION * STEP_S)
        x, y = x + v * np.cos(heading) * STEP_S, y + v * np.sin(heading) * STEP_S
        heading += w * STEP_S
    return np.array(rows)


def odometry(motion: np.ndarray, seed: int) -> np.ndarray:
    """Poses [N, 3] (x, y, heading) in `odom`, integrated from wheels that slip and a worn tyre."""
    rng = np.random.default_rng(seed)
    scale_v, scale_w = 1 + rng.normal(0, 0.02), 1 + rng.normal(0, 0.015)
    steps = len(motion)
    v = motion[:, 4] * (scale_v + 0.15 * rng.normal(size=steps))
    w = motion[:, 5] * scale_w + 0.4 * motion[:, 4] * rng.normal(size=steps)
    heading = np.concatenate([[0], np.cumsum(w * STEP_S)[:-1]])
    x = np.concatenate([[0], np.cumsum(v * np.cos(heading) * STEP_S)[:-1]])
    y = np.concatenate([[0], np.cumsum(v * np.sin(heading) * STEP_S)[:-1]])
    return np.stack([x, y, heading], axis=1)


def planar(x: float, y: float, heading: float) -> np.ndarray:
    """4x4 pose of a frame on the floor; the heading is in radians."""
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = rotation(yaw=np.degrees(heading)), (x, y, 0)
    return T


def camera_mount() -> tuple[np.ndarray, np.ndarray]:
    """T_base_link, T_link_optical: where the camera sits, and its optical axes (REP-103)."""
    T_base_link, T_link_optical = np.eye(4), np.eye(4)
    T_base_link[:3, :3] = rotation(pitch=-CAMERA_TILT_DEG)
    T_base_link[:3, 3] = CAMERA_FORWARD_M, 0, CAMERA_HEIGHT_M
    T_link_optical[:3, :3] = [[0, 0, 1], [-1, 0, 0], [0, -1, 0]]
    return T_base_link, T_link_optical


def frame_steps(drive: Drive) -> np.ndarray:
    """The step of `true_motion` at which each frame is taken."""
    return np.round(np.arange(drive.frames) / drive.rate_hz / STEP_S).astype(int)


def camera_poses(drive: Drive) -> np.ndarray:
    """T_world_cam [N, 4, 4] of each frame: the optical frame in the map."""
    T_base_link, T_link_optical = camera_mount()
    T_base_optical = T_base_link @ T_link_optical
    return np.stack(
        [planar(*row[1:4]) @ T_base_optical for row in true_motion(drive)[frame_steps(drive)]]
    )
