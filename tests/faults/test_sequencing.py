"""A process killed while it numbers leaves loses none and leaves no gap."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest
from sqlalchemy import text

from scheduler.ledger import Ledger
from scheduler.ledger.vault.keystore import LocalKek
from tests.scheduler.ledger.builders import deposit

# The statement at which the process dies: leaves taken, leaves added, subtrees added, head moved.
STEPS = ("DELETE FROM audit_waiting", "INSERT INTO audit_leaf", "INSERT INTO audit_node",
         "UPDATE audit_head")  # fmt: skip

DIE = """
import sys
from scheduler.ledger import open_ledger
from scheduler.ledger.log import sequencer
from scheduler.ledger.vault.keystore import LocalKek
from tests.faults.dying import die_after
from tests.scheduler.ledger.builders import deposit

url, key, step = sys.argv[1:]
sequencer.Sequencer.nudge = lambda _: None
ledger = open_ledger(url, kek=LocalKek(bytes.fromhex(key)))
with ledger.begin() as tx:
    deposit(tx, "before", 1024)

die_after(ledger, step)
with ledger.begin() as tx:
    deposit(tx, "during", 1024)
ledger.number_leaves()
"""


@pytest.mark.faults
@pytest.mark.parametrize("step", STEPS)
def test_a_kill_while_leaves_are_numbered_loses_none(
    store_url: str, ledger: Ledger, step: str
) -> None:
    key = b"s" * 32
    ledger.rotate_kek(LocalKek(key))
    is_sqlite = ledger._engine.dialect.name == "sqlite"
    if is_sqlite and step == STEPS[0]:
        pytest.skip("no leaf waits on SQLite")
    died = subprocess.run([sys.executable, "-c", DIE, store_url, key.hex(), step], check=False)
    assert died.returncode == -signal.SIGKILL
    with ledger.view.read() as reader:
        blocks = reader.connection.execute(text("SELECT count(*) FROM block")).scalar()
    assert blocks == (1 if is_sqlite else 2)  # there the change dies with its numbers
    assert ledger.view.verify().problems == ()
    with ledger.begin() as tx:
        deposit(tx, "after", 1024)
    report = ledger.view.verify()
    assert (report.problems, report.figures["audit_waiting"]) == ((), 0)
