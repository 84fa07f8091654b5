"""Size, nesting and rate: refused before anything is parsed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.problems import refusal
from api.security.guard import guarded
from api.security.limits import DEPTH_MAX, LimitedBody, Rate, depth_of
from api.security.pki import Laboratory
from tests.api.security.conftest import NOW, files_of, tls_server
from tests.api.security.test_tls import client

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=20,
)


def _depth(value: object) -> int:
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0


@given(value=JSON, ascii_only=st.booleans())
def test_the_depth_is_that_of_what_the_text_means(value: object, ascii_only: bool) -> None:
    assert depth_of(json.dumps(value, ensure_ascii=ascii_only).encode()) == _depth(value)


@given(body=st.binary(max_size=200) | st.text(alphabet='[]{}"\\a,:', max_size=200).map(str.encode))
def test_the_depth_of_anything_is_found(body: bytes) -> None:
    assert 0 <= depth_of(body) <= body.count(b"[") + body.count(b"{")


@pytest.mark.parametrize("piece", [b'"\\', b'\\"', b'"', b"[", b'["', b'{"a":', b"\\"])
def test_no_text_takes_long(piece: bytes) -> None:
    # A million bytes take some 50 ms; a search that went back would take days.
    started_s = time.process_time()
    depth_of(piece * (1_000_000 // len(piece)))

    assert time.process_time() - started_s < 5.0


class Echo:
    """Says how many bytes came; counts how often it was asked."""

    def __init__(self) -> None:
        self.count = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        self.count += 1
        size = 0
        while (message := await receive()).get("more_body", False):
            size += len(message["body"])
        size += len(message.get("body", b""))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": str(size).encode()})


@contextmanager
def limited(echo: Echo, **more: Any) -> Iterator[httpx.Client]:
    app = LimitedBody(echo, bytes_max=100, refuse=refusal, **more)

    with (
        tls_server(lifespan_and(app), None) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=10.0) as found,
    ):
        yield found


TYPED = {"content-type": "application/json; charset=utf-8"}


def _pieces(count: int) -> Iterator[bytes]:
    """A body whose length nobody says beforehand."""
    for _ in range(count):
        yield b" " * 1000


def test_a_body_is_refused_for_size_kind_or_depth_before_it_is_parsed() -> None:
    deep = b"[" * (DEPTH_MAX + 1)
    echo = Echo()
    with limited(echo) as http:
        assert http.post("/", content=b" " * 101, headers=TYPED).status_code == 413
        assert http.post("/", content=_pieces(1), headers=TYPED).status_code == 413
        assert http.post("/", content=b"{}").status_code == 415
        assert (
            http.post("/", content=b"{}", headers={"content-type": "text/plain"}).status_code == 415
        )
        assert http.post("/", data={"a": "b"}).status_code == 415
        assert http.post("/", content=deep, headers=TYPED).status_code == 400
        assert echo.count == 0
        for length in (0, 1, 100):
            assert http.post("/", content=b" " * length, headers=TYPED).text == str(length)
        assert http.get("/").text == "0"


@pytest.mark.parametrize("content", [b"x" * 20_000_000, None])
def test_twenty_megabytes_are_refused_and_the_connection_goes_on(content: bytes | None) -> None:
    echo = Echo()
    with limited(echo) as http:
        answer = http.post("/", content=content or _pieces(20_000), headers=TYPED)

        assert answer.status_code == 413
        assert "100" in answer.json()["detail"]
        assert echo.count == 0
        assert http.get("/").status_code == 200


def test_a_body_that_does_not_say_what_it_is_may_be_taken() -> None:
    with limited(Echo(), untyped=True) as http:
        assert http.post("/", content=b"{}").text == "2"
        assert (
            http.post("/", content=b"{}", headers={"content-type": "text/html"}).status_code == 415
        )


def test_a_caller_may_ask_so_often_and_not_more() -> None:
    now_s = [0.0]
    rate = Rate(2.0, lambda: now_s[0])

    assert [rate.wait_s("a") for _ in range(6)] == [0, 0, 0, 0, 1, 1]
    assert rate.wait_s("b") == 0
    now_s[0] = 0.5
    assert [rate.wait_s("a") for _ in range(2)] == [0, 1]
    now_s[0] = 100.0
    assert [rate.wait_s("a") for _ in range(5)] == [0, 0, 0, 0, 1]


@given(st.lists(st.tuples(st.floats(0.0, 2.0), st.integers(0, 2)), max_size=60))
def test_no_pattern_of_asking_beats_the_rate(asked: list[tuple[float, int]]) -> None:
    now_s = [0.0]
    rate = Rate(3.0, lambda: now_s[0])
    allowed = dict.fromkeys(range(3), 0)
    for pause_s, who in asked:
        now_s[0] += pause_s
        allowed[who] += rate.wait_s(str(who)) == 0

    assert max(allowed.values()) <= 6 + 3.0 * now_s[0] + 1e-6


def test_the_wrong_plane_is_refused_before_any_handler(laboratory: Laboratory) -> None:
    echo = Echo()
    with tls_server(
        lifespan_and(guarded(echo, requests_per_s=100.0)), files_of(laboratory)
    ) as port:
        with client(laboratory, port, laboratory.file_of("KME-A")) as kme:
            refused = kme.get("/api/v1/keys/SAE-B/status")
            assert (refused.status_code, list(refused.json())) == (401, ["message"])
            assert refused.headers["cache-control"] == "no-store"
            assert "max-age" in refused.headers["strict-transport-security"]
            assert echo.count == 0
            assert kme.get("/kmapi/versions").status_code == 200
        with client(laboratory, port, laboratory.file_of("SAE-A")) as sae:
            for path in ("/kmapi/versions", "/%6Bmapi/versions", "/kmapi/"):
                refused = sae.get(path)
                assert refused.status_code == 401
                assert refused.headers["content-type"] == "application/problem+json"
            assert echo.count == 1
            assert sae.get("/api/v1/keys/SAE-B/status").status_code == 200
            laboratory.revoke("SAE-A", NOW)
            assert sae.get("/api/v1/keys/SAE-B/status").json() == {
                "message": "the certificate was revoked; allowed: one that an authority of this"
                " server signed"
            }
    assert echo.count == 2


def test_an_application_that_asks_too_often_waits(laboratory: Laboratory) -> None:
    laboratory.issue("SAE-B", plane="application", now=NOW)
    app = lifespan_and(guarded(Echo(), requests_per_s=0.5))
    with (
        tls_server(app, files_of(laboratory)) as port,
        client(laboratory, port, laboratory.file_of("SAE-A")) as first,
        client(laboratory, port, laboratory.file_of("SAE-B")) as second,
    ):
        assert first.get("/").status_code == 200
        refused = first.get("/")
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) in {1, 2}
        assert second.get("/").status_code == 200


def lifespan_and(app: Any) -> Any:
    """The application, and the lifespan that a server asks for."""

    async def both(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            for _ in range(2):
                message = await receive()
                await send({"type": message["type"] + ".complete"})
            return
        await app(scope, receive, send)

    return both
