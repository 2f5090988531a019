"""The demo robot's camera: a pinhole without distortion, its principal point in the middle."""

from __future__ import annotations

import numpy as np

WIDTH, HEIGHT, HFOV_DEG = 320, 240, 76.0
FOCAL_PX = WIDTH / 2 / np.tan(np.radians(HFOV_DEG / 2))
