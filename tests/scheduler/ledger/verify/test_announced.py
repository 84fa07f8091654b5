"""Announcements of what was not spent, forged with their hashes made anew (I5)."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, select, update

from scheduler.ledger import Ledger
from scheduler.ledger.keys.announcements import PART
from scheduler.ledger.log.canonical import canonical_parts
from scheduler.ledger.log.tables import row_digest
from scheduler.ledger.schema import AnnouncementPart, AnnouncementRow
from scheduler.ledger.verify import run as verify
from scheduler.ledger.verify import shards as verify_shards
from tests.scheduler.ledger.filled import NODES, fill
from tests.scheduler.ledger.verify.changes import tampered

SHIFTED = """
    UPDATE announcement_part SET start_bit = start_bit + 8, end_bit = end_bit + 8
    WHERE announcement_ref = 1 AND side = 0
"""
TWICE = """
    INSERT INTO announcement (id, announcement_id, command_id, relay, length_bits, public_sha256,
        sha256)
    SELECT max(id) + 1, 'again', max(command_id), 'b', 2552, 'ab', '' FROM announcement
"""
TWICE_PARTS = """
    INSERT INTO announcement_part (announcement_ref, side, "position", relay, block_ref, start_bit,
        end_bit)
    SELECT (SELECT max(id) FROM announcement), side, "position", relay, block_ref, start_bit + 8,
        end_bit FROM announcement_part WHERE announcement_ref = 1
"""
FORGED = [
    (
        SHIFTED,
        None,
        "bits from 8 of block row 1 were not spent by its command",
    ),
    (
        "UPDATE announcement_part SET block_ref = 99 WHERE announcement_ref = 1 AND side = 0",
        None,
        "bits from 0 of block row 99 were not spent by its command",
    ),
    (
        "UPDATE announcement SET command_id = 1 WHERE id = 1",
        None,
        "were not spent by its command",
    ),
    (
        "UPDATE announcement_part SET relay = 'eve' WHERE announcement_ref = 1",
        "UPDATE announcement SET relay = 'eve' WHERE id = 1",
        "relay eve is at no end of its chunk",
    ),
    (
        "UPDATE announcement_part SET end_bit = end_bit - 8 WHERE announcement_ref = 1",
        None,
        "side 0 has 2552 bits of 2560",
    ),
    (TWICE, TWICE_PARTS, "announcement again: relay b announces bits from 8 of block row 1 twice"),
    (
        "DELETE FROM announcement WHERE id = 1",
        None,
        "announcement_part: names announcement 1, which is not there",
    ),
    ("DELETE FROM announcement_part WHERE announcement_ref = 1", None, "side 1 has 0 bits of 2560"),
]


def _rehash(connection: Connection) -> None:
    part = AnnouncementPart.__table__.c
    for row in connection.execute(select(*AnnouncementRow.__table__.c)).mappings().all():
        parts = connection.execute(
            select(*part)
            .where(part.announcement_ref == row["id"])
            .order_by(part.side, part.position)
        ).mappings()
        connection.execute(
            update(AnnouncementRow)
            .where(AnnouncementRow.id == row["id"])
            .values(sha256=row_digest("announcement", row, parts=canonical_parts(map(PART, parts))))
        )


@pytest.mark.parametrize(("first", "second", "said"), FORGED)
def test_a_forged_announcement_is_found_by_what_it_names(
    ledger: Ledger, first: str, second: str | None, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(ledger)
    assert NODES[:2] == ["a", "b"]
    assert ledger.view.verify().problems == ()
    with tampered(ledger, first) as connection:
        if second:
            connection.exec_driver_sql(second)
        _rehash(connection)
        problems = verify.verify(connection, None).problems
        monkeypatch.setattr(verify_shards, "ROWS_PER_SHARD", 1)
        assert verify.verify(connection, None).problems == problems
    assert any(said in problem for problem in problems), problems
    assert not any("its row or its parts were changed" in problem for problem in problems)
