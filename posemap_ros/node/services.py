"""~/refine and ~/reset: what changes the weights, beside localization.

Both take longer than a callback may. They run in a thread of their own, and the executor awaits
them without holding anything up. The services outlive activations, so that whoever called one is
answered even when the node is deactivated meanwhile.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.service import Service
from rclpy.task import Future
from std_srvs.srv import Trigger

from posemap_ros.node.frame_buffer import FrameBuffer
from posemap_ros.node.parameters import Parameters
from posemap_ros.node.refine_job import RefineJob
from posemap_ros.node.refinement import RefineFailed, Refinement
from posemap_ros.node.reminder import Reminder
from posemap_ros.node.revision_in_use import RevisionInUse

# With the usual ten, most of fifty calls at once would be dropped without an answer.
_MANY_CALLS_QOS = QoSProfile(depth=100)

T = TypeVar('T')


class WeightServices:
    """Offers the two services on `node`, until `close`; refine refuses before `resume`.

    Args:
        in_use: what they change.
        frames: that refine learns from.
        reminder: when to tell again what was told already.
    """

    def __init__(
        self,
        node: Node,
        parameters: Parameters,
        in_use: RevisionInUse,
        frames: FrameBuffer,
        reminder: Reminder,
    ) -> None:
        self._node, self._p = node, parameters
        self._in_use, self._frames = in_use, frames
        self._localizer = in_use.localizer
        self._reminder = reminder
        self._active = False
        self._refinement = Refinement()
        self._weights_lock = threading.Lock()
        self._resets = 0
        # Re-entrant, so that a second call is refused at once instead of waiting for the first.
        group = ReentrantCallbackGroup()
        self._services: list[Service] = [
            node.create_service(
                Trigger,
                f'~/{name}',
                self._answer_with(work),
                qos_profile=_MANY_CALLS_QOS,
                callback_group=group,
            )
            for name, work in (('refine', self.refine), ('reset', self.reset))
        ]

    @property
    def status(self) -> str:
        """What refine does, or how it ended."""
        return self._refinement.status

    def give_way(self) -> None:
        """Let the refine that runs, if one does, leave the processor to localization."""
        self._refinement.give_way()

    def resume(self) -> None:
        """Refine when asked to."""
        self._active = True

    def pause(self) -> None:
        """Stop the refine that runs, and begin none."""
        self._active = False
        self._refinement.cancel('the node was deactivated')

    def close(self) -> None:
        """Offer the services no more."""
        for service in self._services:
            self._node.destroy_service(service)

    def _answer_with(self, work: Callable[[], tuple[bool, str]]) -> Callable:
        async def answer(_: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
            response.success, response.message = await _in_a_thread(self._node, work)
            self._node.get_logger().info(response.message)
            return response

        return answer

    def refine(self) -> tuple[bool, str]:
        """Align on the frames just seen; whether the weights changed, and a sentence."""
        p = self._p
        if not self._active:
            return False, 'the node is not active: it has no frames to refine on'
        frames = self._frames.frames()
        if not self._refinement.running and len(frames) < p.refine_min_frames:
            return False, (
                f'only {len(frames)} different frames were seen so far, refine needs '
                f'{p.refine_min_frames} (refine_min_frames): drive the robot around a little'
            )
        resets = self._resets
        try:
            job = RefineJob(
                environment=str(self._localizer.environment.path),
                revision=self._localizer.revision,
                device=p.device,
                threads=p.refine_threads,
                seconds=p.refine_seconds,
            )
            result = self._refinement.run(job, frames, p.refine_timeout, self._log_progress)
            if not result.accepted:
                return False, f'refine on {len(frames)} frames: {result.reason}'
            with self._weights_lock:
                if self._resets != resets:
                    return False, f'not used, because reset was called: {result.reason}'
                self._in_use.load(result.revision)
        except (RefineFailed, ValueError, OSError) as error:
            return False, f'refine failed, nothing was changed: {error}'
        return True, f'refine on {len(frames)} frames: {result.reason}'

    def reset(self) -> tuple[bool, str]:
        """Go back to the base weights; whether that could be done, and a sentence."""
        with self._weights_lock:
            self._resets += 1
            before = self._localizer.revision
            try:
                self._in_use.load(0)
            except (ValueError, OSError) as error:
                return False, f'reset failed, revision {before} is still in use: {error}'
        self._refinement.cancel('reset was called')
        if not before:
            return True, 'already at the base weights'
        return True, (
            f'back to the base weights, from revision {before}; it stays on disk, and is used '
            'again when the node is restarted without revision:=0'
        )

    def _log_progress(self, fraction: float, text: str) -> None:
        if self._reminder.is_due(text):
            self._node.get_logger().info(f'refine: {100 * fraction:.0f} %, {text}')


def _in_a_thread(node: Node, work: Callable[[], T]) -> Future:
    """What `work` returns or raises, for a callback to await."""
    future = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except Exception as error:
            future.set_exception(error)
        # It goes on with callbacks that await something only when it wakes for something else.
        if node.executor is not None:
            node.executor.wake()

    threading.Thread(target=run, name=work.__name__, daemon=True).start()
    return future
