"""The demo's picture: both plays from above in the furnished room, and their errors over time."""

from __future__ import annotations

from pathlib import Path

import cv2
import matplotlib
import numpy as np

matplotlib.use('Agg')

from matplotlib import pyplot as plt  # noqa: E402
from matplotlib.patches import Polygon, Rectangle  # noqa: E402

from .scene import ROOM_X, ROOM_Y, later_room  # noqa: E402
from .viewer import Play, summary  # noqa: E402

BEFORE, AFTER, TRUE = '#d1603d', '#2a6f97', '#222222'


def plot_trajectory(path: Path, before: Play, after: Play, T_base_optical: np.ndarray) -> None:
    """Write the picture as PNG: the true way, also where no pose came, and the poses."""
    figure = plt.figure(figsize=(12, 8.5), layout='constrained')
    maps = figure.add_gridspec(3, 2, height_ratios=(4, 1, 1))
    plays = (('before refine', before, BEFORE), ('after refine', after, AFTER))
    for column, (name, play, colour) in enumerate(plays):
        axes, fixes = figure.add_subplot(maps[0, column]), play.fixes
        draw_room(axes)
        axes.plot(*true_path(play, T_base_optical).T, color=TRUE, linewidth=1.5, label='true')
        estimated = np.array([fix.T_map_base[:2, 3] for fix in fixes])
        for fix, found in zip(fixes, estimated):
            off = np.stack([fix.T_map_base_true[:2, 3], found])
            axes.plot(*off.T, color=colour, alpha=0.25, linewidth=0.8)
        axes.plot(*estimated.T, '.', color=colour, markersize=3, label='localized')
        figures = summary(fixes)
        axes.set_title(
            f'{name}: median {figures["median_translation_m"]:.3f} m, '
            f'{figures["median_rotation_deg"]:.2f} deg'
        )
        axes.legend(loc='lower left')
    for index, (quantity, label) in enumerate(
        (('translation_m', 'error (m)'), ('rotation_deg', 'error (deg)')), 1
    ):
        axes = figure.add_subplot(maps[index, :])
        for name, play, colour in plays:
            stamps = sorted(play.truth)
            seconds = [(stamp - stamps[0]) * 1e-9 for stamp in stamps]
            off = {fix.stamp_ns: getattr(fix, quantity) for fix in play.fixes}
            # Where no pose came there is no error, and no line.
            axes.plot(
                seconds,
                [off.get(stamp, np.nan) for stamp in stamps],
                color=colour,
                linewidth=1,
                label=name,
            )
        axes.set_ylabel(label)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
    axes.set_xlabel('time (s)')
    axes.legend(loc='upper right')
    figure.savefig(path, dpi=110)
    plt.close(figure)


def true_path(play: Play, T_base_optical: np.ndarray) -> np.ndarray:
    """Positions [N, 2] of the robot at all images, in order of time."""
    T_map_base = [play.truth[at] @ np.linalg.inv(T_base_optical) for at in sorted(play.truth)]
    return np.stack(T_map_base)[:, :2, 3]


def draw_room(axes: plt.Axes) -> None:
    """The walls, and the outline on the floor of all that stands below the camera's height."""
    axes.add_patch(Rectangle((-ROOM_X / 2, -ROOM_Y / 2), ROOM_X, ROOM_Y, fill=False, linewidth=2))
    for name, thing in later_room().items():
        points = np.concatenate([mesh.vertices for mesh, _ in thing.placed()])
        if name not in ('shell', 'rug') and points[:, 2].min() < 0.8:
            hull = cv2.convexHull(points[:, :2].astype(np.float32))[:, 0]
            axes.add_patch(Polygon(hull, facecolor='#e9e4da', edgecolor='#b5aa98', zorder=0))
    axes.set_aspect('equal')
    axes.set_xlabel('x (m)')
    axes.set_ylabel('y (m)')
