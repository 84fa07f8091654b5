"""One function per use case; each acts in one ledger transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from scheduler.services.context import Context
from scheduler.services.elements import ElementServices
from scheduler.services.plan_services import PlanServices

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from orbits import Track
    from scheduler.domain import (
        Booking,
        KeyFlow,
        KeyTrace,
        MergeDecision,
        PassAnswer,
        SourceBlock,
        Validation,
        VerifyReport,
        WaitingKey,
        WhoKnows,
    )
    from scheduler.network import Satellite, Station

# The use cases are imported when they are called: a question about passes must not pay for the
# database, the solver and the graph library.


class Services(ElementServices, PlanServices):
    """Every use case as one method; the doors and the jobs call nothing else."""

    def satellites(self) -> list[Satellite]:
        """The satellites of the scenario."""
        return list(self.scenario.satellites)

    def all_stations(self) -> list[Station]:
        """The stations of the scenario."""
        return self.stations()

    def passes(
        self,
        *,
        satellite: str,
        stations: Sequence[str] | None,
        start: datetime,
        end: datetime,
        min_elevation_deg: float | None = None,
        as_known_at: datetime | None = None,
        forecast: bool = False,
        dark_only: bool = False,
    ) -> PassAnswer:
        """The passes of one satellite over some stations (all: None) within [start, end)."""
        from scheduler.services.passes import upcoming_passes

        return upcoming_passes(
            self,
            satellite=satellite,
            stations=stations,
            start=start,
            end=end,
            min_elevation_deg=min_elevation_deg,
            as_known_at=as_known_at,
            forecast=forecast,
            dark_only=dark_only,
        )

    def track(
        self,
        satellite: str,
        station: str,
        start: datetime,
        end: datetime,
        step_s: float = 1.0,
        *,
        as_known_at: datetime | None = None,
    ) -> Track:
        """The satellite as one station sees it, every `step_s` seconds."""
        from scheduler.services.passes import station_track

        return station_track(
            self,
            satellite=satellite,
            station=station,
            start=start,
            end=end,
            step_s=step_s,
            as_known_at=as_known_at,
        )

    def ground_track(
        self, satellite: str, start: datetime, end: datetime, step_s: float = 10.0
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Latitude and longitude of the point below the satellite, in degrees."""
        from scheduler.services.passes import ground_track

        return ground_track(self, satellite=satellite, start=start, end=end, step_s=step_s)

    def begin_session(self, booking_id: UUID, *, at: datetime) -> dict[str, Any]:
        """A booked session acquires its link, and its satellite announces what it held."""
        from scheduler.services.sessions import begin_session

        return begin_session(self, booking_id, at=at)

    def settle_session(self, booking_id: UUID, *, at: datetime) -> dict[str, Any]:
        """A running session settles into the ledger."""
        from scheduler.services.sessions import settle_session

        return settle_session(self, booking_id, at=at)

    def miss_session(self, booking_id: UUID, *, at: datetime, reason: str) -> None:
        """A booked session whose time went by."""
        from scheduler.services.sessions import miss_session

        miss_session(self, booking_id, at=at, reason=reason)

    def close_overdue(self, *, at: datetime) -> list[UUID]:
        """Close the bookings that can no longer happen."""
        from scheduler.services.sessions import close_overdue

        return close_overdue(self, at=at)

    def open_bookings(self) -> list[Booking]:
        """The bookings that still wait for their time."""
        from scheduler.services.sessions import open_bookings

        return open_bookings(self)

    def record_failure(self, job: str, *, at: datetime, reason: str) -> None:
        """Write down that a job failed; the reason names the kind of error, never its text."""
        from scheduler.domain import instant_key

        with self.ledger.begin() as tx:
            command = tx.command(f"failure/{job}/{instant_key(at)}", kind="failure", at=at)
            command.finish({"job": job, "reason": reason})

    def deposit_trunk(self, *, start: datetime, end: datetime) -> dict[str, Any]:
        """The trunk deposits what it made in an interval."""
        from scheduler.services.trunk import deposit_trunk

        return deposit_trunk(self, start=start, end=end)

    def announce_due(self, *, at: datetime) -> list[dict[str, Any]]:
        """Satellites that announce some time after a session have done so by now."""
        from scheduler.services.keys.announce import announce_due

        return announce_due(self, at=at)

    def waiting_key(self) -> list[WaitingKey]:
        """Every block that waits for an announcement, oldest first."""
        from scheduler.services.keys.announce import waiting_key

        return waiting_key(self)

    def accept_key(self, block_id: UUID, *, reason: str) -> dict[str, Any]:
        """Make waiting key available by hand."""
        from scheduler.services.keys.announce import accept_key

        return accept_key(self, block_id, reason=reason)

    def void_key(self, block_id: UUID, *, reason: str) -> dict[str, Any]:
        """Give waiting key up by hand."""
        from scheduler.services.keys.announce import void_key

        return void_key(self, block_id, reason=reason)

    def expire_due(self, *, at: datetime, request: str | None = None) -> dict[str, Any]:
        """What time has brought to its end leaves the pools."""
        from scheduler.services.keys.expire import expire_due

        return expire_due(self, at=at, request=request)

    def merge_due(self, *, scheduled_for: datetime, request: str | None = None) -> dict[str, Any]:
        """Merge what is due at one tick; the same tick or request again gives its first answer."""
        from scheduler.services.merges.due import merge_due

        return merge_due(self, scheduled_for=scheduled_for, request=request)

    def merge_plan(self, *, at: datetime) -> MergeDecision:
        """What a tick would merge and why; nothing is written."""
        from scheduler.services.merges.history import plan_merges_now

        return plan_merges_now(self, at=at)

    def merge_history(
        self, *, start: datetime | None = None, end: datetime | None = None, limit: int = 20
    ) -> list[dict[str, Any]]:
        """The last ticks within [start, end), the newest last."""
        from scheduler.services.merges.history import merge_history

        return merge_history(self, start=start, end=end, limit=limit)

    def key_flow(self, *, start: datetime, end: datetime) -> KeyFlow:
        """Key that merges moved through the network in [start, end)."""
        from scheduler.services.merges.history import key_flow

        return key_flow(self, start=start, end=end)

    def trace_key(self, name: str) -> KeyTrace:
        """Where a block or a drawn key came from, and who could know it."""
        from scheduler.services.keys.trace import trace_key

        return trace_key(self, name)

    def pair_blocks(self, pair: str, *, limit: int = 50) -> list[tuple[SourceBlock, WhoKnows]]:
        """The newest end-to-end blocks of a pair, and who could know each."""
        from scheduler.services.keys.trace import pair_blocks

        return pair_blocks(self, pair, limit=limit)

    def last_checkpoint(self) -> str:
        """The newest signed checkpoint of the audit log, one line of JSON."""
        from scheduler.services.audit import last_checkpoint

        return last_checkpoint(self)

    def import_keys(self, folder: Path) -> dict[str, Any]:
        """Deposit the key of a file drop, all of it or none."""
        from scheduler.services.keys.file_drop import import_keys

        return import_keys(self, folder)

    def bookings_of(self, plan_answer: dict[str, Any]) -> list[Booking]:
        """The bookings that a plan's answer names, in its order."""
        with self.ledger.read() as reader:
            return [reader.booking(UUID(text)) for text in plan_answer["bookings"]]

    def balances(self) -> dict[str, dict[str, int]]:
        """Bits by pool and account."""
        with self.ledger.read() as reader:
            return reader.balances()

    def verify_ledger(self, *, workers: int | None = None) -> VerifyReport:
        """Recompute the whole ledger and say what does not hold.

        `workers` processes do it, by default as many as the ledger is worth and the machine has
        cores.
        """
        from scheduler.services.audit import verify_ledger

        return verify_ledger(self, workers=workers)

    def export_ledger(self) -> Iterator[str]:
        """The ledger as lines of canonical JSON: no key, no wall time."""
        return self.existing_ledger().export_lines()

    def scenario_digest(self) -> str:
        """SHA-256 of the scenario as it was understood."""
        return hashlib.sha256(repr(self.scenario).encode()).hexdigest()

    def bind_run(self, facts: dict[str, Any]) -> bool:
        """Tie the database to one run; True if it already was tied to this very run."""
        with self.ledger.begin() as tx:
            bound = bool(tx.run_facts())
            tx.bind_run(facts)
        return bound

    def validation(self) -> Validation:
        """Every published case next to the model, whatever the scenario."""
        from scheduler.services.validation import validate_all

        return validate_all(self)

    def published_pass(self) -> Validation | None:
        """The pass of 2016-12-19 next to the model; None in a network that had no part in it."""
        from scheduler.services.validation import validate_published_pass

        return validate_published_pass(self)

    def health(self) -> dict[str, Any]:
        """What a monitor wants to know: the scenario, the clock, the ledger's size."""
        with self.ledger.read() as reader:
            pools = len(reader.balances())
        return {
            "status": "ok",
            "scenario": self.scenario.name,
            "now": self.clock.now(),
            "element_sets": len(self.archive),
            "pools": pools,
        }


def open_services(settings: Any, **wiring: Any) -> Services:
    """Wire the services of one process; use as a context manager."""
    return Services(settings, **wiring)


__all__ = ["Context", "Services", "open_services"]
