"""What /diagnostics says about the node."""

from __future__ import annotations

import time
from collections import deque
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.time import Time

from posemap_ros.node.gate import State

_RATE_WINDOW = 5.0  # seconds

# Level and message for each state: what somebody who looks at a robot's diagnostics wants to know
# first.
_VERDICTS = {
    State.UNINITIALIZED: (DiagnosticStatus.WARN, 'Not localized!'),
    State.LOCALIZED: (DiagnosticStatus.OK, 'Localized.'),
    State.UNCERTAIN: (DiagnosticStatus.WARN, 'Localization error is high!'),
    State.LOST: (DiagnosticStatus.ERROR, 'Not localized!'),
}


class Rate:
    """How often something happened over the last five seconds of wall time, in Hz."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=1000)

    def tick(self) -> None:
        """It happened."""
        self._times.append(time.monotonic())

    def __call__(self) -> float:
        since = time.monotonic() - _RATE_WINDOW
        return sum(when > since for when in tuple(self._times)) / _RATE_WINDOW


def localization_status(
    name: str, state: State, refusal: str, values: dict[str, Any]
) -> DiagnosticStatus:
    """The verdict; `refusal` is why images or fixes are not used at present, or ''."""
    level, message = _VERDICTS[state]
    if refusal and state is not State.LOCALIZED:
        message = f'{message} {refusal[0].upper()}{refusal[1:]}.'
    return _status(f'{name}: localization', level, message, values)


def input_status(name: str, rate: float, problem: str, values: dict[str, Any]) -> DiagnosticStatus:
    """Whether images arrive and can be used."""
    if not rate:
        return _status(f'{name}: input', DiagnosticStatus.ERROR, 'No images arrive.', values)
    if problem:
        message = f'{problem[0].upper()}{problem[1:]}.'
        return _status(f'{name}: input', DiagnosticStatus.WARN, message, values)
    return _status(f'{name}: input', DiagnosticStatus.OK, 'Images arrive.', values)


def refine_status(name: str, status: str, values: dict[str, Any]) -> DiagnosticStatus:
    """What refine does, or how it ended."""
    failed = status.startswith('failed')
    level = DiagnosticStatus.WARN if failed else DiagnosticStatus.OK
    return _status(f'{name}: refine', level, status, values)


def array(statuses: list[DiagnosticStatus], stamp: Time) -> DiagnosticArray:
    """The message."""
    message = DiagnosticArray(status=statuses)
    message.header.stamp = stamp.to_msg()
    return message


def resident_megabytes() -> float:
    """Memory of this process now."""
    pages = int(Path('/proc/self/statm').read_text().split()[1])
    return pages * 4096 / 1e6


def _status(name: str, level: bytes, message: str, values: dict[str, Any]) -> DiagnosticStatus:
    return DiagnosticStatus(
        name=name,
        hardware_id='posemap_ros',
        level=level,
        message=message,
        values=[KeyValue(key=key, value=_text(value)) for key, value in values.items()],
    )


def _text(value: Any) -> str:
    return f'{value:.3f}' if isinstance(value, float) else str(value)
