"""Use cases: a booked session begins, and settles into the ledger."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

from scheduler.domain import (
    Booking,
    BookingState,
    Candidate,
    NewBlock,
    Pool,
    SessionResult,
    instant_key,
)
from scheduler.forecast import (
    Downlink,
    belief_of,
    expected_counts,
    link_preset,
    sample_hardware,
)
from scheduler.ledger.books.bookings import find_booking, get_bookings, move_booking
from scheduler.ledger.keys.deposit import deposit_block
from scheduler.ledger.keys.sessions import add_session
from scheduler.services.keys.announce import KIND, announce_at_contact, must_wait
from scheduler.services.keys.lifetimes import use_until
from scheduler.services.learning import learned_by
from scheduler.services.outages import out_of_service, outage_at
from scheduler.sources.keys import simulated_material, simulated_session

if TYPE_CHECKING:
    from datetime import datetime

    from scheduler.ledger import CommandHandle, Transaction
    from scheduler.network import Station
    from scheduler.services.context import Context


def begin_session(context: Context, booking_id: UUID, *, at: datetime) -> dict[str, Any]:
    """The link is prepared and running from `at`; a repeat changes nothing.

    What the satellite held until now is announced and becomes available, in the same
    transaction; the answer says what that was, and is empty if it was nothing. With its station
    or satellite out of service the session is missed instead, and nothing is announced.
    """
    with context.ledger.begin() as tx:
        booking = find_booking(tx, booking_id)
        if booking.state is not BookingState.BOOKED:
            return tx.answer(f"{KIND}/{booking_id}") or {}
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
            (BookingState.PREPARING, BookingState.RUNNING, "link acquired"),
        ):
            move_booking(tx, booking_id, expected=before, to=after, reason=reason, at=at)
        return announce_at_contact(context, tx, booking, at=at) or {}


def settle_session(context: Context, booking_id: UUID, *, at: datetime) -> dict[str, Any]:
    """Settle a running session: counts drawn, key distilled, whole bits deposited.

    The key waits for the satellite's announcement, unless that announces at once. One
    transaction. A session that gives no key settles with zero bits; a repeat returns the first
    answer. A booking that is not under way (missed, cancelled) is left as it is, and the answer
    is empty.
    """
    request_id = f"settle/{booking_id}"
    with context.ledger.view.read() as reader:
        answered = reader.answer(request_id)
        booking = find_booking(reader, booking_id)
    if answered is not None:
        return answered
    if booking.state is not BookingState.RUNNING:
        return {}
    candidate = booking.candidate
    (station,) = context.stations([candidate.station_id])
    result = _simulate(context, candidate, station)
    below = _below(context, candidate, station, result)
    answer: dict[str, Any] = {
        "booking": str(booking_id),
        "station": candidate.station_id,
        "satellite": candidate.satellite_id,
        "acquires_at": instant_key(candidate.acquires_at),
        "max_elevation_udeg": round(candidate.max_elevation_deg * 1e6),
        "expected_secret_bits": int(candidate.secret_bits),
        "sifted_bits": result.sifted_bits,
        "secret_bits": result.secret_bits,
        "qber_ppm": round(result.qber * 1e6) if result.sifted_bits else 0,
        "below_ppm": None if below is None else round(below * 1e6),
    }
    with context.ledger.begin() as tx:
        command = tx.command(request_id, kind="settle", at=at)
        add_session(
            tx,
            command,
            booking_id=booking_id,
            link=(candidate.satellite_id, candidate.station_id),
            expected_bits=result.expected_sifted_bits,
            sifted_bits=result.sifted_bits,
        )
        if result.secret_bits > 0:
            answer |= _deposit(context, tx, command, result, candidate)
        reason = f"{result.secret_bits} secret bits" if result.secret_bits else "no key distilled"
        move_booking(
            tx,
            booking_id,
            expected=BookingState.RUNNING,
            to=BookingState.SETTLED,
            reason=reason,
            at=at,
        )
        command.finish(answer)
    return answer


def _deposit(
    context: Context,
    tx: Transaction,
    command: CommandHandle,
    result: SessionResult,
    candidate: Candidate,
) -> dict[str, str]:
    """Put a session's key into its link's pool; say which block that is, and how it stands."""
    (station,) = context.stations([candidate.station_id])
    natural_key = f"session/{candidate.candidate_id}"
    block = NewBlock(
        block_id=context.entropy.uuid("block", natural_key),
        pool=Pool.link(candidate.satellite_id, station.node),
        natural_key=natural_key,
        length_bits=result.secret_bits,
        source=result.source,
        simulated=result.simulated,
        eps_total=result.eps_total,
    )
    material = simulated_material(context.entropy, block)
    waits = must_wait(context.satellite(candidate.satellite_id))
    state = deposit_block(
        tx,
        command,
        block,
        material_a=material,
        material_b=material,
        received_only=waits,
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


def close_overdue(context: Context, *, at: datetime) -> list[UUID]:
    """Close every booking that can no longer happen as booked, and say which.

    What was still waiting is MISSED; what was under way when the process stopped is FAILED, since
    nobody watched its link.
    """
    ends = {
        BookingState.BOOKED: (BookingState.MISSED, "nobody ran at its time"),
        BookingState.PREPARING: (BookingState.FAILED, "the process stopped during the session"),
        BookingState.RUNNING: (BookingState.FAILED, "the process stopped during the session"),
    }
    closed: list[UUID] = []
    with context.ledger.begin() as tx:
        for before, (after, reason) in ends.items():
            for booking in get_bookings(tx, state=before):
                if booking.candidate.loses_at <= at or before is not BookingState.BOOKED:
                    move_booking(
                        tx, booking.booking_id, expected=before, to=after, reason=reason, at=at
                    )
                    closed.append(booking.booking_id)
    return closed


def open_bookings(context: Context) -> list[Booking]:
    """The bookings that still wait for their time."""
    with context.view.read() as reader:
        return list(get_bookings(reader, state=BookingState.BOOKED))


def _below(
    context: Context, candidate: Candidate, station: Station, result: SessionResult
) -> float | None:
    """How probable so few sifted bits were by what was believed when the session began.

    None without a bit: a cloud is no measure of a link.
    """
    if not result.sifted_bits:
        return None
    satellite = context.satellite(candidate.satellite_id)
    preset = link_preset(satellite, station, context.settings.bound)
    learned = learned_by(context, candidate.acquires_at)
    ratio = result.sifted_bits / result.expected_sifted_bits
    return float(belief_of(satellite, station, preset, learned).probability_below(ratio))


def _simulate(context: Context, candidate: Candidate, station: Station) -> SessionResult:
    """Draw the counts of the session around the model of the pass as it was booked.

    First whether its sky is clear, in the run's own weather, of which the forecast knew only the
    chance: clouds give nothing. Then how the pass differs from others of its link, then the
    counts themselves.
    """
    middle = candidate.acquires_at + (candidate.loses_at - candidate.acquires_at) / 2
    chance = candidate.clear_probability
    if chance < 1.0 and not context.true_sky.is_clear(
        station.lat_deg, station.lon_deg, middle, p_clear=chance
    ):
        return SessionResult(
            sifted_bits=0, secret_bits=0, qber=0.5, source="simulator", simulated=True
        )
    satellite = context.satellite(candidate.satellite_id)
    elements = context.elements_of_epoch(satellite.norad_id, candidate.elements_epoch)
    link = Downlink(satellite, elements, station, candidate.acquires_at, candidate.loses_at)
    sampled, (preset,) = sample_hardware(
        [link], step_s=context.settings.track_step_s, bound=context.settings.bound
    )
    usual, budget = expected_counts(sampled, preset, station=station)
    ratio = preset.spread.draw_ratio(context.entropy.generator("loss", candidate.candidate_id))
    drawn, _ = expected_counts(sampled, preset, station=station, ratio=ratio)
    generator = context.entropy.generator("counts", candidate.candidate_id)
    result = simulated_session(drawn, budget, preset, generator)
    clicks = usual.key_clicks.sum() + usual.check_clicks.sum()
    return replace(result, expected_sifted_bits=float(clicks))
