"""One ledger, on every store."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduler.ledger import Ledger, open_ledger
from scheduler.ledger.vault.keystore import LocalKek
from tests.scheduler.ledger.postgres import Postgres

STORES = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server of this test run's own."""
    server = Postgres(durable=False)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def kek() -> LocalKek:
    """A key-encryption key made for this test run."""
    return LocalKek(os.urandom(32))


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory, kek: LocalKek) -> Path:
    """An empty ledger to copy, which is faster than making a new one for every test."""
    path = tmp_path_factory.mktemp("template") / "ledger.db"
    open_ledger(f"sqlite:///{path}", kek=kek).close()
    return path


@pytest.fixture(scope="session")
def postgres_template(
    postgres: Postgres, kek: LocalKek, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """The same in PostgreSQL: the name of a database to copy."""
    url = postgres.create("template_ledger")
    open_ledger(url, kek=kek, key_folder=tmp_path_factory.mktemp("keys")).close()
    return "template_ledger"


@pytest.fixture
def url(tmp_path: Path) -> str:
    """The URL of an SQLite database that is not there yet."""
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@pytest.fixture(params=STORES)
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty ledger on each store, opened with the fixture `kek`."""
    if request.param == "sqlite":
        path = tmp_path / "ledger.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
    else:
        server: Postgres = request.getfixturevalue("postgres")
        template: str = request.getfixturevalue("postgres_template")
        name = server.unused_name()
        patch: pytest.MonkeyPatch = request.getfixturevalue("monkeypatch")
        patch.setenv("SKYTRUNK_KEY_FOLDER", str(tmp_path / "ledger.db.keys"))
        yield server.create(name, template)
        server.drop(name)


@pytest.fixture
def ledger(store_url: str, kek: LocalKek) -> Iterator[Ledger]:
    """An empty ledger on each store."""
    opened = open_ledger(store_url, kek=kek)
    yield opened
    opened.close()


@pytest.fixture
def sqlite_ledger(url: str) -> Iterator[Ledger]:
    """An empty ledger in an SQLite file, with its key file beside it."""
    opened = open_ledger(url)
    yield opened
    opened.close()
