"""Changes as they happen, over a stream that can be taken up again."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from scheduler import services
from scheduler.services.context import Context
from scheduler.settings import Settings, load_settings
from tests.api.conftest import serving

DAYS = {"from": "2030-01-01", "to": "2030-01-02"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    found = load_settings(database_url=f"sqlite:///{tmp_path / 'skytrunk.db'}")
    with Context(found) as context:
        services.add_outage(
            context,
            kind="station",
            name="nanshan",
            start=datetime(2030, 1, 1, tzinfo=UTC),
            end=datetime(2030, 1, 2, tzinfo=UTC),
        )
    return found


def _events(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """The events of a stream, written apart from the writer (WHATWG HTML, 9.2.6)."""
    fields: dict[str, str] = {}
    for line in lines:
        if not line:
            if "data" in fields:
                yield {"id": int(fields["id"]), **json.loads(fields["data"])}
            fields = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")


def _all(http: httpx.Client, **headers: str) -> list[dict[str, Any]]:
    answer = http.get("/events", params={"follow": "false", "after": 0}, headers=headers)
    assert answer.headers["content-type"].startswith("text/event-stream")
    return list(_events(iter(answer.text.split("\n"))))


def test_the_stream_is_the_log_and_can_be_taken_up_anywhere(settings: Settings) -> None:
    with serving(settings) as http:
        whole = _all(http)
        numbers = [one["id"] for one in whole]

        assert numbers == list(range(1, len(whole) + 1))
        assert "outage" in {one["kind"] for one in whole}
        for place in numbers:
            assert _all(http, **{"Last-Event-ID": str(place)}) == whole[place:]
        assert http.head("/events").content == b""
        wrong = http.get("/events", headers={"Last-Event-ID": "x"})
        assert wrong.status_code == 422


def test_a_change_is_told_while_somebody_listens(settings: Settings) -> None:
    with serving(settings) as http, http.stream("GET", "/events") as stream:
        told = _events(stream.iter_lines())
        made = httpx.post(
            f"{http.base_url}/outages", json={"kind": "station", "name": "xinglong", **DAYS}
        )
        assert made.status_code == 201
        found = next(one for one in told if one["kind"] == "outage")

        assert "xinglong" in found["subject"]


def test_a_server_that_stops_ends_its_streams(settings: Settings) -> None:
    with serving(settings) as http:
        begun_s = time.monotonic()
        stream = http.send(http.build_request("GET", "/events"), stream=True)
    # `serving` joined the server's thread; a stream that went on would have held it up.
    assert time.monotonic() - begun_s < 20.0
    stream.close()


def test_without_a_ledger_nothing_happens(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'none.db'}"
    with serving(load_settings(database_url=url)) as http:
        assert _all(http) == []
