"""Which numbers are allowed, said where a value is declared."""

from __future__ import annotations

import typing
from dataclasses import dataclass


@dataclass(frozen=True)
class Within:
    """Numbers from `least` to `most`; NaN is never among them."""

    least: float
    most: float = float('inf')

    def check(self, value: float, name: str) -> None:
        """Raise ValueError with a sentence that begins with `name`."""
        if not self.least <= value <= self.most:
            most = '' if self.most == float('inf') else f' and at most {self.most:g}'
            raise ValueError(f'{name} must be at least {self.least:g}{most}, but is {value!r}')


def check_ranges(values: object) -> None:
    """Check the fields of a dataclass whose type is `Annotated` with `Within`; each number of a
    tuple.

    Raises:
        ValueError: with a sentence that begins with the field's name.
    """
    for name, hint in typing.get_type_hints(type(values), include_extras=True).items():
        value = getattr(values, name)
        for limit in getattr(hint, '__metadata__', ()):
            for number in value if isinstance(value, tuple) else (value,):
                limit.check(number, name)
