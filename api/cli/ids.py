"""Ids as people type them: whole, or the beginning that a narrow table shows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from uuid import UUID

from scheduler.errors import InputError

BEGINNING = re.compile("[0-9a-f]{4,8}(-[0-9a-f-]*)?")


def id_like(text: str, what: str, known: Callable[[], Iterable[UUID]]) -> UUID:
    """Return the id that `text` is, or the only known one that it begins. Raises InputError."""
    try:
        return UUID(text)
    except ValueError:
        pass
    if not BEGINNING.fullmatch(text.lower()):
        raise InputError(
            f"{what} {text[:80]!r} is no id; allowed: a UUID, or its first four digits and up"
        )
    found = [one for one in known() if str(one).startswith(text.lower())]
    if len(found) != 1:
        raise InputError(
            f"{what} {text[:80]!r} begins {len(found)} ids; allowed: what begins one alone"
        )
    return found[0]
