"""The stamps of the messages that a drive consists of: with a header, or a TFMessage."""

from __future__ import annotations

from typing import Any


def headers(message: Any) -> list[Any]:
    """The headers in a message."""
    return [stamped.header for stamped in getattr(message, 'transforms', [message])]


def stamp_ns(message: Any) -> int:
    """The first of its stamps."""
    return nanoseconds(headers(message)[0])


def nanoseconds(header: Any) -> int:
    """The stamp of a header."""
    return header.stamp.sec * 10**9 + header.stamp.nanosec


def move_stamps(message: Any, shift: int) -> None:
    """Add `shift` nanoseconds to all of them."""
    for header in headers(message):
        moved = nanoseconds(header) + shift
        header.stamp.sec, header.stamp.nanosec = divmod(moved, 10**9)
