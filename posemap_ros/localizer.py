"""Image in, pose and uncertainty out. No ROS, no training code."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from posemap_ros.camera import Camera, ImageAdapter
from posemap_ros.environment import Environment, InvalidEnvironment
from posemap_ros.inference.runtime import Infer, choose_runtime
from posemap_ros.inference.solve import PoseSolver
from posemap_ros.pose_covariance import HasPoseCovariance
from posemap_ros.support.device import choose_device

# No pose is surer than this, whatever the network says: half a centimetre and a quarter of a
# degree.
MIN_SIGMA_M, MIN_SIGMA_RAD = 0.005, 0.0044
# Nor is an estimate that exists less sure than this.
MAX_SIGMA_M, MAX_SIGMA_RAD = 100.0, 3.2
_CAMERAS_KEPT = 8


@dataclass(frozen=True)
class Estimate(HasPoseCovariance):
    """Where the camera was when it took one image."""

    T_map_cam: np.ndarray  # [4, 4] float64, camera (optical axes) to map, metres
    covariance: (
        np.ndarray
    )  # [6, 6] of x, y, z (m^2) and rotations about x, y, z (rad^2), fixed map axes
    inference_ms: float
    descriptor: np.ndarray  # [D] float32, unit length: products tell how alike images look


@dataclass(frozen=True)
class _Loaded:
    """One revision, ready to run; replaced as a whole."""

    environment: Environment
    infer: Infer
    solve: PoseSolver


class Localizer:
    """APRNet of one environment, ready to run. Safe to call from several threads.

    Args:
        environment: the environment folder.
        device: 'auto' (CUDA if there is one), 'cpu', 'cuda', 'cuda:1', ...
        revision: of the environment; None is the newest, 0 the base.
        threads: that the network may use on a CPU. 0 is half of the cores that this process may
            use, at most four: with all of them one other busy process makes each image wait.

    Raises:
        InvalidEnvironment: the folder cannot be used.
        ValueError: the device is not there.
    """

    def __init__(
        self,
        environment: Path | str,
        device: str = 'auto',
        revision: int | None = None,
        threads: int = 0,
    ) -> None:
        self.device = choose_device(device)
        self._runtime = choose_runtime(self.device, threads)
        self._loaded = self._load(Environment.load(environment, revision))
        self._adapters: dict[Camera, ImageAdapter] = {}

    @property
    def environment(self) -> Environment:
        """The environment, with the revision in use."""
        return self._loaded.environment

    @property
    def revision(self) -> int:
        """The revision in use."""
        return self.environment.revision

    @property
    def network_camera(self) -> Camera:
        """APRNet's input camera."""
        return self.environment.network_camera

    @property
    def runtime(self) -> str:
        """What executes the network, with its version."""
        return self._runtime.name

    def use(self, environment: Environment) -> None:
        """Switch to another revision of the environment; images in flight finish with the old
        weights.

        Raises:
            InvalidEnvironment: its weights cannot be used, or are for another camera by now.
        """
        if environment.network_camera != self.network_camera:
            raise InvalidEnvironment(
                f'{environment.path} was built anew, for another camera: start again'
            )
        self._loaded = self._load(environment)

    def prepare(self, image: np.ndarray, camera: Camera) -> np.ndarray:
        """An image uint8 RGB [H, W, 3] of ``camera`` as the network's camera would have taken it.

        Raises:
            CameraMismatch: ``camera`` sees too little of what the network needs.
        """
        adapter = self._adapters.get(camera)
        if adapter is None:
            adapter = ImageAdapter(camera, self.network_camera)
            if len(self._adapters) >= _CAMERAS_KEPT:
                self._adapters.clear()
            self._adapters[camera] = adapter
        return adapter(image)

    def localize(self, image: np.ndarray, camera: Camera) -> Estimate:
        """Estimate the pose of an image uint8 RGB [H, W, 3] taken by ``camera``.

        The same call describes a photo of the mapping drive for later comparison.

        Raises:
            CameraMismatch: ``camera`` sees too little of what the network needs.
        """
        return self.estimate(self.prepare(image, camera))

    def estimate(self, prepared: np.ndarray) -> Estimate:
        """Estimate the pose of an image that `prepare` gave."""
        start = time.perf_counter()
        loaded = self._loaded  # another thread may load a revision meanwhile
        pose, log_sigma, descriptor = loaded.solve(loaded.infer(prepared))
        sigma = np.exp(log_sigma) * loaded.environment.spread_scale
        sigma = np.clip(sigma, (MIN_SIGMA_M, MIN_SIGMA_RAD), (MAX_SIGMA_M, MAX_SIGMA_RAD))
        covariance = np.diag(np.repeat(sigma**2, 3))
        return Estimate(pose, covariance, 1e3 * (time.perf_counter() - start), descriptor)

    def _load(self, environment: Environment) -> _Loaded:
        net = environment.load_aprnet(self.device)
        return _Loaded(environment, self._runtime.compile(net), PoseSolver(net))
