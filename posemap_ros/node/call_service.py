"""Calls the node's services from a shell, where there is no `ros2 service call`: the executables
`refine` and `reset`.

Exit code 0 where the node did it, 1 where it did not, or does not answer; its words are printed.
"""

from __future__ import annotations

import argparse
import signal
import time

import rclpy
from rclpy.signals import SignalHandlerOptions
from std_srvs.srv import Trigger

from posemap_ros.node.signals import LOOK_SECONDS, on_signals
from posemap_ros.support.command_line import number, run_stage

_WAIT_SECONDS = 10.0
_ANSWER_SECONDS = 600.0  # a refine takes as long as its refine_seconds and some more


class NoAnswer(RuntimeError):
    """The service is not there, does not answer, or refuses."""


def refine(argv: list[str] | None = None) -> int:
    """Align the running node's environment on the images that it just saw."""
    return _main('refine', refine.__doc__, argv)


def reset(argv: list[str] | None = None) -> int:
    """Bring the running node back to its environment as it was built."""
    return _main('reset', reset.__doc__, argv)


def call(service: str, wait_s: float, answer_s: float = _ANSWER_SECONDS) -> str:
    """What a Trigger service says when it is done. Raises `NoAnswer`."""
    on_signals(signal.default_int_handler)
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    try:
        node = rclpy.create_node('posemap_caller')
        client = node.create_client(Trigger, service)
        if not client.wait_for_service(timeout_sec=wait_s):
            raise NoAnswer(
                f'{service} is not there: is the node running and active, under this name, and '
                'with the same ROS_DOMAIN_ID?'
            )
        future = client.call_async(Trigger.Request())
        deadline = time.monotonic() + answer_s
        while not future.done() and time.monotonic() < deadline:
            rclpy.spin_until_future_complete(node, future, timeout_sec=LOOK_SECONDS)
    finally:
        rclpy.try_shutdown()
    if not future.done():
        raise NoAnswer(f"{service} gave no answer within {answer_s:.0f} s; see the node's log")
    answer = future.result()
    if not answer.success:
        raise NoAnswer(answer.message)
    return answer.message


def _main(name: str, description: str, argv: list[str] | None) -> int:
    parser = argparse.ArgumentParser(prog=name, description=description)
    add = parser.add_argument
    add('--node', default='/posemap', metavar='NAME', help='of the node (default: %(default)s)')
    add(
        '--wait',
        type=number(float, 0.0, 3600.0),
        default=_WAIT_SECONDS,
        metavar='SECONDS',
        help='for the node to be there (default: %(default)s)',
    )
    arguments = parser.parse_args(argv)
    service = f'/{arguments.node.strip("/")}/{name}'
    return run_stage(
        name,
        lambda: print(call(service, arguments.wait)),
        NoAnswer,
        when_stopped='the node may still be at it',
    )
