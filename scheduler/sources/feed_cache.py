"""What an endpoint answered before, and when: kept in the user's cache, for politeness alone."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

from orbits import as_utc

POLITE = timedelta(hours=2)
"""Between two questions for the same sets: providers make new ones no more often, and shut out
who asks more (celestrak.org/usage-policy.php)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAnswer:
    """One answer of an endpoint, and what to ask with for whether there is a newer one."""

    asked_at: datetime
    text: str
    etag: str = ""
    last_modified: str = ""

    def is_fresh(self, at: datetime) -> bool:
        """Whether it is too early to ask again; a clock that was set back says nothing."""
        return timedelta(0) <= at - self.asked_at < POLITE

    @property
    def conditions(self) -> dict[str, str]:
        """Headers that ask for nothing unless there is something new (RFC 9110, 13.1)."""
        named = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in named.items() if value}


@dataclass(frozen=True, slots=True)
class FeedCache:
    """One file an address, named by its digest, for an address may hold a secret."""

    folder: Path

    def get(self, address: str) -> KeptAnswer | None:
        """Return what was kept of an address; nothing if there is none, or none that reads."""
        try:
            found = json.loads(self._path(address).read_text(encoding="utf-8"))
            return KeptAnswer(
                **{**found, "asked_at": as_utc(datetime.fromisoformat(found["asked_at"]))}
            )
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def put(self, address: str, answer: KeptAnswer) -> None:
        """Keep an answer; a cache that cannot be written is none."""
        path = self._path(address)
        draft = path.with_name(f"{path.name}.{os.getpid()}.draft")
        told = {**asdict(answer), "asked_at": answer.asked_at.isoformat()}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_text(json.dumps(told), encoding="utf-8")
            draft.replace(path)
        except OSError:
            draft.unlink(missing_ok=True)

    def _path(self, address: str) -> Path:
        return self.folder / f"{hashlib.sha256(address.encode()).hexdigest()[:32]}.json"


def users_cache() -> FeedCache:
    """Return the cache of the user that runs this process (XDG base directories)."""
    base = os.environ.get("XDG_CACHE_HOME") or ""
    home = Path(base) if Path(base).is_absolute() else Path.home() / ".cache"
    return FeedCache(home / "skytrunk" / "elements")
