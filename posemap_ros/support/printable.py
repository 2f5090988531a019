"""Text from elsewhere, as it may stand in a sentence."""

from __future__ import annotations


def printable(text: str, limit: int = 80) -> str:
    """`text` with escapes for what is no printable character, cut after `limit` characters.

    What a message says about itself goes to logs and terminals, which obey control characters.
    """
    shown = ''.join(c if c.isprintable() else repr(c)[1:-1] for c in text[: limit + 1])
    return shown if len(shown) <= limit else f'{shown[: limit - 3]}...'
