"""The ROS 2 node: images in; poses, TF and diagnostics out; refine and reset as services.

The node is managed (lifecycle): configuring loads the environment, activating joins the topics,
see operation.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from posemap_ros.localizer import Localizer
from posemap_ros.map_view.place import Place
from posemap_ros.node.frame_buffer import FrameBuffer
from posemap_ros.node.localization import load_planar
from posemap_ros.node.operation import Configured, Operation
from posemap_ros.node.parameters import Parameters
from posemap_ros.node.reminder import Reminder
from posemap_ros.node.revision_in_use import RevisionInUse
from posemap_ros.node.services import WeightServices
from posemap_ros.node.tf import TfReader
from posemap_ros.support.printable import printable
from posemap_ros.support.resources import share_folder


class LocalizerNode(LifecycleNode):
    """Takes rclpy's options of a node. Raises `InvalidParameter` when it is started with values
    that it cannot use.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__('posemap', **options)
        self.parameters = Parameters(self)
        self._reminder = Reminder()
        self._tf = TfReader(self, self.parameters)
        self._configured: Configured | None = None
        self._operation: Operation | None = None

    # ---- lifecycle

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the environment."""
        try:
            self._configured = self._configure()
        except Exception as error:  # rclpy would keep it to itself; each names file or device
            self.get_logger().fatal(str(error))
            return TransitionCallbackReturn.FAILURE
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Join the topics."""
        try:
            self._operation = Operation(
                self,
                self.parameters,
                self._configured,
                self._tf,
                self.warn_now_and_then,
                self.report,
            )
        except Exception as error:  # rclpy would keep it to itself
            self.get_logger().fatal(f'cannot be activated: {type(error).__name__}: {error}')
            return TransitionCallbackReturn.FAILURE
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Leave the topics; a refine that runs is stopped."""
        self.stop()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the memory."""
        self._clean_up()
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """From whatever state."""
        self.stop()
        return TransitionCallbackReturn.SUCCESS

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Be as before it was configured."""
        self.stop()
        self._clean_up()
        return TransitionCallbackReturn.SUCCESS

    def stop(self) -> None:
        """End what would keep the process alive."""
        if self._operation is not None:
            self._operation.close()
            self._operation = None

    def _configure(self) -> Configured:
        p = self.parameters
        folder = p.environment or share_folder() / 'demo' / 'environment'
        localizer = Localizer(
            Path(folder).expanduser().resolve(),
            p.device,
            None if p.revision < 0 else p.revision,
            p.torch_threads,
        )
        in_use = RevisionInUse(localizer, p.verification != 'off')
        planar = load_planar(localizer, p)
        environment = localizer.environment
        place = Place.of(environment)
        # The first inference sets buffers and kernels up, which no image should have to wait for.
        camera = localizer.network_camera
        localizer.localize(np.zeros((camera.height, camera.width, 3), np.uint8), camera)
        if environment.warning:
            self.get_logger().warning(environment.warning)
        self.get_logger().info(
            f'environment {environment.path}, revision {localizer.revision}; {localizer.runtime}'
        )
        frames = FrameBuffer(p.refine_frames, p.refine_horizon)
        weights = WeightServices(self, p, in_use, frames, self._reminder)
        return Configured(in_use, planar, place, frames, weights)

    def _clean_up(self) -> None:
        if self._configured is not None:
            self._configured.weights.close()
            self._configured = None

    # ---- telling

    def report(self, error: Exception) -> None:
        """One bad message costs that message: say so, and go on."""
        self.warn_now_and_then(f'one message was not used: {type(error).__name__}: {error}')

    def warn_now_and_then(self, sentence: str) -> None:
        """Warn, but not thirty times a second."""
        if self._reminder.is_due(sentence):
            self.get_logger().warning(printable(sentence, 1000))
