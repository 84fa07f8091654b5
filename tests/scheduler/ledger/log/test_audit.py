"""The audit log: proofs, checkpoints, exports, and who tampers being named."""

from __future__ import annotations

import dataclasses
import json
from contextlib import suppress
from datetime import timedelta

import pytest

from scheduler.errors import LedgerError, ProofInvalid
from scheduler.ledger import Ledger, open_ledger, open_view
from scheduler.ledger.books.bookings import add_booking
from scheduler.ledger.keys.tracing import trace_block
from scheduler.ledger.log import checkpoints, trail
from scheduler.ledger.log.tables import row_digest
from scheduler.ledger.records import Checkpoint
from scheduler.ledger.vault.keystore import LocalKek
from scheduler.ledger.verify.export import verify_lines
from tests.scheduler.ledger.builders import NOON, booking, chain, deposit, relay, spend, take_job
from tests.scheduler.ledger.filled import NODES, fill
from tests.scheduler.ledger.verify.changes import change, problems_after


def test_every_change_has_a_leaf_in_its_own_transaction(ledger: Ledger) -> None:
    with ledger.view.read() as reader:
        assert trail.head(reader.connection)[0] == 0
    with ledger.begin() as tx:
        deposit(tx, "one", 256)
        add_booking(tx, booking("b", 0, 100))
    ledger.number_leaves()
    with ledger.view.read() as reader:
        size, _ = trail.head(reader.connection)
        assert size == 4  # booking, its first event, pool, command
        for kind, subject in (
            ("command", "1"),
            ("booking_event", f"{booking('b', 0, 1).booking_id}/1"),
        ):
            assert trail.inclusion_of_row(reader.connection, kind, subject).subject == subject
        with pytest.raises(ProofInvalid, match="no leaf about command 2"):
            trail.inclusion_of_row(reader.connection, "command", "2")


def test_an_undone_transaction_leaves_no_leaf(ledger: Ledger) -> None:
    def undone() -> None:
        with ledger.begin() as tx:
            deposit(tx, "one", 256)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        undone()
    with ledger.view.read() as reader:
        assert trail.head(reader.connection)[0] == 0


def test_proofs_lead_from_a_row_to_a_checkpoint_and_on_to_the_next(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        for number in range(5):
            deposit(tx, f"b{number}", 256)
    old = ledger.checkpoint(NOON)
    with ledger.begin() as tx:
        for number in range(5, 12):
            deposit(tx, f"b{number}", 256)
    new = ledger.checkpoint(NOON + timedelta(hours=1))
    with ledger.view.read() as reader:
        assert trail.checkpoints(reader.connection) == [old, new]
        early = trail.inclusion_of_row(reader.connection, "command", "2", size=old.size)
        late = trail.inclusion_of_row(reader.connection, "command", "2", size=new.size)
        growth = trail.consistency(reader.connection, old.size, size=new.size)
    checkpoints.check_inclusion(early, old)
    checkpoints.check_inclusion(late, new)
    checkpoints.check_consistency(growth, old, new)
    with pytest.raises(ProofInvalid):
        checkpoints.check_inclusion(dataclasses.replace(late, row_sha256="00" * 32), new)
    with pytest.raises(ProofInvalid):
        checkpoints.check_inclusion(early, new)
    with pytest.raises(ProofInvalid):
        checkpoints.check_consistency(growth, old, dataclasses.replace(new, root=old.root))
    assert ledger.view.verify().problems == ()


def test_a_checkpoint_survives_the_journey_and_nothing_else_does(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        deposit(tx, "one", 256)
    signed = ledger.checkpoint(NOON)
    text = checkpoints.checkpoint_text(signed)
    assert checkpoints.read_checkpoint(text) == signed
    checkpoints.check_signature(signed, public_key=signed.public_key)
    for field, value in (
        ("size", 3),
        ("root", "00" * 32),
        ("at", NOON + timedelta(seconds=1)),
        ("signature", "00" * 64),
        ("key_id", "0" * 16),
        ("public_key", "zz"),
    ):
        with pytest.raises(ProofInvalid, match="checkpoint of size"):
            checkpoints.check_signature(dataclasses.replace(signed, **{field: value}))
    with pytest.raises(ProofInvalid, match="under"):
        checkpoints.check_signature(signed, public_key="11" * 32)
    for untrusted in ("", " ", "zz", "11" * 31, "11" * 33, " ".join(["11"] * 32)):
        with pytest.raises(ProofInvalid, match="allowed: 64 hex digits"):
            checkpoints.check_signature(signed, public_key=untrusted)
    for bad in ("{}", "[]", "no json", text.replace("/1", "/9")):
        with pytest.raises(ProofInvalid, match="not a checkpoint"):
            checkpoints.read_checkpoint(bad)


def test_an_export_is_checked_without_the_database(ledger: Ledger) -> None:
    fill(ledger)
    signed = ledger.checkpoint(NOON)
    report = verify_lines(
        ledger.view.export_lines(), checkpoint=signed, public_key=signed.public_key
    )
    with ledger.view.read() as reader:
        assert (report.size, report.root) == trail.head(reader.connection)
    assert report.problems == ()


def _change_line(lines: list[str], table: str, **values: object) -> list[str]:
    """The export with one row of a table changed."""
    done = False
    result = []
    for line in lines:
        row = json.loads(line)
        if row["table"] == table and not done:
            row |= values
            done = True
        result.append(json.dumps(row, sort_keys=True, separators=(",", ":")))
    assert done
    return result


@pytest.mark.parametrize(
    ("table", "values", "named"),
    [
        ("ledger_entry", {"amount_bits": 8}, "ledger_entry 1"),
        ("account", {"balance_bits": 8}, "account 1"),
        ("block", {"source": "device"}, "block"),
        ("command", {"answer": "{}"}, "command 1"),
        ("booking", {"station_id": "eve"}, "booking"),
        ("announcement", {"relay": "eve"}, "announcement"),
        ("announcement_part", {"end_bit": 8}, "announcement"),
        ("audit_leaf", {"row_sha256": "00" * 32}, "not as the audit log has it"),
        ("audit_leaf", {"seq": 7}, "audit_leaf 0 is missing"),
        ("audit_root", {"root": "00" * 32}, "audit_root"),
        ("header", {"format": "other"}, "does not begin"),
        ("run_fact", {"value": "2"}, "run_fact seed"),
    ],
)
def test_a_changed_export_is_found(
    ledger: Ledger, table: str, values: dict[str, object], named: str
) -> None:
    fill(ledger)
    lines = _change_line(list(ledger.view.export_lines()), table, **values)
    problems = verify_lines(lines).problems
    assert any(named in problem for problem in problems), problems


def test_lines_that_are_no_rows_are_named() -> None:
    problems = verify_lines(["nothing", '{"table":"block"}']).problems
    assert "line 1 is no row of an export" in problems
    assert any(problem.startswith("line 2 (block) lacks") for problem in problems)


def _rewrite(ledger: Ledger, *, left_out: str = "") -> None:
    """What an intruder with the database, but not the signing key, would do: all hashes anew."""
    from sqlalchemy import delete, func, select, update

    from scheduler.ledger.log import merkle
    from scheduler.ledger.log.macs import LogMac
    from scheduler.ledger.log.trail import add_leaves, lock_head
    from scheduler.ledger.schema import AuditHead, AuditLeaf, AuditNode, RunFact

    with suppress(LedgerError):  # of a log made anew before
        ledger.number_leaves()  # or whoever numbers them is in the way
    with ledger._engine.connect().execution_options(ledger_writes=True) as connection:
        row = connection.execute(select(*RunFact.__table__.c)).mappings().one()
        changed = dict(row) | {"value": '"forged"'}
        digest = row_digest("run_fact", changed)
        connection.execute(update(RunFact).values(value='"forged"', sha256=digest))
        leaves = connection.execute(
            select(AuditLeaf.kind, AuditLeaf.subject, AuditLeaf.row_sha256)
            .where(AuditLeaf.kind != left_out)
            .order_by(AuditLeaf.seq)
        ).all()
        connection.execute(delete(AuditLeaf))
        connection.execute(delete(AuditNode))
        guessed = LogMac(b"a guess", ledger.kek_id)
        start = {"size": 0, "mac": guessed.head(0, merkle.EMPTY_ROOT)}
        connection.execute(update(AuditHead).values(start))
        forged = [(k, s, digest if k == "run_fact" else sha256) for k, s, sha256 in leaves]
        add_leaves(connection, lock_head(connection), forged, guessed)
        assert connection.execute(select(func.count()).select_from(AuditLeaf)).scalar() == len(
            leaves
        )
        connection.commit()


def test_a_full_rewrite_is_found_against_a_checkpoint(ledger: Ledger) -> None:
    fill(ledger)
    signed = ledger.checkpoint(NOON)
    _rewrite(ledger)
    stored, head, count = ledger.view.verify().problems
    assert f"audit_checkpoint 1: of size {signed.size}: signed root" in stored
    assert "was not written under key-encryption key" in head
    assert f"is another than the one that had {signed.size + 1} leaves" in count
    change(ledger, "DELETE FROM audit_checkpoint")
    assert ledger.view.verify().problems == (
        "audit_checkpoint 1 is missing, the audit log has it",
        head,
        count,
    )
    # With its leaf gone too, head and counter tell, and the checkpoint that was kept elsewhere.
    _rewrite(ledger, left_out="checkpoint")
    head, count = ledger.view.verify().problems
    assert "audit_head: the log of" in head
    assert count.startswith("counter: ")
    (problem,) = verify_lines(ledger.view.export_lines(), checkpoint=signed).problems
    assert "it was rewritten" in problem


def test_a_truncated_log_is_found_against_a_checkpoint(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        take_job(tx, "merge", NOON)
    kept = list(ledger.view.export_lines())
    with ledger.begin() as tx:
        take_job(tx, "merge", NOON + timedelta(hours=1))
    signed = ledger.checkpoint(NOON)
    assert verify_lines(kept).problems == ()
    (problem,) = verify_lines(kept, checkpoint=signed).problems
    assert "checkpoint of size 4, the export's log has 2" in problem


def test_an_empty_ledger_can_be_signed(ledger: Ledger) -> None:
    signed: Checkpoint = ledger.checkpoint(NOON)
    assert signed.size == 0
    assert verify_lines(ledger.view.export_lines(), checkpoint=signed).ok
    assert ledger.view.verify().problems == ()


CHECKPOINT_CHANGES = [
    ("DELETE FROM audit_checkpoint", "audit_checkpoint 3 is missing, the audit log has it"),
    ("DELETE FROM audit_checkpoint WHERE id = 1", "audit_checkpoint 1 is missing"),
    ("DELETE FROM audit_checkpoint WHERE id = 3", "audit_checkpoint 3 is missing"),
    ("UPDATE audit_checkpoint SET id = 9 WHERE id = 3", "audit_checkpoint 3 is missing"),
    ("UPDATE audit_checkpoint SET size = size + 1 WHERE id = 2", "audit_checkpoint 2"),
    ("UPDATE audit_checkpoint SET root = 'x' WHERE id = 2", "audit_checkpoint 2"),
    ("UPDATE audit_checkpoint SET signature = 'x' WHERE id = 2", "audit_checkpoint 2"),
    ("UPDATE audit_checkpoint SET key_id = 'x' WHERE id = 2", "its key x is not there"),
    ("UPDATE audit_checkpoint SET at = '2030-01-01 00:00:00' WHERE id = 2", "audit_checkpoint 2"),
    ("UPDATE audit_key SET public_key = 'x'", "audit_checkpoint 1: "),
    ("DELETE FROM audit_key", "audit_key: no signing key is there"),
    ("DELETE FROM audit_leaf WHERE kind = 'checkpoint'", "log is not about it"),
    ("UPDATE audit_leaf SET subject = '7' WHERE subject = '3' AND kind = 'checkpoint'", "7 is mis"),
]


def test_a_checkpoint_cannot_change_or_go_unseen(ledger: Ledger) -> None:
    fill(ledger)
    for hour in range(3):
        ledger.checkpoint(NOON + timedelta(hours=hour))
    with ledger.view.read() as reader:
        assert [signed.size + 1 for signed in trail.checkpoints(reader.connection)][
            -1
        ] == trail.head(reader.connection)[0]
    assert ledger.view.verify().problems == ()
    for statement, named in CHECKPOINT_CHANGES:
        problems = problems_after(ledger, statement)
        assert any(named in problem for problem in problems), (statement, problems)


@pytest.mark.parametrize("emptied", [1, 4])
def test_a_ledger_whose_audit_tables_were_emptied_is_not_signed_anew(
    store_url: str, kek: LocalKek, emptied: int
) -> None:
    with open_ledger(store_url, kek=kek) as ledger:
        fill(ledger)
        ledger.checkpoint(NOON)
        for table in ("audit_key", "audit_checkpoint", "audit_leaf", "audit_node")[:emptied]:
            change(ledger, f"DELETE FROM {table}")
        change(ledger, "UPDATE command SET answer = '{}' WHERE id = 1")
    with pytest.raises(LedgerError, match="audit tables were emptied"):
        open_ledger(store_url, kek=kek)
    with open_view(store_url, kek=kek) as view:
        assert any("audit_key: no signing key" in problem for problem in view.verify().problems)


def test_a_trace_leads_from_end_to_end_key_to_its_sources(ledger: Ledger) -> None:
    from tests.scheduler.ledger.builders import uuid_of

    with ledger.begin() as tx:
        for link in chain(NODES):
            deposit(tx, f"span/{link.pool_id}", 1024, pool=link)
        relay(tx, "tick", NODES, 512)
    with ledger.view.read() as reader:
        trace = trace_block(reader, uuid_of("tick/pair"))
    assert trace.command.kind == "merge"
    assert [source.block.natural_key for source in trace.sources] == [
        f"span/{link.pool_id}" for link in chain(NODES)
    ]
    assert [chunk.length_bits for chunk in trace.chunks] == [512, 512]
    (announced,) = trace.announcements
    assert announced.relay == "b"
    assert all(not source.sources for source in trace.sources)
    spend(ledger, "s", 8, pool=chain(NODES)[0])
