"""The node under a lifecycle manager, such as nav2's."""

import shutil
import time

from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from robot import answer, child_of, frames_kept, wait_until


class Manager:
    """Calls the services that a lifecycle manager calls."""

    def __init__(self, node) -> None:
        self._change = node.create_client(ChangeState, 'posemap/change_state')
        self._get = node.create_client(GetState, 'posemap/get_state')
        wait_until(lambda: self._change.service_is_ready() and self._get.service_is_ready(), 'it')
        # A client can see a service before the service sees it, and what is asked then is lost.
        wait_until(self._is_heard, 'the first answer')

    def change(self, transition: int) -> bool:
        request = ChangeState.Request(transition=Transition(id=transition))
        return answer(self._change.call_async(request)).success

    def _is_heard(self) -> bool:
        future = self._get.call_async(GetState.Request())
        end = time.monotonic() + 2.0
        while not future.done() and time.monotonic() < end:
            time.sleep(0.02)
        return future.done()

    @property
    def state(self) -> int:
        return answer(self._get.call_async(GetState.Request())).current_state.id


def test_an_environment_that_cannot_be_used_leaves_it_unconfigured(start_node, robot, tmp_path):
    node = start_node(ready=False, autostart=False, environment=tmp_path / 'nowhere')
    manager = Manager(robot.node)
    assert not manager.change(Transition.TRANSITION_CONFIGURE)
    assert manager.state == State.PRIMARY_STATE_UNCONFIGURED
    assert 'there is no environment folder' in node.log
    assert node.stop() == 0


# What nav2_lifecycle_manager does, and the state that it expects to see after each change.
_CONFIGURE = (Transition.TRANSITION_CONFIGURE, State.PRIMARY_STATE_INACTIVE)
_ACTIVATE = (Transition.TRANSITION_ACTIVATE, State.PRIMARY_STATE_ACTIVE)
_DEACTIVATE = (Transition.TRANSITION_DEACTIVATE, State.PRIMARY_STATE_INACTIVE)
_CLEANUP = (Transition.TRANSITION_CLEANUP, State.PRIMARY_STATE_UNCONFIGURED)
_SHUTDOWN = (Transition.TRANSITION_UNCONFIGURED_SHUTDOWN, State.PRIMARY_STATE_FINALIZED)
COMMANDS = {
    'startup': (_CONFIGURE, _ACTIVATE),
    'pause': (_DEACTIVATE,),
    'resume': (_ACTIVATE,),
    'reset': (_DEACTIVATE, _CLEANUP),
    'shutdown': (_DEACTIVATE, _CLEANUP, _SHUTDOWN),
}
# It waits so long for the answer to its question for the state, and without end for a change.
_STATE_SECONDS = 2.0


def test_every_command_of_nav2s_manager(start_node, robot, next_view):
    node = start_node(ready=False, autostart=False, tf_mode='none')
    manager = Manager(robot.node)
    assert manager.state == State.PRIMARY_STATE_UNCONFIGURED
    for command in ('startup', 'pause', 'resume', 'reset', 'startup', 'shutdown'):
        for transition, expected in COMMANDS[command]:
            assert manager.change(transition), command
            asked = time.monotonic()
            assert manager.state == expected, command
            assert time.monotonic() - asked < _STATE_SECONDS
            if expected == State.PRIMARY_STATE_ACTIVE:
                robot.poses.clear()
                robot.drive_until(lambda: len(robot.poses) > 2, 'poses', next_view)
            else:
                wait_until(lambda: not robot.sees_subscriber_of_images(), 'it to leave the topics')
    # It stays there to be asked, until whoever launched it ends it.
    assert node.stop() == 0
    assert 'Traceback' not in node.log


def test_whoever_called_refine_is_answered_when_the_node_is_deactivated(
    start_node, robot, slow_to_refine, tmp_path, next_view
):
    own = shutil.copytree(slow_to_refine, tmp_path / 'own')
    node = start_node(environment=own, tf_mode='none', refine_min_frames=8, refine_seconds=600.0)
    manager = Manager(robot.node)
    robot.drive_until(lambda: frames_kept(robot) >= 8, 'frames', next_view)
    refined = robot.call('refine')
    wait_until(lambda: child_of(node.pid) is not None, 'the refine')
    assert manager.change(Transition.TRANSITION_DEACTIVATE)
    response = answer(refined)
    assert not response.success
    assert 'the node was deactivated' in response.message
    assert 'not active' in answer(robot.call('refine')).message
    assert answer(robot.call('reset')).success
    for _ in range(2):
        assert manager.change(Transition.TRANSITION_ACTIVATE)
        robot.poses.clear()
        robot.drive_until(lambda: robot.poses, 'poses', next_view)
        assert manager.change(Transition.TRANSITION_DEACTIVATE)

    def topics_left() -> bool:
        return 'posemap' not in [
            info.node_name for info in robot.node.get_publishers_info_by_topic('/tf')
        ]

    wait_until(topics_left, 'it to leave /tf')
    assert node.stop() == 0
    assert 'Traceback' not in node.log
