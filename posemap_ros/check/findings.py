"""What a check found out: how bad, what exactly, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal['ok', 'warning', 'fault']


@dataclass(frozen=True)
class Finding:
    """One sentence with its figure; `way_out` says what to do unless all is well."""

    subject: str
    severity: Severity
    text: str
    way_out: str = ''

    def __str__(self) -> str:
        return f'{self.severity:7}  {self.subject}: {self.sentence}'

    @property
    def sentence(self) -> str:
        """The text and the way out."""
        return f'{self.text}; {self.way_out}' if self.way_out else self.text


def is_content(findings: list[Finding]) -> bool:
    """Nothing stands against training on the data; there may be warnings."""
    return not any(finding.severity == 'fault' for finding in findings)
