"""Words of users and feeds -> what an interface may show: letters, never instructions."""

from __future__ import annotations

import unicodedata


def printable(text: str) -> str:
    """Return a text with every character that would move a cursor or hide itself as an escape."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or unicodedata.category(char) == "Zs" else repr(char)[1:-1]
        for char in text
    )
