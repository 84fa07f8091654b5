"""Where the satellite is and when a station can see it: arithmetic only, no I/O."""

from orbits.times import as_utc

__all__ = ["as_utc"]
