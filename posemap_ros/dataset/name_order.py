"""The order in which frames were taken, where only their names tell."""

from __future__ import annotations

import re


def in_name_order(name: str) -> tuple[tuple[int, int, str], ...]:
    """A key to sort names by, whose numbers count as numbers: 'walk/9' comes before 'walk/10'."""
    parts = re.findall(r'[0-9]+|[^0-9]+', name)
    return tuple((0, int(part), part) if part[0] in '0123456789' else (1, 0, part) for part in parts)
