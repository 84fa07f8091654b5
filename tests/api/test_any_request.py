"""Whatever is asked of the management API: never a 5xx, never a status that it did not announce."""

from __future__ import annotations

import multiprocessing.spawn
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.app import create_app
from scheduler.settings import load_settings
from tests.api.conftest import Replayed, serving

EXAMPLES = int(os.environ.get("SKYTRUNK_BENCH_BODIES", "150")) // 10
"""Requests of each operation; `make faults` asks for more."""

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def written(replayed: Replayed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A server on a copy of the replayed ledger, which the requests may change."""
    folder: Path = tmp_path_factory.mktemp("any")
    for name in replayed.folder.iterdir():
        if name.name.startswith("replay.db"):
            _copy(name, folder / name.name)
    settings = load_settings(
        database_url=f"sqlite:///{folder / 'replay.db'}", replays_folder=folder / "replays"
    )
    with pytest.MonkeyPatch.context() as patch, serving(settings) as client:
        # Replays are asked for, and begin nothing. Pools of processes keep this interpreter: theirs
        # is looked up once, at the first import.
        assert multiprocessing.spawn.get_executable() == os.fsencode(sys.executable)
        patch.setattr("sys.executable", "/bin/true")
        yield client


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        target.mkdir(mode=0o700)
        for inner in source.iterdir():
            _copy(inner, target / inner.name)
    else:
        target.write_bytes(source.read_bytes())
        target.chmod(source.stat().st_mode & 0o777)


OPERATIONS = {
    operation.label: operation
    for operation in (
        result.ok()
        for result in schemathesis.openapi.from_dict(
            create_app(load_settings()).openapi()
        ).get_all_operations()
    )
}


@pytest.mark.slow
@pytest.mark.parametrize("label", sorted(OPERATIONS))
def test_any_request_gets_an_answer_that_was_announced(written: httpx.Client, label: str) -> None:
    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=OPERATIONS[label].as_strategy())
    def any_request(case: Any) -> None:
        if label == "GET /events":  # which would never end
            case.query = {**(case.query or {}), "follow": "false"}
        answer = case.call(base_url=str(written.base_url), timeout=60)
        # That all is not well is a documented answer of the route that tells it.
        unwell = label == "GET /ready" and answer.status_code == 503
        checks = [one for one in CHECKS if not (unwell and one is not_a_server_error)]
        case.validate_response(answer, checks=checks)

    any_request()


def test_a_stream_of_changes_is_as_it_was_announced(written: httpx.Client) -> None:
    case = OPERATIONS["GET /events"].Case(query={"follow": "false"}, headers={"Last-Event-ID": "0"})

    answer = case.call(base_url=str(written.base_url), timeout=60)

    assert answer.text.count("event: change") > 1
    case.validate_response(answer, checks=CHECKS)


def test_every_post_takes_json_alone_and_no_more_than_it_should(written: httpx.Client) -> None:
    document = written.get("/openapi.json").json()
    posts = [path for path, methods in document["paths"].items() if "post" in methods]

    assert posts
    for path in posts:
        place = path.replace("{booking_id}", "0" * 8 + "-0000-4000-8000-" + "0" * 12)
        typed = {"content-type": "application/json"}
        assert written.post(place, content=b"{}").status_code == 415
        assert written.post(place, data={"a": "b"}).status_code == 415
        assert written.post(place, content=b"x" * 20_000_000, headers=typed).status_code == 413
        assert written.post(place, content=b"[" * 100_000, headers=typed).status_code == 400
        wrong = written.put(place, json={})
        assert (wrong.status_code, "POST" in wrong.headers["allow"]) == (405, True)
        answers = document["paths"][path]["post"]["responses"]
        assert {"400", "401", "403", "413", "415", "422", "429", "500"} <= set(answers)


def test_head_says_what_get_says(written: httpx.Client) -> None:
    for path in ("/health", "/satellites", "/openapi.json", "/docs", "/nowhere"):
        asked, told = written.head(path), written.get(path)
        assert asked.status_code == told.status_code
        assert asked.content == b""
        if path != "/health":  # which tells the time
            assert asked.headers["content-length"] == told.headers["content-length"]
