"""The long version of the faults: `make faults` runs it and prints what became of the ledger."""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from tests.faults.campaign import FaultReport, kill_workers
from tests.scheduler.ledger.postgres import Postgres


def main() -> int:
    """Kill, count, print; exit status 1 if anything was lost, doubled or broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sqlite", type=int, default=160, help="kills on SQLite")
    parser.add_argument("--postgres", type=int, default=40, help="kills on PostgreSQL")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    key = os.urandom(32)
    reports: list[FaultReport] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        url = f"sqlite:///{folder / 'ledger.db'}"
        reports.append(
            kill_workers(
                url, key, folder, kills=arguments.sqlite, seed=arguments.seed, store="SQLite"
            )
        )
    print(reports[-1].text(), flush=True)  # noqa: T201
    server = Postgres()
    try:
        with tempfile.TemporaryDirectory() as name:
            reports.append(
                kill_workers(
                    server.create("faults"),
                    key,
                    Path(name),
                    kills=arguments.postgres,
                    seed=arguments.seed + 1,
                    store="PostgreSQL",
                )
            )
    finally:
        server.stop()
    print(reports[-1].text(), flush=True)  # noqa: T201
    kills = sum(report.kills for report in reports)
    bad = [line for one in reports for line in (*one.lost, *one.doubled, *one.broken)]
    for line in bad:
        print(f"  {line}")  # noqa: T201
    told = "nothing lost, nothing delivered twice" if not bad else f"{len(bad)} faults"
    print(f"{kills} SIGKILLs in all: {told}")  # noqa: T201
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
