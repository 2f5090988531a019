"""What the view asks of the localizer that it watches: its parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rcl_interfaces.srv import GetParameters
from rclpy.node import Node
from rclpy.task import Future

from posemap_ros.support.resources import share_folder


@dataclass(frozen=True)
class WatchedNode:
    """Parameters of the localizer, by their names."""

    environment: str
    base_frame: str
    odom_frame: str
    camera_frame: str
    tf_mode: str
    image_transport: str

    @property
    def environment_folder(self) -> Path:
        """Where its environment lies, if this process sees the same files."""
        if not self.environment:
            return share_folder() / 'demo' / 'environment'
        return Path(self.environment).expanduser()


class Asking:
    """Asks the localizer named `target` for its parameters, until it answers."""

    def __init__(self, node: Node, target: str, on_answer: Callable[[WatchedNode], None]) -> None:
        self._client = node.create_client(GetParameters, f'{target}/get_parameters')
        self._on_answer = on_answer
        self._names = list(WatchedNode.__dataclass_fields__)
        self._asked: Future | None = None
        self.answered = False

    def ask(self) -> None:
        """Ask once more, if there is no answer yet and somebody to ask."""
        if self.answered or not self._client.service_is_ready():
            return
        self._asked = self._client.call_async(GetParameters.Request(names=self._names))
        self._asked.add_done_callback(self._take)

    def _take(self, future: Future) -> None:
        answer = future.result()
        if self.answered or answer is None or len(answer.values) != len(self._names):
            return
        self.answered = True
        self._on_answer(WatchedNode(*(value.string_value for value in answer.values)))
