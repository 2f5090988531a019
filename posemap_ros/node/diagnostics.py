"""What /diagnostics says about the node."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.time import Time

from posemap_ros.node.localization import Localization
from posemap_ros.node.state import State

# Level and message for each state: what somebody who looks at a robot's diagnostics wants to know
# first.
_VERDICTS = {
    State.UNINITIALIZED: (DiagnosticStatus.WARN, 'Not localized!'),
    State.LOCALIZED: (DiagnosticStatus.OK, 'Localized.'),
    State.UNCERTAIN: (DiagnosticStatus.WARN, 'Localization error is high!'),
    State.LOST: (DiagnosticStatus.ERROR, 'Not localized!'),
}


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


def localization_figures(localization: Localization, state: State) -> dict[str, Any]:
    """How it is going, and how the latest pose came about."""
    age, estimate = localization.seconds_since_fix(), localization.estimate
    figures = {
        'state': state.value,
        'age of last fix [s]': 'none yet' if age is None else age,
        'poses [Hz]': localization.accepted(),
        'latest pose': localization.source or 'none yet',
        'revision': localization.localizer.revision,
    }
    if estimate is not None:
        figures |= {
            'predicted sigma [m]': estimate.sigma_translation_m,
            'predicted sigma [deg]': estimate.sigma_rotation_deg,
        }
    if localization.verifying:
        verification = localization.verification
        figures |= {
            'verified [Hz]': localization.verified(),
            'verdict': 'none yet' if verification is None else verification.reason,
        }
    stages = localization.stages.mean_ms()
    return figures | {f'{stage} [ms]': mean for stage, mean in stages.items()}


def memory_figures(device: torch.device) -> dict[str, Any]:
    """What the process takes."""
    figures = {'memory [MB]': resident_megabytes()}
    if device.type == 'cuda':
        figures['GPU memory [MB]'] = torch.cuda.memory_allocated() / 1e6
    return figures


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
