"""The log's head, and the leaves that wait, are those that the holder of the key wrote."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import text

from scheduler.errors import LedgerBroken, LedgerError
from scheduler.ledger import Ledger, open_ledger
from scheduler.ledger.log import merkle, sequencer
from scheduler.ledger.log.macs import LogMac
from scheduler.ledger.vault.keystore import LocalKek
from scheduler.ledger.verify.run import verify
from tests.scheduler.ledger.builders import NOON, deposit, spend

ROOT = bytes(range(32))


def _change(ledger: Ledger, statement: str, **values: object) -> None:
    with ledger._engine.connect().execution_options(ledger_writes=True) as connection:
        assert connection.execute(text(statement), values).rowcount == 1
        connection.commit()


@pytest.fixture
def unhurried(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """A ledger whose leaves nobody numbers before they are asked for."""
    monkeypatch.setattr(sequencer.Sequencer, "nudge", lambda _: None)
    return ledger


def test_keys_for_other_purposes_are_derived_as_rfc_5869_says() -> None:
    key = bytes(range(32))
    expected = HKDF(SHA256(), 32, salt=None, info=b"one").derive(key)
    assert LocalKek(key).derive(b"one") == expected
    assert LocalKek(key).derive(b"two") != expected


def test_a_mac_is_of_one_thing_under_one_key() -> None:
    mac, other = LogMac(b"one", ""), LogMac(b"two", "")
    head = mac.head(3, ROOT)
    assert mac.is_head(head, 3, ROOT)
    assert not mac.is_head(head, 4, ROOT)
    assert not mac.is_head(head, 3, merkle.EMPTY_ROOT)
    assert not other.is_head(head, 3, ROOT)
    leaf = mac.leaf("command", "1", "ab")
    assert mac.is_leaf(leaf, "command", "1", "ab")
    assert not mac.is_leaf(leaf, "command", "12", "b")
    assert not mac.is_leaf(head, "head", "3", ROOT.hex())
    for nothing in (None, 7, b"x", "", "\u00fc"):
        assert not mac.is_head(nothing, 3, ROOT)


def test_who_went_on_would_not_make_an_altered_log_a_good_one(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        deposit(tx, "one", 1024)
    ledger.number_leaves()
    forged = LogMac(b"a guess", ledger.kek_id).head(2, ROOT)
    _change(ledger, "UPDATE audit_head SET mac = :forged", forged=forged)
    if ledger._engine.dialect.name == "sqlite":
        with (
            pytest.raises(LedgerBroken, match="audit_head: the log of 2 leaves"),
            ledger.begin() as tx,
        ):
            deposit(tx, "two", 1024)
    else:
        with ledger.begin() as tx:
            deposit(tx, "two", 1024)
        with pytest.raises(LedgerBroken, match="audit_head: the log of 2 leaves"):
            ledger.number_leaves()
    assert any(problem.startswith("audit_head") for problem in ledger.view.verify().problems)


def test_a_waiting_leaf_made_without_the_key_is_never_numbered(unhurried: Ledger) -> None:
    if unhurried._engine.dialect.name == "sqlite":
        pytest.skip("none waits on SQLite")
    with unhurried.begin() as tx:
        deposit(tx, "one", 1024)
    _change(
        unhurried,
        "UPDATE audit_waiting SET row_sha256 = :forged WHERE kind = 'command'",
        forged="ab" * 32,
    )
    with pytest.raises(LedgerBroken, match=r"audit_waiting \d+ \(command 1\)"):
        unhurried.number_leaves()
    assert any(problem.startswith("audit_waiting") for problem in unhurried.view.verify().problems)


def test_without_the_key_nothing_is_said_of_the_head(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        deposit(tx, "one", 1024)
    ledger.number_leaves()
    _change(ledger, "UPDATE audit_head SET mac = 'x'")
    with ledger.view.read() as reader:
        assert verify(reader.connection, None).problems == ()
    assert len(ledger.view.verify().problems) == 1


def test_a_rotation_authenticates_the_log_anew(unhurried: Ledger) -> None:
    with unhurried.begin() as tx:
        deposit(tx, "one", 4096)
    unhurried.rotate_kek(LocalKek(os.urandom(32)))
    assert unhurried.view.verify().problems == ()
    spend(unhurried, "s", 256)
    unhurried.checkpoint(NOON)
    assert unhurried.view.verify().problems == ()


def test_a_process_that_missed_a_rotation_writes_nothing(
    ledger: Ledger, store_url: str, kek: LocalKek, tmp_path: Path
) -> None:
    folder = ledger._ring.files._folder  # type: ignore[attr-defined]
    with ledger.begin() as tx:
        deposit(tx, "one", 4096)
    with open_ledger(store_url, kek=kek, key_folder=folder) as late:
        ledger.rotate_kek(LocalKek(os.urandom(32)))
        with pytest.raises(LedgerError), late.begin() as tx:
            tx.command("late", kind="test", at=NOON, digest="").finish({})
    assert ledger.view.verify().problems == ()
