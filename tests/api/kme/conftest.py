"""The doors for key on a ring of four nodes; who calls stands in a header, here alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from api.kme import build_app
from api.security.certificates import Peer
from scheduler.clock import SimulatedClock
from scheduler.entropy import KeyedEntropy
from scheduler.errors import NotAllowed
from scheduler.services.context import Context
from scheduler.settings import load_settings
from tests.api.kme.inside import InsideClient
from tests.scheduler.services.nights import NIGHT
from tests.scheduler.services.ring import TEXT, give_link_key, register

CALLER, PLANE = "x-test-caller", "x-test-plane"
ClientOf = Callable[[str], InsideClient]


def peer_of(scope: Mapping[str, Any]) -> Peer:
    """Who calls, as a header says it: what the TLS layer finds out is tested elsewhere."""
    headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
    if CALLER not in headers:
        raise NotAllowed("no client certificate")
    plane = headers.get(PLANE, "application")
    return Peer(name=headers[CALLER], plane=plane, serial="1")  # type: ignore[arg-type]


@contextmanager
def ring_context(folder: Path, *, bits: int = 262_144, **more: Any) -> Iterator[Context]:
    """A context on a new ledger with key on every link and every entity registered."""
    scenario = folder / "ring.toml"
    scenario.write_text(TEXT, encoding="utf-8")
    where = {"database_url": f"sqlite:///{folder / 'ledger.db'}", "scenario": str(scenario)}
    settings = load_settings(**{**where, **more})
    with Context(settings, clock=SimulatedClock(NIGHT), entropy=KeyedEntropy(1)) as context:
        give_link_key(context, "first", bits)
        register(context)
        yield context


@pytest.fixture
def context(tmp_path: Path) -> Iterator[Context]:
    with ring_context(tmp_path) as made:
        yield made


@pytest.fixture
def client(context: Context) -> Iterator[InsideClient]:
    """A client that nobody has presented yet."""
    with InsideClient(build_app(context, peer_of=peer_of)) as made:
        yield made


class Caller:
    """One application at the door."""

    def __init__(self, client: InsideClient, name: str) -> None:
        self.client, self.name = client, name

    def ask(self, method: str, path: str, **more: Any) -> Any:
        """One request under this name."""
        headers = {CALLER: self.name, **more.pop("headers", {})}
        return self.client.request(method, path, headers=headers, **more)

    def enc(self, other: str, body: Any = None, **query: Any) -> Any:
        """enc_keys: by POST with a body, else by GET."""
        path = f"/api/v1/keys/{other}/enc_keys"
        if body is None:
            return self.ask("GET", path, params=query)
        return self.ask("POST", path, json=body)

    def dec(self, other: str, ids: list[str]) -> Any:
        """dec_keys by POST."""
        body = {"key_IDs": [{"key_ID": one} for one in ids]}
        return self.ask("POST", f"/api/v1/keys/{other}/dec_keys", json=body)


@pytest.fixture
def master(client: InsideClient) -> Caller:
    return Caller(client, "bank-e")


@pytest.fixture
def slave(client: InsideClient) -> Caller:
    return Caller(client, "bank-w")
