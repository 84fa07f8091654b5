"""SKIP: the same keys by its words, in hexadecimal, each read once."""

from __future__ import annotations

import pytest

from tests.api.kme.conftest import Caller
from tests.api.kme.inside import InsideClient


def test_two_systems_get_one_key_and_the_second_reading_finds_none(
    master: Caller, slave: Caller
) -> None:
    drawn = master.ask("GET", "/key?remoteSystemID=bank-w&size=512").json()
    assert set(drawn) == {"keyId", "key"}
    assert len(bytes.fromhex(drawn["key"])) == 64

    path = f"/key/{drawn['keyId'].upper()}?remoteSystemID=bank-e"
    first, second = slave.ask("GET", path), slave.ask("GET", path)

    assert first.json() == drawn
    assert first.headers["cache-control"] == "no-store"
    assert second.status_code == 404
    assert set(second.json()) == {"message"}


def test_a_key_has_256_bits_unless_asked_otherwise(master: Caller) -> None:
    drawn = master.ask("GET", "/key?remoteSystemID=bank-w").json()
    assert len(bytes.fromhex(drawn["key"])) == 32


def test_capabilities_name_the_caller(master: Caller) -> None:
    assert master.ask("GET", "/capabilities").json() == {
        "entropy": True, "key": True, "algorithm": "QKD", "localSystemID": "bank-e",
        "remoteSystemID": ["*"],
    }  # fmt: skip


def test_entropy_is_fresh_and_as_long_as_asked(master: Caller) -> None:
    one, other = (master.ask("GET", "/entropy?minentropy=100").json() for _ in range(2))
    assert one["minentropy"] == 104
    assert len(bytes.fromhex(one["randomStr"])) == 13
    assert one["randomStr"] != other["randomStr"]
    assert master.ask("GET", "/entropy").json()["minentropy"] == 256


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/key", 400), ("/key?remoteSystemID=", 400), ("/key?remoteSystemID=bank-e", 400),
        ("/key?remoteSystemID=nobody", 400), ("/key?remoteSystemID=bank-w&size=100", 400),
        ("/key?remoteSystemID=bank-w&size=x", 400), ("/key/xyz?remoteSystemID=bank-w", 400),
        (f"/key/{'0' * 32}?remoteSystemID=bank-w", 404), (f"/key/{'0' * 32}", 400),
        ("/entropy?minentropy=0", 400), ("/entropy?minentropy=5000", 400),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(master: Caller, path: str, status: int) -> None:
    answer = master.ask("GET", path)
    assert (answer.status_code, set(answer.json())) == (status, {"message"})


@pytest.mark.parametrize("path", ["/capabilities", "/key?remoteSystemID=bank-w", "/entropy"])
def test_nobody_else_is_answered(client: InsideClient, path: str) -> None:
    assert client.get(path).status_code == 401
    assert Caller(client, "stranger").ask("GET", path).status_code == 401
