"""Settings and context on a ledger file of their own."""

from collections.abc import Callable
from pathlib import Path

import pytest

from scheduler.settings import Settings, load_settings

SettingsOf = Callable[..., Settings]


@pytest.fixture
def settings_of(tmp_path: Path) -> SettingsOf:
    """Settings with a new SQLite file for every name."""

    def build(name: str = "ledger", **given: object) -> Settings:
        return load_settings(database_url=f"sqlite:///{tmp_path / name}.db", **given)

    return build
