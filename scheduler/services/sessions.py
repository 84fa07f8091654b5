"""Use cases: a booked session begins, and settles into the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from scheduler.clock import SystemClock
from scheduler.domain import (
    Booking,
    BookingState,
    Candidate,
    JobState,
    NewBlock,
    SessionResult,
    instant_key,
)
from scheduler.errors import StationTrouble
from scheduler.ledger.books.bookings import find_booking, get_bookings, move_booking
from scheduler.ledger.books.jobs import abandon_job, find_job
from scheduler.ledger.keys.deposit import deposit_block
from scheduler.ledger.keys.fingerprints import refuse_known_key
from scheduler.ledger.keys.sessions import add_session
from scheduler.ledger.log.canonical import request_digest
from scheduler.network import pool_of
from scheduler.services.executors import Outcome, executor_of
from scheduler.services.keys.announce import KIND, announce_at_contact, must_wait
from scheduler.services.keys.close_block import counts_json, key_and_errors, setting_of
from scheduler.services.keys.lifetimes import use_until
from scheduler.services.outages import out_of_service, outage_at
from scheduler.services.simulator import SimulatedSession, below_forecast, simulate
from scheduler.sources.filedrop import TWIN_BITS_MIN
from scheduler.sources.keys import (
    SIMULATOR,
    sifted_material,
    simulated_material,
)

if TYPE_CHECKING:
    from datetime import datetime

    from scheduler.ledger import CommandHandle, Transaction
    from scheduler.services.context import Context


def begin_session(context: Context, booking_id: UUID, *, at: datetime) -> dict[str, Any]:
    """The link is prepared and running from `at`; a repeat changes nothing.

    What the satellite held until now is announced and becomes available, in the same
    transaction; the answer says what that was, and is empty if it was nothing. With its station
    or satellite out of service the session is missed instead, and nothing is announced; where the
    station reports trouble it is failed. Raises FeedError if its executor does not answer.
    """
    trouble = _prepare(context, booking_id)
    with context.ledger.begin() as tx:
        booking = find_booking(tx, booking_id)
        if booking.state is not BookingState.BOOKED:
            about = request_digest(f"{KIND}/{booking_id}")
            return tx.answer(f"{KIND}/{booking_id}", kind=KIND, digest=about) or {}
        outage = outage_at(tx, booking.candidate)
        if outage is not None:
            move_booking(
                tx,
                booking_id,
                expected=BookingState.BOOKED,
                to=BookingState.MISSED,
                reason=out_of_service(outage),
                at=at,
            )
            return {}
        for before, after, reason in (
            (BookingState.BOOKED, BookingState.PREPARING, "telescope set up"),
            (BookingState.PREPARING, BookingState.RUNNING, "link acquired")
            if not trouble
            else (BookingState.PREPARING, BookingState.FAILED, trouble),
        ):
            move_booking(tx, booking_id, expected=before, to=after, reason=reason, at=at)
        if trouble:
            return {}
        return announce_at_contact(context, tx, booking, at=at) or {}


def _prepare(context: Context, booking_id: UUID) -> str:
    """Have a session's executor get ready; return what trouble its station reports, if any."""
    with context.ledger.view.read() as reader:
        booking = find_booking(reader, booking_id)
    executor = executor_of(context, booking.candidate)
    if executor is not None and booking.state is BookingState.BOOKED:
        try:
            executor.prepare(context, booking)
        except StationTrouble as error:
            return str(error)
    return ""


def settle_session(context: Context, booking_id: UUID, *, at: datetime) -> dict[str, Any]:
    """Settle a running session with what its executor has of it, in one transaction.

    The simulator draws counts and distils key, which waits for the satellite's announcement,
    unless that announces at once; key of a device or a file drop has come down. A session that
    gives no key settles with zero bits; station trouble without key fails it. A repeat returns the
    first answer. A booking that is not under way (missed, cancelled) is left as it is, and the
    answer is empty. Raises FeedError if it is not known yet how the session went.
    """
    request_id, digest = f"settle/{booking_id}", request_digest(str(booking_id))
    with context.ledger.view.read() as reader:
        answered = reader.answer(request_id, kind="settle", digest=digest)
        booking = find_booking(reader, booking_id)
    if answered is not None:
        return answered
    if booking.state is not BookingState.RUNNING:
        return {}
    if (executor := executor_of(context, booking.candidate)) is not None:
        try:
            outcome = executor.outcome(context, booking)
        except StationTrouble as error:
            fail_session(context, booking_id, at=at, reason=str(error))
            return {}
        return _settle_outcome(context, booking, outcome, at=at)
    session = simulate(context, booking.candidate)
    result = session.result
    below = below_forecast(context, booking.candidate, session)
    answer = _answer(booking, result) | {"below_ppm": None if below is None else round(below * 1e6)}
    with context.ledger.begin() as tx:
        # Another process may have been quicker since it was looked at.
        if (first := tx.answer(request_id, kind="settle", digest=digest)) is not None:
            return first
        command = tx.command(request_id, kind="settle", at=at, digest=digest)
        sifted = None
        if session.pooled and result.sifted_bits:
            sifted = _keep_sifted(context, tx, command, session, booking.candidate)
        elif result.secret_bits > 0:
            answer |= _deposit(context, tx, command, result, booking.candidate)
        add_session(
            tx,
            command,
            booking_id=booking_id,
            link=(booking.candidate.satellite_id, booking.candidate.station_id),
            expected_bits=result.expected_sifted_bits,
            sifted_bits=result.sifted_bits,
            sifted=sifted,
        )
        reason = (
            f"{answer['secret_bits']} secret bits" if result.secret_bits else "no key distilled"
        )
        move_booking(
            tx,
            booking_id,
            expected=BookingState.RUNNING,
            to=BookingState.SETTLED,
            reason="sifted key kept for its block" if sifted else reason,
            at=at,
        )
        command.finish(answer)
    return answer


def _settle_outcome(
    context: Context, booking: Booking, outcome: Outcome, *, at: datetime
) -> dict[str, Any]:
    """Deposit what a device or a courier gave, and settle the session."""
    bits = sum(one.block.length_bits for one in outcome.received)
    nothing = SessionResult(
        sifted_bits=0, secret_bits=0, qber=0.5, source="device", simulated=False
    )
    answer = _answer(booking, nothing) | {"secret_bits": bits, "below_ppm": None}
    named = str(booking.booking_id)
    with context.ledger.begin() as tx:
        request_id, digest = f"settle/{named}", request_digest(named)
        if (first := tx.answer(request_id, kind="settle", digest=digest)) is not None:
            return first
        command = tx.command(request_id, kind="settle", at=at, digest=digest)
        for one in outcome.received:
            pool_id = one.block.pool.pool_id
            deposit_block(
                tx,
                command,
                one.block,
                material_a=one.material_a,
                material_b=one.material_b,
                expires_at=use_until(context.lifetimes_s, pool_id, command.at),
            )
            if one.block.length_bits >= TWIN_BITS_MIN:
                refuse_known_key(tx, {one.block.natural_key: one.material_a}, at=command.at)
        move_booking(
            tx,
            booking.booking_id,
            expected=BookingState.RUNNING,
            to=BookingState.SETTLED,
            reason=f"{bits} secret bits" + (f"; {outcome.trouble}" if outcome.trouble else ""),
            at=at,
        )
        command.finish(answer)
    return answer


def _answer(booking: Booking, result: SessionResult) -> dict[str, Any]:
    candidate = booking.candidate
    return {
        "booking": str(booking.booking_id),
        "station": candidate.station_id,
        "satellite": candidate.satellite_id,
        "acquires_at": instant_key(candidate.acquires_at),
        "max_elevation_udeg": round(candidate.max_elevation_deg * 1e6),
        "expected_secret_bits": int(candidate.secret_bits),
        "sifted_bits": result.sifted_bits,
        "secret_bits": result.secret_bits - result.tag_bits,
        "authentication_bits": result.tag_bits,
        "qber_ppm": round(result.qber * 1e6) if result.sifted_bits else 0,
    }


def _keep_sifted(
    context: Context,
    tx: Transaction,
    command: CommandHandle,
    session: SimulatedSession,
    candidate: Candidate,
) -> tuple[UUID, dict[str, Any]] | None:
    """Seal a session's sifted key at both ends until its block closes; none without a bit."""
    assert session.measured is not None
    bits, errors = key_and_errors(session.measured, session.preset)
    if not bits:
        return None
    natural_key = f"sifted/{candidate.candidate_id}"
    block = NewBlock(
        block_id=context.entropy.uuid("block", natural_key),
        pool=pool_of(context.scenario, candidate.satellite_id, candidate.station_id),
        natural_key=natural_key,
        length_bits=bits,
        source=SIMULATOR,
        simulated=True,
    )
    at_a, at_b = sifted_material(context.entropy, natural_key, bits, errors)
    deposit_block(tx, command, block, material_a=at_a, material_b=at_b, sifted=True)
    counts = {
        "setting": setting_of(session.preset),
        "measured": counts_json(session.measured),
        "expected": counts_json(session.expected),
    }
    return block.block_id, counts


def _deposit(
    context: Context,
    tx: Transaction,
    command: CommandHandle,
    result: SessionResult,
    candidate: Candidate,
) -> dict[str, str]:
    """Put a session's key into its link's pool; say which block that is, and how it stands."""
    natural_key = f"session/{candidate.candidate_id}"
    block = NewBlock(
        block_id=context.entropy.uuid("block", natural_key),
        pool=pool_of(context.scenario, candidate.satellite_id, candidate.station_id),
        natural_key=natural_key,
        length_bits=result.secret_bits,
        source=result.source,
        simulated=result.simulated,
        eps_total=result.eps_total,
    )
    material = simulated_material(context.entropy, block)
    waits = must_wait(context.satellite(candidate.satellite_id), candidate.station_id)
    state = deposit_block(
        tx,
        command,
        block,
        material_a=material,
        material_b=material,
        received_only=waits,
        tag_bits=result.tag_bits,
        expires_at=use_until(context.lifetimes_s, block.pool.pool_id, command.at),
    )
    return {"block": str(block.block_id), "state": state.value}


def miss_session(context: Context, booking_id: UUID, *, at: datetime, reason: str) -> None:
    """A booked session whose time went by is MISSED; it is never run late."""
    with context.ledger.begin() as tx:
        if find_booking(tx, booking_id).state is BookingState.BOOKED:
            move_booking(
                tx,
                booking_id,
                expected=BookingState.BOOKED,
                to=BookingState.MISSED,
                reason=reason,
                at=at,
            )


def fail_session(context: Context, booking_id: UUID, *, at: datetime, reason: str) -> None:
    """A session under way whose link nobody watched to its end is FAILED, never guessed."""
    with context.ledger.begin() as tx:
        if find_booking(tx, booking_id).state is BookingState.RUNNING:
            move_booking(
                tx,
                booking_id,
                expected=BookingState.RUNNING,
                to=BookingState.FAILED,
                reason=reason,
                at=at,
            )


def close_overdue(context: Context, *, at: datetime) -> list[UUID]:
    """Close every booking that can no longer happen as booked, and say which.

    What was still waiting is MISSED; what was under way is FAILED, since nobody watched its link,
    unless somebody holds its settlement under a lease that lasts, or a device did without us.
    """
    machine_now = SystemClock().now()
    becomes = {
        BookingState.BOOKED: (BookingState.MISSED, "nobody ran at its time"),
        BookingState.PREPARING: (BookingState.FAILED, "the process stopped during the session"),
        BookingState.RUNNING: (BookingState.FAILED, "the process stopped during the session"),
    }
    closed: list[UUID] = []
    with context.ledger.begin() as tx:
        for before, (after, reason) in becomes.items():
            for booking in get_bookings(tx, state=before):
                under_way = before is not BookingState.BOOKED
                if under_way and (
                    _is_held(tx, booking, machine_now) or not needs_watching(context, booking)
                ):
                    continue
                if under_way:  # its settlement will not come
                    key, ends = settle_key(booking.booking_id), booking.candidate.loses_at
                    abandon_job(tx, key, ends, at=at, reason=reason)
                if booking.candidate.loses_at <= at or under_way:
                    move_booking(
                        tx, booking.booking_id, expected=before, to=after, reason=reason, at=at
                    )
                    closed.append(booking.booking_id)
    return closed


def _is_held(tx: Transaction, booking: Booking, machine_now: datetime) -> bool:
    job = find_job(tx, settle_key(booking.booking_id), booking.candidate.loses_at)
    return (
        job is not None
        and job.state is JobState.RUNNING
        and job.lease_until is not None
        and job.lease_until > machine_now
    )


def needs_watching(context: Context, booking: Booking) -> bool:
    """Whether a session is lost with the process that began it: a device's is not."""
    return executor_of(context, booking.candidate) is None


def settle_key(booking_id: UUID) -> str:
    """The key of the job that settles a session; whoever watches its link holds it."""
    return f"settle/{booking_id}"


def open_bookings(context: Context) -> list[Booking]:
    """The bookings that still wait for their time, and those under way."""
    with context.view.read() as reader:
        return [
            booking
            for state in (BookingState.RUNNING, BookingState.BOOKED)
            for booking in get_bookings(reader, state=state)
        ]
