"""Shows a running localizer with Rerun: camera, map, PoseMap, pose, spread, state, latency and
refine, over time.

A process of its own, which listens like any other node and steps back behind them. Exit code 0
after Ctrl-C, 1 with one sentence where it cannot show anything.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from pathlib import Path

from posemap_ros.node.signals import LOOK_SECONDS, on_signals

_NICENESS = 5


def main(argv: list[str] | None = None) -> int:
    """Show it until Ctrl-C; the exit code."""
    argv = sys.argv if argv is None else ['view', *argv]
    import rclpy
    from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
    from rclpy.signals import SignalHandlerOptions
    from rclpy.utilities import remove_ros_args

    arguments = _parser().parse_args(remove_ros_args(argv)[1:])
    stopping = threading.Event()
    on_signals(lambda *_: stopping.set())
    os.nice(_NICENESS)  # the robot goes first

    try:
        from posemap_ros.live_view.rerun_output import CannotShow, open_stream
    except ImportError as error:
        return _fail(error)
    from posemap_ros.live_view.rerun_sdk import rr
    from posemap_ros.live_view.scene import Scene
    from posemap_ros.live_view.viewer_node import ViewerNode

    try:
        stream, where = open_stream(arguments.to)
    except CannotShow as error:
        return _fail(error)
    print(f'view: {where}', flush=True)

    import torch

    torch.set_num_threads(1)
    rclpy.init(args=argv, signal_handler_options=SignalHandlerOptions.NO)
    node = ViewerNode(f'/{arguments.node.strip("/")}', Scene(stream), arguments.environment)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        while not stopping.is_set():
            executor.spin_once(timeout_sec=LOOK_SECONDS)
    except ExternalShutdownException:
        pass
    finally:
        # Ctrl-C under `ros2 launch` arrives twice, from the terminal and from launch.
        on_signals(signal.SIG_IGN)
        node.stop()
        node.destroy_node()
        rclpy.try_shutdown()
        rr.disconnect(recording=stream)  # with what is still on its way
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog='view', description=__doc__.split('\n\n')[0])
    add = parser.add_argument
    add(
        '--node',
        default='/posemap',
        metavar='NAME',
        help='of the localizer (default: %(default)s)',
    )
    add(
        '--to',
        default='browser',
        metavar='WHERE',
        help='browser: at an address that is printed; screen: in a window; FILE.rrd: into a file, '
        'for later (default: %(default)s)',
    )
    add(
        '--environment',
        type=Path,
        metavar='DIR',
        help="the localizer's environment (default: where the localizer says that it is)",
    )
    return parser


def _fail(error: Exception) -> int:
    print(f'view: {error}', file=sys.stderr)
    return 1


if __name__ == '__main__':
    sys.exit(main())
