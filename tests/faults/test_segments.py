"""A process killed while it closes a period, and disks that are full then, lose nothing."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from scheduler.errors import LedgerUnavailable
from scheduler.ledger import Ledger, open_ledger
from scheduler.ledger.keys.stock import get_balances
from scheduler.ledger.segments.reads import get_segments
from scheduler.ledger.vault.keystore import LocalKek
from scheduler.ledger.verify.archive import verify_segment
from tests.faults.storage import fill, small_disk
from tests.scheduler.ledger.builders import NOON
from tests.scheduler.ledger.segments.periods import close, live_through

END = NOON + timedelta(hours=1)
# Where the process dies: half of the file written, its name given, rows gone, the segment's row
# there, all but the commit done, and after it.
STEPS = ("write", "replace", "DELETE FROM ledger_entry", "DELETE FROM command",
         "INSERT INTO segment", "UPDATE audit_head", "done")  # fmt: skip

DIE = """
import os, signal, sys
from datetime import timedelta
from pathlib import Path
from scheduler.ledger import open_ledger
from scheduler.ledger.log import archive
from scheduler.ledger.vault.keystore import LocalKek
from tests.scheduler.ledger.segments.periods import close
from tests.faults.dying import die_after
from tests.faults.test_segments import END

url, key, folder, step = sys.argv[1:]
ledger = open_ledger(url, kek=LocalKek(bytes.fromhex(key)))

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

if step == "write":
    archive.canonical_json = die  # asked for the seal, when all lines are written
elif step == "replace":
    replace = Path.replace
    Path.replace = lambda path, to: (replace(path, to), die())

die_after(ledger, step)
close(ledger, Path(folder), END)
die()
"""


@pytest.mark.faults
@pytest.mark.parametrize("step", STEPS)
def test_a_kill_while_a_period_is_closed_loses_nothing(
    store_url: str, ledger: Ledger, tmp_path: Path, step: str
) -> None:
    key = b"s" * 32
    ledger.rotate_kek(LocalKek(key))
    live_through(ledger, 0)
    with ledger.view.read() as reader:
        before = get_balances(reader)
    if step == "UPDATE audit_head" and ledger._engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL numbers the leaf after the commit")
    folder = tmp_path / "archive"
    died = subprocess.run(
        [sys.executable, "-c", DIE, store_url, key.hex(), str(folder), step],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert died.returncode == -signal.SIGKILL, died.stderr
    with open_ledger(store_url, kek=LocalKek(key)) as again:
        assert again.view.verify().problems == ()
        with again.view.read() as reader:
            assert len(get_segments(reader)) == (step == "done")
            assert get_balances(reader) == before
        close(again, folder, END)
        assert again.view.verify().problems == ()
        with again.view.read() as reader:
            assert get_balances(reader) == before
            (segment,) = get_segments(reader)
            left = reader.connection.execute(text("SELECT count(*) FROM block")).scalar_one()
        assert left < 7
    assert verify_segment(folder / segment.file)[0].ok
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []


def test_a_full_disk_of_archives_closes_nothing(ledger: Ledger, tmp_path: Path) -> None:
    live_through(ledger, 0)
    folder = tmp_path / "archive"
    folder.mkdir()
    with small_disk(folder) as disk:
        if "tmpfs" not in disk.how:
            pytest.skip("no disk can be made small here")
        ballast = fill(folder)
        with pytest.raises(LedgerUnavailable, match="No space left"):
            close(ledger, folder, END)
        assert sorted(path.name for path in folder.iterdir()) == ["ballast", ballast.name]
        assert ledger.view.verify().problems == ()
        ballast.unlink()
        assert close(ledger, folder, END)["segment"] == 1
        assert ledger.view.verify().problems == ()
