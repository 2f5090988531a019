"""The order in which frames were taken, where only their names tell."""

from __future__ import annotations

import re


def in_name_order(name: str) -> tuple[tuple[int, int, str], ...]:
    """A key to sort names by, whose numbers count as numbers: 'walk/9' comes before 'walk/10'."""
    return tuple(_part(part) for part in re.findall(r'[0-9]+|[^0-9]+', name))


def _part(part: str) -> tuple[int, int, str]:
    if part[0] not in '0123456789':
        return 1, 0, part
    # A file's name may have more digits than Python converts.
    number = part.lstrip('0')
    return 0, len(number), number
