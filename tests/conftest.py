"""What all tests share."""

from itertools import count
from pathlib import Path

import pytest
from hypothesis import settings

from scheduler.collector import collect_rarely

collect_rarely()  # as every command does
_NUMBERS = count()

# On two shared cores the time of one example says nothing about the code.
settings.register_profile("skytrunk", deadline=None)
settings.load_profile("skytrunk")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the answers of endpoints apart, and out of the user's own cache."""
    base: Path = tmp_path_factory.getbasetemp()
    monkeypatch.setenv("XDG_CACHE_HOME", str(base / f"cache-{next(_NUMBERS)}"))
