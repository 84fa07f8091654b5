"""Years: what an hour of the mesh leaves in the database and in archives, and what audits take."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from scheduler import services
from scheduler.domain import NewBlock
from scheduler.ledger.keys.deposit import deposit_block, expect_blocks
from scheduler.ledger.keys.spending import spend_pool
from scheduler.ledger.keys.stock import get_stock
from scheduler.ledger.verify.archive import verify_segment
from scheduler.merge import PROOF_BITS
from scheduler.network import Scenario
from scheduler.services.context import Context
from scheduler.services.segments import close_period_of
from tests.benchmarks.test_bench_merge_service import (
    EAST,
    KEY_BITS,
    LINKS,
    NOON,
    WEST,
    _trunk,
    services_of,
)

__all__ = ["services_of"]
pytestmark = pytest.mark.bench
SMOKE = os.environ.get("SKYTRUNK_BENCH_SMOKE") == "1"
SECONDS = 24 if SMOKE else int(os.environ.get("SKYTRUNK_BENCH_YEARS_S", "3600"))
CLOSE_S = SECONDS // 6
"""A period is closed this often; in an hour every ten minutes."""
DEPOSIT_S = 4 if SMOKE else 60
"""`trunk_interval_s`: what a link makes in this time is one block."""
DRAW_S = 4 if SMOKE else 60
"""Every key is drawn, the older ones after this time."""
STOCK_BITS = 8_000_000
"""What a link keeps in its buffers: some three minutes of what the pairs use."""
MONTH_S = 30 * 86_400
PAIRS = WEST * EAST


@dataclass
class Mesh:
    """An hour of the mesh, second by second."""

    context: Context
    folder: Path
    closings: list[float] = field(default_factory=list)
    archived: list[int] = field(default_factory=list)
    live: list[int] = field(default_factory=list)

    def second(self, tick: int) -> None:
        """What falls due in one second."""
        at = NOON + timedelta(seconds=tick)
        if tick % DEPOSIT_S == 0:
            self._deposit(tick, at)
        mark = KEY_BITS * (tick % DRAW_S + 1) + PROOF_BITS + KEY_BITS
        demands = [replace(one, high_water_bits=mark) for one in self.context.scenario.demands]
        self.context.__dict__["scenario"] = replace(self.context.scenario, demands=tuple(demands))
        answer = services.merge_due(self.context, scheduled_for=at)
        assert len(answer["steps"]) == PAIRS, answer["reasons"]
        if tick % DRAW_S == DRAW_S - 1:
            self._draw(tick, at)
        if tick % CLOSE_S == CLOSE_S - 1:
            self._close(at)

    def _deposit(self, tick: int, at: datetime) -> None:
        with self.context.ledger.begin() as tx:
            command = tx.command(f"trunk/{tick}", kind="trunk", at=at, digest="")
            stock = get_stock(tx, at=at)
            rooms = {
                link.pool: (STOCK_BITS - stock.get(link.pool.pool_id, 0)) // 8 * 8
                for link in self.context.scenario.links
            }
            blocks = [
                NewBlock(
                    block_id=self.context.entropy.uuid("block"),
                    pool=pool,
                    natural_key=f"span/{pool.pool_id}/{tick:06d}",
                    length_bits=room,
                    source="simulator",
                    simulated=True,
                )
                for pool, room in rooms.items()
                if room > 0
            ]
            expect_blocks(tx, blocks)
            key = os.urandom(STOCK_BITS // 8)
            for block in blocks:
                held = key[: block.length_bits // 8]
                deposit_block(tx, command, block, material_a=held, material_b=held)
            command.finish({})

    def _draw(self, tick: int, at: datetime) -> None:
        """Applications take what there is of every pair."""
        with self.context.ledger.begin() as tx:
            stock = get_stock(tx, at=at)
            command = tx.command(f"draw/{tick}", kind="draw", at=at, digest="")
            for pool_id, bits in stock.items():
                if pool_id.startswith("pair:") and bits:
                    spend_pool(tx, command, pool_id, bits)
            command.finish({})

    def _close(self, at: datetime) -> None:
        start = time.process_time()
        cutoff = at - timedelta(seconds=DRAW_S)
        answer = close_period_of(self.context.ledger, self.folder, cutoff=cutoff, at=at)
        if answer["segment"] is None:
            return
        self.closings.append(time.process_time() - start)
        self.archived.append(answer["bytes"])
        self.live.append(_file_of(self.context).stat().st_size)
        print(f"  {at:%H:%M:%S} {answer}, live {self.live[-1]:,} bytes", flush=True)


def _file_of(context: Context) -> Path:
    return Path(context.settings.database_url.removeprefix("sqlite:///"))


def test_an_hour_of_the_mesh_is_closed_and_audited(
    services_of: Callable[[Scenario | str], Context], tmp_path: Path
) -> None:
    mesh = Mesh(services_of(_trunk(WEST, EAST)), tmp_path / "archive")
    start = time.process_time()
    print()
    for tick in range(SECONDS):
        mesh.second(tick)
    spent = time.process_time() - start
    view = mesh.context.ledger.view
    figures: dict[str, float] = {}

    def timed(name: str, work: Callable[[], object]) -> object:
        begun = time.process_time()
        done = work()
        figures[name] = time.process_time() - begun
        return done

    report = view.verify()
    assert timed("verify", view.verify) == report
    assert report.ok, report.problems
    lines = timed("export", lambda: sum(1 for _ in view.export_lines()))
    newest = max(mesh.folder.iterdir())
    sealed = timed("segment", lambda: verify_segment(newest)[0])
    assert sealed.ok  # type: ignore[attr-defined]
    keys = PAIRS * SECONDS
    archive = sum(mesh.archived)
    growth = (mesh.live[-1] - mesh.live[1]) / (len(mesh.live) - 2) if len(mesh.live) > 2 else 0.0
    closings = MONTH_S / CLOSE_S
    print(
        f"mesh: {SECONDS} s of {LINKS} links and {PAIRS} pairs a second, {keys:,} merged keys, a"
        f" period closed every {CLOSE_S} s: {spent:.0f} s of CPU\n"
        f"archives: {archive:,} bytes, {archive / keys:.0f} bytes a merged key; a month"
        f" {archive * MONTH_S / SECONDS / 1e9:.0f} GB\n"
        f"live database: {mesh.live[-1] / 1e6:.0f} MB at the end, {growth / 1e3:.0f} kB more a"
        f" closing; a month of {closings:.0f} closings extrapolated"
        f" {(mesh.live[-1] + growth * closings) / 1e6:.0f} MB\n"
        f"verify of the live part: {report.entries:,} entries, {report.blocks:,} blocks,"
        f" {figures['verify']:.1f} s of CPU; export of {lines:,} lines {figures['export']:.1f} s;"
        f" newest segment alone {sealed.rows:,} rows {figures['segment']:.1f} s\n"  # type: ignore[attr-defined]
        f"closing: {max(mesh.closings):.1f} s of CPU at most; largest resident size of it all"
        f" {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB"
    )
