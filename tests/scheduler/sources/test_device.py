"""Key pulled over 014 from the key managers of a link's devices: tried on our own server."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from api.cli import run
from scheduler import services
from scheduler.errors import FeedError, InputError, UnknownName
from scheduler.services.context import Context
from scheduler.sources.device import DeviceEnd, pull
from tests.api.kme.conftest import ring_context
from tests.api.kme.inside import key_manager

LINK = "link:mid--west"


@pytest.fixture
def ends(tmp_path: Path) -> Iterator[tuple[DeviceEnd, DeviceEnd]]:
    """The key managers of a device at both its ends."""
    folder = tmp_path / "device"
    folder.mkdir()
    with ring_context(folder) as context, ExitStack() as stack:
        one, other = (
            DeviceEnd(url=stack.enter_context(key_manager(context, name)), sae_id=name)
            for name in ("bank-e", "bank-w")
        )
        yield one, other


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Context]:
    """The ledger that the key is for."""
    folder = tmp_path / "network"
    folder.mkdir()
    with ring_context(folder, bits=2048) as context:
        yield context


@contextmanager
def liar(status: int, body: Any) -> Iterator[str]:
    """The address of a server that gives every request one answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def test_both_ends_give_the_same_key_and_it_is_deposited(
    network: Context, ends: tuple[DeviceEnd, DeviceEnd]
) -> None:
    before = services.pool_balances(network)[LINK]["pool"]
    answer = services.pull_keys(network, pool_id=LINK, ends=ends, number=10, size=256)
    again = services.pull_keys(network, pool_id=LINK, ends=ends, number=2, size=512)

    assert answer["bits"] == 2560
    assert again["block"] != answer["block"]
    assert services.pool_balances(network)[LINK]["pool"] == before + 2560 + 1024
    trace = services.trace_key(network, answer["block"])
    assert (trace.block.source, trace.block.simulated) == ("device", False)
    assert services.verify_ledger(network).problems == ()


def test_a_full_buffer_is_asked_before_the_device(
    network: Context, ends: tuple[DeviceEnd, DeviceEnd]
) -> None:
    nowhere = replace(ends[0], url="http://127.0.0.1:9"), ends[1]
    with pytest.raises(InputError, match="allowed: 6144 more"):
        services.pull_keys(network, pool_id=LINK, ends=nowhere, number=100, size=256)
    with pytest.raises(UnknownName):
        services.pull_keys(network, pool_id="link:no--where", ends=ends, number=1, size=256)


def test_ends_that_differ_are_not_believed(ends: tuple[DeviceEnd, DeviceEnd]) -> None:
    key_id = "6f1c8a52-6a4e-4f0e-9c1d-0d5d8f3b7a10"
    keys = [{"keys": [{"key_ID": key_id, "key": letter * 43 + "="}]} for letter in "AQ"]
    with liar(200, keys[0]) as one, liar(200, keys[1]) as other:
        with pytest.raises(FeedError, match="unequal"):
            pull(*_at(ends, one, other), number=1, size_bits=256)
        found = pull(*_at(ends, one, one), number=1, size_bits=256)
        assert found.material_a == found.material_b == bytes(32)
        assert "material" not in repr(found)
        with pytest.raises(FeedError, match="other keys"):
            pull(*_at(ends, one, one), number=2, size_bits=256)


def _at(ends: tuple[DeviceEnd, DeviceEnd], one: str, other: str) -> tuple[DeviceEnd, DeviceEnd]:
    return replace(ends[0], url=one), replace(ends[1], url=other)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (503, {"message": "empty"}), (401, {}), (200, {}), (200, []), (200, {"keys": [1]}),
        (200, {"keys": [{"key_ID": "x", "key": "QUJD"}]}), (200, {"keys": None}),
        (200, {"keys": [{"key_ID": "6f1c8a52-6a4e-4f0e-9c1d-0d5d8f3b7a10", "key": "?"}]}),
    ],
)  # fmt: skip
def test_an_answer_that_is_none_is_said_without_its_words(
    ends: tuple[DeviceEnd, DeviceEnd], status: int, body: Any
) -> None:
    with liar(status, body) as url, pytest.raises(FeedError) as error:
        pull(*_at(ends, url, url), number=1, size_bits=256)
    assert "QUJD" not in str(error.value)
    assert error.value.__cause__ is None


def test_no_server_and_no_certificate_are_said(
    ends: tuple[DeviceEnd, DeviceEnd], tmp_path: Path
) -> None:
    with pytest.raises(FeedError, match=r"127\.0\.0\.1"):
        pull(*_at(ends, "http://127.0.0.1:9", ends[1].url), number=1, size_bits=256)
    with pytest.raises(FeedError, match="certificates"):
        pull(replace(ends[0], cert=tmp_path / "none.pem"), ends[1], number=1, size_bits=256)
    with pytest.raises(InputError):
        pull(*ends, number=1, size_bits=100)


def test_the_command_pulls(
    network: Context, ends: tuple[DeviceEnd, DeviceEnd], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--database", network.settings.database_url, "--scenario", network.settings.scenario]
    for end, name in zip(ends, "ab", strict=True):
        words += [f"--url-{name}", end.url, f"--sae-{name}", end.sae_id]
    assert run(["keys", "pull", LINK, *words, "--number", "3"]) == 0
    assert "768 bits for link:mid--west" in capsys.readouterr().out
