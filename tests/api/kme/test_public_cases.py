"""The 27 behaviours that a public suite for ETSI GS QKD 014 asks of a server, in tests of our own.

Twenty-six hold. The other is an empty list of additional slaves, which that suite wants refused and
a real encryptor sends: it is taken for an absent one.
"""

from __future__ import annotations

from base64 import b64decode
from typing import Any
from uuid import uuid4

import pytest

from tests.api.kme.conftest import Caller
from tests.api.kme.inside import InsideClient

METHODS = pytest.mark.parametrize("method", ["GET", "POST"])
NO_COUNTS = pytest.mark.parametrize("text", ["0", "-8", "abc01"])


def draw(master: Caller, method: str, other: str = "bank-w", **asked: Any) -> Any:
    """enc_keys: what is asked for in the query, or in the body."""
    path = f"/api/v1/keys/{other}/enc_keys"
    return master.ask(method, path, **{"params" if method == "GET" else "json": asked or None})


def collect(slave: Caller, method: str, keys: list[dict[str, Any]], other: str = "bank-e") -> Any:
    """dec_keys: the first id in the query, or what the master was given in the body as it came."""
    path = f"/api/v1/keys/{other}/dec_keys"
    if method == "GET":
        return slave.ask("GET", path, params={"key_ID": keys[0]["key_ID"]})
    return slave.ask("POST", path, json={"key_IDs": keys})


def keys_of(answer: Any) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    keys: list[dict[str, Any]] = answer.json()["keys"]
    return keys


def is_refused(answer: Any, status: int = 400) -> bool:
    """Whether an answer has that status, and a message for a body."""
    return bool(answer.status_code == status and isinstance(answer.json().get("message"), str))


def number(text: str) -> int | str:
    """As JSON has it; a word where it is no number."""
    return int(text) if text.lstrip("-").isdigit() else text


@METHODS
def test_the_slave_collects_what_the_master_drew(
    master: Caller, slave: Caller, method: str
) -> None:
    drawn = keys_of(draw(master, method))

    assert keys_of(collect(slave, method, drawn)) == drawn


@METHODS
def test_whoever_was_not_named_collects_nothing(
    client: InsideClient, master: Caller, method: str
) -> None:
    drawn = keys_of(draw(master, method, number=1))

    assert is_refused(collect(Caller(client, "bank-w2"), method, drawn), 401)


@METHODS
def test_an_additional_slave_collects_the_same_key(
    client: InsideClient, master: Caller, method: str
) -> None:
    drawn = keys_of(draw(master, "POST", number=1, additional_slave_SAE_IDs=["bank-w2"]))

    assert keys_of(collect(Caller(client, "bank-w2"), method, drawn)) == drawn


@METHODS
def test_without_wishes_it_is_one_key_of_the_size_that_status_tells(
    master: Caller, method: str
) -> None:
    size_bits = master.ask("GET", "/api/v1/keys/bank-w/status").json()["key_size"]

    (key,) = keys_of(draw(master, method))

    assert 8 * len(b64decode(key["key"], validate=True)) == size_bits


@pytest.mark.parametrize("member", ["size", "number"])
@NO_COUNTS
def test_no_size_and_no_number_is_400(master: Caller, member: str, text: str) -> None:
    assert is_refused(draw(master, "GET", **{member: text}))
    assert is_refused(draw(master, "POST", **{member: number(text)}))


@pytest.mark.parametrize("names", [["other", " "], ["bank-w2", "bank-w2"], ["bank-w"], ["bank-e"]])
def test_additional_slaves_are_possible_different_and_others(
    master: Caller, names: list[str]
) -> None:
    assert is_refused(draw(master, "POST", additional_slave_SAE_IDs=names))


def test_no_additional_slaves_are_none(master: Caller) -> None:
    assert len(keys_of(draw(master, "POST", additional_slave_SAE_IDs=[]))) == 1


@pytest.mark.parametrize("name", ["%20", "bank-e"])
def test_a_name_in_the_path_is_possible_and_somebody_elses(master: Caller, name: str) -> None:
    some = [{"key_ID": str(uuid4())}]

    for method in ("GET", "POST"):
        assert is_refused(draw(master, method, name))
        assert is_refused(collect(master, method, some, name))


def test_a_key_id_is_a_uuid(slave: Caller) -> None:
    for method in ("GET", "POST"):
        assert is_refused(collect(slave, method, [{"key_ID": "non-uuid"}]))


@METHODS
def test_as_many_keys_come_as_were_asked_for(master: Caller, method: str) -> None:
    assert len(keys_of(draw(master, method, number=5))) == 5


@METHODS
def test_a_key_is_base64_of_the_size_asked_for(master: Caller, method: str) -> None:
    keys = keys_of(draw(master, method, number=1 if method == "GET" else 3, size=1024))

    assert {8 * len(b64decode(key["key"], validate=True)) for key in keys} == {1024}


def test_status_names_the_two(master: Caller) -> None:
    status = master.ask("GET", "/api/v1/keys/bank-w/status").json()

    assert (status["master_SAE_ID"], status["slave_SAE_ID"]) == ("bank-e", "bank-w")
    counts = [value for value in status.values() if isinstance(value, int)]
    assert len(counts) == 7
    assert all(0 <= one < 2**31 for one in counts)
