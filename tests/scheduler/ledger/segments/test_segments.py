"""A closed period leaves for a file; balances, proofs and verification go on over it."""

from __future__ import annotations

import lzma
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from scheduler.errors import ProofInvalid, UnknownName, WrongState
from scheduler.ledger import Ledger, open_ledger
from scheduler.ledger.keys.stock import get_balances
from scheduler.ledger.keys.tracing import trace_block
from scheduler.ledger.log import checkpoints
from scheduler.ledger.log.archive import ArchiveReader
from scheduler.ledger.log.trail import public_key
from scheduler.ledger.segments.closing import close_period, find_closing, write_segment
from scheduler.ledger.segments.proofs import Archives, inclusion_of_row
from scheduler.ledger.segments.reads import get_segments
from scheduler.ledger.vault.keystore import LocalKek
from scheduler.ledger.verify.archive import verify_segment
from scheduler.ledger.verify.export import verify_lines
from tests.scheduler.ledger.builders import chain, deposit, relay, spend, uuid_of
from tests.scheduler.ledger.segments.periods import NODES, PAIR, close, live_through


def _count(ledger: Ledger, table: str) -> int:
    with ledger.view.read() as reader:
        return int(reader.connection.execute(text(f'SELECT count(*) FROM "{table}"')).scalar_one())


def test_what_was_finished_leaves_and_the_ledger_stays_sound(
    ledger: Ledger, tmp_path: Path
) -> None:
    end = live_through(ledger, 0)
    with ledger.view.read() as reader:
        before = get_balances(reader)
    tables = ("block", "ledger_entry", "audit_node", "announcement", "job")
    counts = {table: _count(ledger, table) for table in tables}
    answer = close(ledger, tmp_path / "archive", end)
    assert answer["segment"] == 1
    assert ledger.view.verify().problems == ()
    with ledger.view.read() as reader:
        assert get_balances(reader) == before
    left = {table: _count(ledger, table) for table in tables}
    assert [table for table in tables if left[table] >= counts[table]] == [], (left, counts)
    report, _ = verify_segment(tmp_path / "archive" / answer["file"])
    assert report.problems == ()
    assert report.rows == answer["rows"]


def test_periods_follow_each_other(ledger: Ledger, tmp_path: Path) -> None:
    files = []
    for day in range(3):
        end = live_through(ledger, day)
        files.append(close(ledger, tmp_path / "archive", end)["file"])
        assert ledger.view.verify().problems == ()
    live_through(ledger, 4)
    assert ledger.view.verify().problems == ()
    for number, file in enumerate(files, start=1):
        report, _ = verify_segment(tmp_path / "archive" / file)
        assert report.problems == ()
        assert report.number == number
    assert _count(ledger, "block") < 4 * 7


def test_nothing_is_closed_twice(sqlite_ledger: Ledger, tmp_path: Path) -> None:
    ledger = sqlite_ledger
    end = live_through(ledger, 0)
    close(ledger, tmp_path / "archive", end)
    assert close(ledger, tmp_path / "archive", end)["segment"] is None
    assert close(ledger, tmp_path / "archive", end - timedelta(days=9))["segment"] is None
    assert len(list((tmp_path / "archive").iterdir())) == 1


def test_a_proof_reaches_into_segments(ledger: Ledger, tmp_path: Path) -> None:
    """Of commands of every time, of blocks and keys that left, for sizes old and new."""
    folder = tmp_path / "archive"
    subjects: set[str] = set()
    signed = []
    for day in range(2):
        end = live_through(ledger, day)
        with ledger.view.read() as reader:
            rows = reader.connection.execute(text("SELECT id FROM command"))
            subjects |= {str(number) for (number,) in rows}
        signed.append(ledger.checkpoint(end))
        close(ledger, folder, end)
    live_through(ledger, 2)
    signed.append(ledger.checkpoint(end + timedelta(days=5)))
    with ledger.view.read() as reader:
        archives = Archives(folder, get_segments(reader))
        for subject in sorted(subjects)[::4]:
            proof = inclusion_of_row(
                reader.connection, archives, "command", subject, signed[-1].size
            )
            checkpoints.check_inclusion(proof, signed[-1])
        early = inclusion_of_row(reader.connection, archives, "command", "2", signed[0].size)
        checkpoints.check_inclusion(early, signed[0])
        gone = uuid_of("span/link:u--v/0/0")
        with pytest.raises(UnknownName):
            trace_block(reader, gone)
        assert archives.command_of("block", str(gone)) in subjects
        assert archives.command_of("key", str(uuid_of("key 0 1"))) in subjects
        for name in ("block", "key"):
            with pytest.raises(UnknownName, match="closed period"):
                archives.command_of(name, str(uuid_of("nobody")))
        with pytest.raises(ProofInvalid, match="archive_place"):
            inclusion_of_row(
                reader.connection, Archives(None, get_segments(reader)), "command", "2", None
            )
    assert ledger.view.verify().problems == ()


def test_every_change_of_a_file_is_seen(sqlite_ledger: Ledger, tmp_path: Path) -> None:
    ledger = sqlite_ledger
    end = live_through(ledger, 0)
    close(ledger, tmp_path / "archive", end)
    file = close(ledger, tmp_path / "archive", live_through(ledger, 1))["file"]
    path = tmp_path / "archive" / file
    lines = lzma.decompress(path.read_bytes()).decode().splitlines(keepends=True)
    for number in [0, 1, len(lines) // 2, len(lines) - 2]:
        for changed in (
            [*lines[:number], *lines[number + 1 :]],
            [*lines[:number], lines[number], *lines[number:]],
            [*lines[:number], lines[number].replace("1", "2", 1), *lines[number + 1 :]],
        ):
            path.write_bytes(lzma.compress("".join(changed).encode(), preset=0))
            assert verify_segment(path)[0].problems, number
    path.write_bytes(lzma.compress("".join(lines[:-1]).encode(), preset=0))
    assert "does not end in a seal" in str(verify_segment(path)[0].problems)
    path.write_bytes(b"no archive")
    with pytest.raises(ProofInvalid, match="LZMAError"):
        verify_segment(path)


def test_another_signer_is_seen(sqlite_ledger: Ledger, tmp_path: Path) -> None:
    ledger = sqlite_ledger
    end = live_through(ledger, 0)
    path = tmp_path / "archive" / close(ledger, tmp_path / "archive", end)["file"]
    with ledger.view.read() as reader:
        ours = public_key(reader.connection)
    assert verify_segment(path, public_key=ours)[0].ok
    report, _ = verify_segment(path, public_key="ab" * 32)
    assert "the signature does not hold" in report.problems[0]


def test_key_that_is_left_is_spent_on_and_its_trace_says_what_left(
    ledger: Ledger, tmp_path: Path
) -> None:
    end = live_through(ledger, 0)
    with ledger.begin() as tx:
        for link in chain(NODES):
            deposit(tx, f"span/{link.pool_id}/later", 1280, pool=link, at=end)
        relay(tx, "kept", NODES, 1280, at=end)
    close(ledger, tmp_path / "archive", end)
    close(ledger, tmp_path / "archive", live_through(ledger, 1))
    with ledger.view.read() as reader:
        trace = trace_block(reader, uuid_of("kept/pair"))
    assert trace.chunks or trace.archived or not trace.block.provenance
    chunks = spend(ledger, "on", 1280, pool=PAIR, at=end + timedelta(days=3))
    assert sum(one.chunk.length_bits for one in chunks) == 1280
    assert ledger.view.verify().problems == ()


def test_one_of_two_closings_counts(sqlite_ledger: Ledger, tmp_path: Path) -> None:
    ledger = sqlite_ledger
    end = live_through(ledger, 0)
    with ledger.held_still() as reader:
        late = find_closing(reader, cutoff=end)
        assert late is not None
        path = write_segment(reader, late, tmp_path, ledger.signing_key(reader))
    _, seal = verify_segment(path)
    assert seal is not None
    close(ledger, tmp_path, end)
    with pytest.raises(WrongState, match="is closed already"), ledger.begin() as tx:
        close_period(tx, late, seal, path.name, at=end)
    assert ledger.view.verify().problems == ()


def test_what_is_at_work_while_the_file_is_written_stays(ledger: Ledger, tmp_path: Path) -> None:
    end = live_through(ledger, 0)
    with ledger.held_still() as reader:
        closing = find_closing(reader, cutoff=end)
        assert closing is not None
        live_through(ledger, 1)
        path = write_segment(reader, closing, tmp_path, ledger.signing_key(reader))
    report, seal = verify_segment(path)
    assert report.ok
    assert seal is not None
    ledger.count()
    with ledger.begin() as tx:
        close_period(tx, closing, seal, path.name, at=end)
    assert ledger.view.verify().problems == ()
    live_through(ledger, 2)
    assert ledger.view.verify().problems == ()


def test_an_export_after_a_closing_is_checked_by_itself(ledger: Ledger, tmp_path: Path) -> None:
    end = live_through(ledger, 0)
    before = list(ledger.view.export_lines())
    file = close(ledger, tmp_path, end)["file"]
    sealed = list(ArchiveReader(tmp_path / file).lines())
    # Closing changes no byte of what was there: the file is the export of that moment.
    assert [line.rstrip() for line in sealed] == before
    live_through(ledger, 1)
    assert verify_lines(ledger.view.export_lines()).problems == ()


def test_a_ledger_opens_again_after_a_closing(
    store_url: str, kek: LocalKek, tmp_path: Path
) -> None:
    with open_ledger(store_url, kek=kek) as ledger:
        close(ledger, tmp_path, live_through(ledger, 0))
    with open_ledger(store_url, kek=kek) as ledger:
        live_through(ledger, 1)
        assert ledger.view.verify().problems == ()
