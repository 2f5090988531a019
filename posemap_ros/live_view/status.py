"""The localizer's diagnostics, as words and as figures to plot."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from posemap_ros.live_view import paths
from posemap_ros.support.printable import printable

if TYPE_CHECKING:
    from diagnostic_msgs.msg import DiagnosticStatus

_MARK_UP = '\\\\`*_[]<>#|'
_PLOTTED = {paths.RATE: '[Hz]', paths.LATENCY: '[ms]'}


def markdown(statuses: Mapping[str, DiagnosticStatus]) -> str:
    """What they say, with all values that are not plotted."""
    lines = []
    for name, status in statuses.items():
        lines.append(f'\n**{name}**: {_plain(status.message)}\n')
        lines += [
            f'- {_plain(value.key)}: {_plain(value.value)}'
            for value in status.values
            if not value.key.endswith(tuple(_PLOTTED.values()))
        ]
    return '\n'.join(lines)


def plotted(values: Mapping[str, str]) -> dict[str, dict[str, float]]:
    """Of all values those with a unit that is plotted: curves by their names, for each plot."""
    plots: dict[str, dict[str, float]] = {}
    for plot, unit in _PLOTTED.items():
        curves = {
            key.removesuffix(unit).strip(): number
            for key, value in values.items()
            if key.endswith(unit) and (number := _number(value)) is not None
        }
        if curves:
            plots[plot] = curves
    return plots


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:  # 'none yet'
        return None
    return number if math.isfinite(number) else None


def _plain(text: str) -> str:
    """Text that is no mark-up."""
    return ''.join(f'\\{c}' if c in _MARK_UP else c for c in printable(text, 500))
