"""A command line in its own process, a server on loopback, one short replay for all."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from api.app import create_app
from api.cli import run
from scheduler.clock import Clock
from scheduler.services.context import Context
from scheduler.settings import Settings, load_settings

ROOT = Path(__file__).resolve().parents[2]
NIGHT = ("--from", "2016-12-19", "--to", "2016-12-21")

Command = Callable[..., "subprocess.CompletedProcess[str]"]


def clean_environment() -> dict[str, str]:
    """The environment without settings of ours, and with this checkout first."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SKYTRUNK_")}
    return {**kept, "PYTHONPATH": str(ROOT), "COLUMNS": "100", "NO_COLOR": "1"}


def run_skytrunk(folder: Path, *arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    """Run one command line in `folder`, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "api.cli", *arguments],
        cwd=folder,
        env={**clean_environment(), **more},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@contextmanager
def started(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start one command line in `folder`; what still runs at the end is killed."""
    with subprocess.Popen(
        [sys.executable, "-m", "api.cli", *arguments], cwd=folder, env=clean_environment(),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def skytrunk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Command:
    """The command line, in an empty folder, within this process: quicker, and as strict."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("SKYTRUNK_")]:
        monkeypatch.delenv(name)

    def invoke(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        with monkeypatch.context() as patch:
            for name, value in more.items():
                patch.setenv(name, value)
            capfd.readouterr()
            code = run(arguments)
        out, err = capfd.readouterr()
        return subprocess.CompletedProcess(arguments, code, out, err)

    return invoke


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """A replay that was run once, and what it left behind."""

    folder: Path
    stdout: str
    stderr: str
    summary: dict[str, Any]

    @property
    def report(self) -> Path:
        return self.folder / "report"

    @property
    def database(self) -> str:
        return f"sqlite:///{self.folder / 'replay.db'}"

    def copy_to(self, file: Path) -> None:
        """Copy the ledger with its keys; a server on it may keep its last commits in `-wal`."""
        for suffix in ("", "-wal", ".kek"):
            if (mine := self.folder / f"replay.db{suffix}").exists():
                shutil.copy(mine, f"{file}{suffix}")
        shutil.copytree(self.folder / "replay.db.keys", f"{file}.keys")


@pytest.fixture(scope="session")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Replayed:
    """Two nights of the Micius campaign, by the command line."""
    folder = tmp_path_factory.mktemp("replay")
    done = run_skytrunk(
        folder, "replay", "--scenario", "micius-2016", *NIGHT, "--seed", "1", "--report", "report",
        "--json", "--database", "sqlite:///replay.db",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return Replayed(
        folder=folder, stdout=done.stdout, stderr=done.stderr, summary=json.loads(done.stdout)
    )


@contextmanager
def serving(settings: Settings, clock: Clock | None = None) -> Iterator[httpx.Client]:
    """A client of a real server on loopback, on these settings and that clock."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        Context(settings, clock=clock) as context,
    ):
        app = create_app(settings, context)
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            base = f"http://127.0.0.1:{listener.getsockname()[1]}"
            # The socket listens already, so the first request waits for the server to start.
            with httpx.Client(base_url=base, timeout=30.0, trust_env=False) as client:
                yield client
        finally:
            app.state.watch.stop()
            server.should_exit = True
            thread.join(timeout=30.0)


@pytest.fixture(scope="session")
def http(replayed: Replayed) -> Iterator[httpx.Client]:
    """A client of a server that works on the replayed ledger."""
    with serving(load_settings(database_url=replayed.database)) as client:
        yield client
