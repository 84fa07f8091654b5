"""Proofs, checkpoints and exports that somebody made up end in a clear error, never a crash."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from scheduler.errors import ProofInvalid
from scheduler.ledger import Ledger
from scheduler.ledger.log import checkpoints, trail
from scheduler.ledger.verify.export import verify_lines
from scheduler.services.audit import PROOF_FORMAT, check_proof
from tests.scheduler.ledger.builders import NOON
from tests.scheduler.ledger.filled import fill, fill_more

NO_VALUES = (None, [1], {"a": 1}, 1.5, True, 10**30, -1, "\0", "Ä" * 9)
DEEP = "[" * 100_000


@pytest.mark.parametrize("shown", ["inclusion", "consistency"])
def test_a_made_up_proof_or_checkpoint_is_refused(sqlite_ledger: Ledger, shown: str) -> None:
    fill(sqlite_ledger)
    older = checkpoints.checkpoint_text(sqlite_ledger.checkpoint(NOON))
    newer = checkpoints.checkpoint_text(sqlite_ledger.checkpoint(NOON))
    size = checkpoints.read_checkpoint(newer).size
    with sqlite_ledger.view.read() as reader:
        proof = (
            asdict(trail.inclusion_of_row(reader.connection, "command", "1", size=size))
            if shown == "inclusion"
            else asdict(trail.consistency(reader.connection, size - 1, size=size))
        )
    proof |= {"format": PROOF_FORMAT, "proof": shown}
    text = json.dumps(proof)
    check_proof(text, newer, older=older, public_key=None)
    for field in proof.keys() - {"proof"}:
        for value in NO_VALUES:
            with pytest.raises(ProofInvalid):
                check_proof(json.dumps(proof | {field: value}), newer, older=older, public_key=None)
    signed = json.loads(newer)
    for field in signed:
        for value in NO_VALUES:
            forged = json.dumps(signed | {field: value})
            with pytest.raises(ProofInvalid):
                check_proof(text, forged, older=older, public_key=None)
    for bad in (DEEP, "null", "7", '"x"', "[]", "{}"):
        with pytest.raises(ProofInvalid, match="not a proof"):
            check_proof(bad, newer, older=older, public_key=None)
        with pytest.raises(ProofInvalid, match="not a checkpoint"):
            check_proof(text, bad, older=older, public_key=None)
    with pytest.raises(ProofInvalid, match="size is '-1'; allowed: 0 to"):
        check_proof(json.dumps(proof | {"size": -1}), newer, older=older, public_key=None)


@pytest.mark.walks
def test_no_value_in_an_export_makes_its_check_crash(sqlite_ledger: Ledger) -> None:
    """Two thousand checks of a whole export take half a minute."""
    fill(sqlite_ledger)
    lines = list(sqlite_ledger.view.export_lines())
    seen = set()
    for place, line in enumerate(lines):
        row = json.loads(line)
        if row["table"] in seen:
            continue
        seen.add(row["table"])
        for field in row:
            for value in (None, [1], {"a": 1}, 1.5, "x", 7):
                if row[field] == value:
                    continue
                forged = json.dumps(row | {field: value})
                verify_lines([*lines[:place], forged, *lines[place + 1 :]])


def test_no_line_of_an_export_makes_its_check_crash(sqlite_ledger: Ledger) -> None:
    fill(sqlite_ledger)
    lines = list(sqlite_ledger.view.export_lines())
    for bad in (DEEP, "null", '{"table":["a"]}', '{"table":"x"}', '{"table":"pool","id":[1]}'):
        problems = verify_lines([*lines[:-1], bad, lines[-1]]).problems
        assert any(problem.startswith(f"line {len(lines)} ") for problem in problems), problems


def test_a_row_twice_or_without_its_owner_is_named(sqlite_ledger: Ledger) -> None:
    fill(sqlite_ledger)
    fill_more(sqlite_ledger)
    lines = list(sqlite_ledger.view.export_lines())
    assert verify_lines(lines).problems == ()
    for place, line in enumerate(lines[1:-1], start=1):
        table = json.loads(line)["table"]
        problems = verify_lines([*lines[:place], line, *lines[place:]]).problems
        assert any(f"line {place + 2} ({table}) is there before" in one for one in problems)
    for table, owner in (
        ("account", "pool"),
        ("freed_range", "block"),
        ("booking_event", "booking"),
    ):
        left = [line for line in lines if f'"table":"{owner}"' not in line]
        problems = verify_lines(left).problems
        assert any(one.startswith(f"{table}: names {owner} ") for one in problems), problems
