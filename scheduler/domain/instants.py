"""Natural keys of instants, so that a retry is known as one."""

from __future__ import annotations

from datetime import datetime

from orbits import as_utc


def instant_key(when: datetime) -> str:
    """An instant as it stands in natural keys and answers: UTC, milliseconds, `Z`."""
    return as_utc(when).isoformat(timespec="milliseconds")[:-6] + "Z"
