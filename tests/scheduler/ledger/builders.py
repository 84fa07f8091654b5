"""Small commands on a ledger, as the tests and the benchmarks issue them."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from scheduler.domain import (
    AccessToken,
    Announcement,
    Booking,
    BookingState,
    Candidate,
    Directive,
    DirectiveKind,
    Job,
    NewBlock,
    Outage,
    OutageKind,
    PassName,
    PlanOption,
    PlanPass,
    Pool,
    Role,
)
from scheduler.ledger import Ledger, PlanRecord, SpentChunk, Transaction
from scheduler.ledger.books import directives, outages, plans, tokens
from scheduler.ledger.books.jobs import claim_job
from scheduler.ledger.keys.announcements import record_announcement
from scheduler.ledger.keys.deposit import deposit_block
from scheduler.ledger.keys.spending import spend_pool

NOON = datetime(2016, 12, 19, 12, tzinfo=UTC)
NANSHAN_XINGLONG = Pool.link("micius", "nanshan")


def uuid_of(name: str) -> UUID:
    """A fixed id for a name."""
    return UUID(int=random.Random(name).getrandbits(128), version=4)


def bytes_of(name: str, bits: int) -> bytes:
    """Fixed key bytes for a name."""
    return random.Random("key" + name).randbytes(-(-bits // 8))


def deposit(
    tx: Transaction,
    name: str,
    bits: int,
    *,
    pool: Pool = NANSHAN_XINGLONG,
    at: datetime = NOON,
    simulated: bool = True,
) -> bytes:
    """Deposit one block under a request of its own; return its bytes."""
    key = bytes_of(name, bits)
    handle = tx.command(f"deposit/{name}", kind="deposit", at=at, digest="")
    block = NewBlock(
        block_id=uuid_of(name),
        pool=pool,
        natural_key=name,
        length_bits=bits,
        source="simulator",
        simulated=simulated,
        eps_total=1e-9,
    )
    deposit_block(tx, handle, block, material_a=key, material_b=key)
    handle.finish({"block": str(block.block_id), "bits": bits})
    return key


def spend(
    ledger: Ledger, name: str, bits: int, *, pool: Pool = NANSHAN_XINGLONG, at: datetime = NOON
) -> list[SpentChunk]:
    """Spend in a transaction of its own."""
    with ledger.begin() as tx:
        handle = tx.command(f"spend/{name}", kind="spend", at=at, digest="")
        chunks = spend_pool(tx, handle, pool.pool_id, bits)
        handle.finish({"bits": bits})
    return chunks


def chain(nodes: Sequence[str]) -> list[Pool]:
    """The links of a path."""
    return [Pool.link(one, other) for one, other in itertools.pairwise(nodes)]


def xor(one: bytes, other: bytes) -> bytes:
    """Bytewise exclusive or."""
    return (int.from_bytes(one) ^ int.from_bytes(other)).to_bytes(len(one))


def relay(
    tx: Transaction, name: str, nodes: Sequence[str], bits: int, *, at: datetime = NOON
) -> bytes:
    """Relay key along a path and deposit it end to end; return what the near end holds."""
    links = chain(nodes)
    handle = tx.command(f"merge/{name}", kind="merge", at=at, digest="")
    runs = [spend_pool(tx, handle, link.pool_id, bits) for link in links]
    keys = [b"".join(part.material_a for part in run) for run in runs]
    far_end = keys[-1]
    for hop in range(len(links) - 1):
        far_end = xor(far_end, xor(keys[hop], keys[hop + 1]))
        record_announcement(
            tx,
            handle,
            Announcement(
                announcement_id=uuid_of(f"{name}/{hop}"),
                relay=nodes[hop + 1],
                left=tuple(part.chunk for part in runs[hop]),
                right=tuple(part.chunk for part in runs[hop + 1]),
                length_bits=bits,
                sha256="ab" * 32,
            ),
        )
    assert len(far_end) == len(keys[0])
    block = NewBlock(
        block_id=uuid_of(f"{name}/pair"),
        pool=Pool.pair(nodes[0], nodes[-1]),
        natural_key=f"merge/{name}",
        length_bits=bits,
        source="merge",
        simulated=True,
    )
    deposit_block(tx, handle, block, material_a=keys[0], material_b=keys[0])
    handle.finish({"bits": bits})
    return keys[0]


def booking(
    name: str,
    start_s: float,
    end_s: float,
    *,
    satellite: str = "micius",
    station: str = "xinglong",
    state: BookingState = BookingState.BOOKED,
) -> Booking:
    """A booking from so many to so many seconds after noon."""
    return Booking(
        booking_id=uuid_of(name),
        candidate=Candidate(
            candidate_id=f"{satellite}/{station}/{name}",
            pass_id=name,
            satellite_id=satellite,
            station_id=station,
            acquires_at=NOON + timedelta(seconds=start_s),
            loses_at=NOON + timedelta(seconds=end_s),
            max_elevation_deg=47.8,
            range_km_min=645.3,
            elements_epoch=NOON - timedelta(hours=7),
            sifted_bits=1.6e6,
            secret_bits=3.1e5,
            qber=0.0139,
        ),
        state=state,
        reason="best pass of the night",
        booked_at=NOON,
        changed_at=NOON,
        plan_id="plan-1",
    )


def plan(name: str, *, start: datetime = NOON, hours: float = 24, **details: object) -> PlanRecord:
    """A plan's figures."""
    return PlanRecord(
        plan_id=name,
        at=start,
        window_start=start,
        window_end=start + timedelta(hours=hours),
        solver="highs",
        objective=12.5,
        bound=12.75,
        gap=0.02,
        details=details,
    )


def planned_pass(station_id: str, minutes: float, *options: PlanOption) -> PlanPass:
    """A pass of ten minutes over a station."""
    rises_at = NOON + timedelta(minutes=minutes)
    return PlanPass(
        pass_id=f"micius/{station_id}/{minutes}",
        satellite_id="micius",
        station_id=station_id,
        rises_at=rises_at,
        sets_at=rises_at + timedelta(minutes=10),
        max_elevation_deg=45.5,
        sun_elevation_deg=-20.25,
        options=options,
    )


def plan_option(name: str, booking_id: UUID | None = None) -> PlanOption:
    """A session that a plan booked, or left out."""
    return PlanOption(
        candidate_id=name,
        acquires_at=NOON,
        loses_at=NOON + timedelta(minutes=5),
        secret_bits=1000.5,
        clear_probability=0.5,
        booked=booking_id is not None,
        booking_id=booking_id,
        why="a test",
    )


def decide(tx: Transaction, name: str, *, booking_id: UUID, lifted: bool) -> None:
    """A plan with two passes, an outage, a token, and a directive about a pass and a booking."""
    handle = tx.command(f"plan/{name}", kind="plan", at=NOON, digest="")
    passes = [
        planned_pass("xinglong", 0, plan_option("one", booking_id), plan_option("part")),
        planned_pass("nanshan", 30),
    ]
    plans.add(tx, handle, plan(f"plan-{name}", left_out=3), passes)
    subject = PassName(satellite_id="micius", station_id="xinglong", at=NOON)
    directives.add(
        tx,
        handle,
        [
            Directive(kind=DirectiveKind.VETO, subject=subject, reason="cloud"),
            Directive(kind=DirectiveKind.LOCK, subject=subject, booking_id=booking_id),
        ],
    )
    handle.finish({})
    outage = Outage(
        kind=OutageKind.STATION,
        name="nanshan",
        starts_at=NOON,
        ends_at=NOON + timedelta(hours=1),
        reason="mirror wash",
        outage_id=f"outage/{name}",
    )
    handle = tx.command(outage.outage_id, kind="outage", at=NOON, digest="")
    outages.add(tx, handle, outage)
    handle.finish({})
    if lifted:
        handle = tx.command(f"lift/{name}", kind="outage-lifted", at=NOON, digest="")
        outages.lift(tx, handle, outage.outage_id)
        handle.finish({})
    give_token(tx, f"token-{name}", revoked=lifted)


def give_token(tx: Transaction, name: str, *, revoked: bool) -> None:
    """A token of the management API, and its revocation."""
    token = AccessToken(
        token_id=name,
        name="control room",
        role=Role.OPERATOR,
        created_at=NOON,
        expires_at=NOON + timedelta(days=1),
    )
    handle = tx.command(f"token/{name}", kind="token", at=NOON, digest="")
    tokens.add(tx, handle, token, secret_sha256=name)
    handle.finish({})
    if revoked:
        handle = tx.command(f"token-revoked/{name}", kind="token-revoked", at=NOON, digest="")
        tokens.revoke(tx, handle, name)
        handle.finish({})


def take_job(
    tx: Transaction, job_key: str, when: datetime, *, holder: str = "one", at: datetime = NOON
) -> Job:
    job, taken = claim_job(
        tx, job_key, when, holder=holder, at=at,
        machine_now=at, lease_until=at + timedelta(seconds=30),
    )  # fmt: skip
    assert taken, job
    return job
