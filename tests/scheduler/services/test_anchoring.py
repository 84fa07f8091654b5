"""Checkpoints are handed out by themselves, and the log is held against them and its key."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from api.cli import run
from scheduler.clock import SimulatedClock
from scheduler.errors import FeedError, LedgerMismatch
from scheduler.services.audit import keep_checkpoint, signing_key
from scheduler.services.context import Context
from scheduler.settings import Settings
from tests.scheduler.ledger.builders import deposit

NIGHT = datetime(2016, 12, 19, 18, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a ledger, where its host works."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "kept").mkdir()
    return tmp_path


def _keep(place: str, block: str) -> dict[str, Any]:
    settings = Settings(checkpoint_place=place)
    with Context(settings, clock=SimulatedClock(NIGHT)) as context:
        with context.ledger.begin() as tx:
            deposit(tx, block, 1024)
        return keep_checkpoint(context)


def _verify(monkeypatch: pytest.MonkeyPatch, **settings: str) -> int:
    for name, value in settings.items():
        monkeypatch.setenv(f"SKYTRUNK_{name.upper()}", value)
    return run(["ledger", "verify"])


def test_the_newest_checkpoint_is_found_and_the_log_held_against_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = [_keep("kept", name) for name in ("one", "two")]
    assert [one["handed_out"] for one in done] == ["kept", "kept"]
    newest = max((folder / "kept").iterdir())
    assert newest.read_text() == done[-1]["signed"] + "\n"
    assert _verify(monkeypatch, checkpoint_place="kept") == 0
    body = json.loads(newest.read_text())
    newest.write_text(json.dumps(body | {"root": "00" * 32}))
    assert _verify(monkeypatch, checkpoint_place="kept") != 0
    for path in (folder / "kept").iterdir():
        path.unlink()
    assert _verify(monkeypatch, checkpoint_place="kept") != 0


def test_another_signing_key_than_the_one_named_is_a_problem(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _keep("kept", "one")
    with Context(Settings()) as context:
        key = signing_key(context)["public_key"]
    assert run(["ledger", "public-key"]) == 0
    assert _verify(monkeypatch, log_public_key=key) == 0
    assert _verify(monkeypatch, log_public_key="00" * 32) != 0
    with (
        Context(Settings(log_public_key="00" * 32)) as context,
        pytest.raises(LedgerMismatch, match=f"signed by {key}"),
    ):
        _ = context.ledger


def test_what_could_not_be_handed_out_waits_and_is_not_lost(folder: Path) -> None:
    for block, waiting in (("one", 1), ("two", 2)):
        with pytest.raises(FeedError, match=f"FileNotFoundError; {waiting} checkpoints wait"):
            _keep("nowhere", block)
    (folder / "nowhere").mkdir()
    done = _keep("nowhere", "three")
    assert done["handed_out"] == "nowhere"
    sizes = [json.loads(path.read_text())["size"] for path in (folder / "nowhere").iterdir()]
    assert len(sizes) == 3
    _keep("nowhere", "four")
    assert len(list((folder / "nowhere").iterdir())) == 4


def test_one_instant_is_signed_once(folder: Path) -> None:
    settings = Settings(checkpoint_place="kept")
    with Context(settings, clock=SimulatedClock(NIGHT)) as context:
        with context.ledger.begin() as tx:
            deposit(tx, "one", 1024)
        first = keep_checkpoint(context, at=NIGHT)
        assert keep_checkpoint(context, at=NIGHT) == first
    assert len(list((folder / "kept").iterdir())) == 1


@pytest.fixture
def hook() -> Iterator[tuple[str, list[str]]]:
    """An address on this machine that answers 503 once, then 204; what it was sent."""
    sent: list[str] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(503 if len(sent) == 1 else 204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Hook)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/checkpoints", sent
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_address_that_is_away_gets_it_later(folder: Path, hook: tuple[str, list[str]]) -> None:
    place, sent = hook
    away = "http://127.0.0.1:1/checkpoints"
    with pytest.raises(FeedError, match="ConnectError; 1 checkpoints wait"):
        _keep(away, "one")
    done = _keep(place, "two")
    # The first came twice, for it was answered with 503; both are there, in their order.
    assert [json.loads(one)["size"] for one in sent] == sorted(
        json.loads(one)["size"] for one in sent
    )
    assert sent[-1] == done["signed"]
    assert len(set(sent)) == 2


def test_an_address_is_asked_again(folder: Path, hook: tuple[str, list[str]]) -> None:
    place, sent = hook
    done = _keep(place, "one")
    assert done["handed_out"] == place
    assert sent == [done["signed"]] * 2
