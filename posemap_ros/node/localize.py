"""Entry point of the node's executable, `ros2 run posemap_ros localize`: start, spin, clean up.

Exit code 0 after Ctrl-C or SIGTERM, also while it is still loading; 1 with one sentence when the
node cannot start.
"""

from __future__ import annotations

import signal
import sys

import rclpy
from rclpy.exceptions import NotInitializedException
from rclpy.executors import ExternalShutdownException, MultiThreadedExecutor
from rclpy.logging import get_logger

# One thread each for images, a refine that waits for its child process, the PoseMap's picture,
# timers, TF, and a service call meanwhile. Given in full, because on a machine with one core the
# default is one.
_THREADS = 6


def main(args: list[str] | None = None) -> int:
    """Run the node until it is stopped; return the exit code."""
    node = executor = None
    try:
        try:
            rclpy.init(args=args)
        except RuntimeError as error:  # a parameter file that cannot be read, among others
            return _fail(error)
        # PyTorch and the weights take seconds to load: only here, a Ctrl-C meanwhile is in good
        # hands.
        from posemap_ros.environment import InvalidEnvironment
        from posemap_ros.node.localizer_node import LocalizerNode
        from posemap_ros.node.parameters import InvalidParameter

        try:
            node = LocalizerNode()
        except (InvalidEnvironment, InvalidParameter, FileNotFoundError) as error:
            return _fail(error)
        executor = MultiThreadedExecutor(num_threads=_THREADS)
        executor.add_node(node)
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except (RuntimeError, NotInitializedException):
        if rclpy.ok():
            raise
        # A signal has shut ROS down while the node was being made.
    finally:
        # Ctrl-C under `ros2 launch` arrives twice, from the terminal and from launch.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if node is not None:
            node.stop()
        if executor is not None:
            executor.shutdown(timeout_sec=2.0)
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
    return 0


def _fail(error: Exception) -> int:
    get_logger('posemap').fatal(str(error))
    return 1


if __name__ == '__main__':
    sys.exit(main())
