"""Entry point of the node's executable, `ros2 run posemap_ros localize`: start, spin, clean up.

Exit code 0 after Ctrl-C or SIGTERM at any time; 1 with one sentence when the node cannot start.
"""

from __future__ import annotations

import os
import signal
import sys

from posemap_ros.node.signals import LOOK_SECONDS, on_signals


def main(args: list[str] | None = None) -> int:
    """Run the node until it is stopped; return the exit code."""
    # Imports take seconds. Until there is something to clean up, a signal just ends the process.
    on_signals(lambda *_: os._exit(0))
    import rclpy
    from rclpy.exceptions import ParameterException
    from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
    from rclpy.lifecycle import TransitionCallbackReturn
    from rclpy.logging import get_logger
    from rclpy.signals import SignalHandlerOptions

    from posemap_ros.node.localizer_node import LocalizerNode
    from posemap_ros.node.parameters import InvalidParameter

    def fail(error: Exception) -> int:
        get_logger('posemap').fatal(str(error))
        return 1

    stopping = False

    def stop(*_: object) -> None:
        nonlocal stopping
        stopping = True

    node = None
    try:
        on_signals(stop)
        try:
            rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
        except RuntimeError as error:  # a parameter file that cannot be read, among others
            return fail(error)
        try:
            node = LocalizerNode()
        except (InvalidParameter, ParameterException) as error:
            return fail(error)
        if node.parameters.autostart:
            for transition in (node.trigger_configure, node.trigger_activate):
                if not stopping and transition() != TransitionCallbackReturn.SUCCESS:
                    return 1
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        while not stopping:
            try:
                executor.spin_once(timeout_sec=LOOK_SECONDS)
            except ExternalShutdownException:
                break
            except Exception as error:  # of a callback: what caused it is lost, the node goes on
                node.report(error)
    finally:
        # Ctrl-C under `ros2 launch` arrives twice, from the terminal and from launch.
        on_signals(signal.SIG_IGN)
        if node is not None:
            node.stop()
            node.destroy_node()
        rclpy.try_shutdown()
    return 0


if __name__ == '__main__':
    sys.exit(main())
