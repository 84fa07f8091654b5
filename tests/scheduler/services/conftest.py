"""A context on an empty ledger of every store."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib.resources import files
from pathlib import Path

import pytest

from scheduler.clock import SimulatedClock
from scheduler.entropy import KeyedEntropy
from scheduler.ledger.vault.keystore import KEK_VARIABLE, LocalKek
from scheduler.services.context import Context
from scheduler.settings import load_settings
from tests.scheduler.ledger.conftest import (
    postgres,
    postgres_template,
    sqlite_template,
    store_url,
)
from tests.scheduler.services.nights import NIGHT

__all__ = ["postgres", "postgres_template", "sqlite_template", "store_url"]

KEY = os.urandom(32)
CAMPAIGN = files("scheduler").joinpath("scenarios", "micius-2016.toml").read_text("utf-8")

Open = Callable[..., Context]


@pytest.fixture(scope="session")
def kek() -> LocalKek:
    """A key-encryption key of this test run, which every context finds in the environment."""
    return LocalKek(KEY)


@pytest.fixture
def open_context(store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Open a context on the store, each time on the same ledger; the campaign if nothing is said.

    Every `changes` pair replaces a text of the scenario.
    """
    monkeypatch.setenv(KEK_VARIABLE, KEY.hex())
    with ExitStack() as stack:

        def build(*changes: tuple[str, str], text: str = CAMPAIGN) -> Context:
            for before, after in changes:
                assert before in text
                text = text.replace(before, after)
            file = tmp_path / "scenario.toml"
            file.write_text(text, encoding="utf-8")
            settings = load_settings(database_url=store_url, scenario=str(file))
            made = Context(settings, clock=SimulatedClock(NIGHT), entropy=KeyedEntropy(1))
            return stack.enter_context(made)

        yield build
