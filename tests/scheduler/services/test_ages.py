"""End-to-end key of a demand that limits its age: made of young key, and gone in time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest

from scheduler import services
from scheduler.domain import NewBlock, Pool, SourceBlock
from scheduler.errors import NotEnoughKey
from scheduler.ledger.keys.delivery import draw_keys
from scheduler.ledger.keys.deposit import deposit_block
from scheduler.ledger.keys.reservations import reserve_key
from scheduler.ledger.keys.stock import get_expiring_stock, get_stock
from scheduler.services.context import Context
from scheduler.services.plans.inputs import demand_facts
from tests.scheduler.services.nights import NIGHT, export

Open = Callable[..., Context]

HOUR = timedelta(hours=1)
NODES = ("east", "mid", "west", "south")
RING = "\n".join(
    [
        'name = "ring"\ntitle = "Two ways from east to west"',
        *(
            f'[[nodes]]\nid = "{node}"\nkind = "backbone"\nname = "{node}"\nlat_deg = 40.0\n'
            "lon_deg = 100.0\nsynthetic = true"
            for node in NODES
        ),
        *(
            f'[[links]]\nfrom = "{one}"\nto = "{other}"\nkind = "fibre"\nlength_km = 60.0\n'
            'preset = "trunk-span"\nbuffer_bits = 8192\nsynthetic = true'
            for one, other in (
                ("east", "mid"), ("mid", "west"), ("east", "south"), ("south", "west"),
            )
        ),
    ]
)  # fmt: skip


SPUR = (
    '[[nodes]]\nid = "spur"\nkind = "backbone"\nname = "spur"\nlat_deg = 40.0\nlon_deg = 100.0\n'
    'synthetic = true\n[[links]]\nfrom = "south"\nto = "spur"\nkind = "fibre"\nlength_km = 60.0\n'
    'preset = "trunk-span"\nbuffer_bits = 8192\nsynthetic = true'
)
"""A link that leads nowhere, so that no demand may use it."""


def _demand(one: str, other: str, bits_per_day: int, **more: object) -> str:
    lines = ["[[demands]]", f'from = "{one}"', f'to = "{other}"', f"bits_per_day = {bits_per_day}"]
    return "\n".join([*lines, *(f"{name} = {value}" for name, value in more.items())])


def _ring(*demands: str) -> str:
    return "\n".join([RING, *demands])


def _deposit(context: Context, name: str, bits: int, *, hours: float, only: str = "") -> None:
    """Every link (or one) receives a block so many hours after the beginning of the night."""
    at = NIGHT + hours * HOUR
    with context.ledger.begin() as tx:
        command = tx.command(f"deposit/{name}", kind="trunk", at=at, digest="")
        for link in context.scenario.links:
            pool_id = link.pool.pool_id
            if only and pool_id != only:
                continue
            key = context.entropy.key_bytes("key", name, pool_id, length=bits // 8)
            block = NewBlock(
                block_id=context.entropy.uuid("block", name, pool_id), pool=link.pool,
                natural_key=f"{name}/{pool_id}", length_bits=bits, source="device",
                simulated=False,
            )  # fmt: skip
            deposit_block(tx, command, block, material_a=key, material_b=key)
        command.finish({})


def _merge(context: Context, *, hours: float) -> dict[str, list[dict[str, Any]]]:
    """Merge and return the steps of each demand."""
    answer = services.merge_due(context, scheduled_for=NIGHT + hours * HOUR)
    found: dict[str, list[dict[str, Any]]] = {}
    for step in answer["steps"]:
        found.setdefault(step["demand"], []).append(step)
    return found


def _sources(context: Context, step: dict[str, Any]) -> list[SourceBlock]:
    return list(services.trace_key(context, step["block"]).sources)


def _names(context: Context, step: dict[str, Any]) -> set[str]:
    return {one.natural_key.partition("/")[0] for one in _sources(context, step)}


def test_it_is_made_of_young_key_and_says_when_it_ends(open_context: Open) -> None:
    context = open_context(text=_ring(_demand("east", "west", 2560, max_age_s=7200)))
    _deposit(context, "old", 4096, hours=0)
    _deposit(context, "young", 2048, hours=2)
    _deposit(context, "younger", 2048, hours=3)

    (step,) = _merge(context, hours=3.5)["east--west"]

    assert step["bits"] == 2560 - 256
    assert _names(context, step) == {"younger", "young"}
    ends = NIGHT + 2 * HOUR + timedelta(seconds=7200)
    assert datetime.fromisoformat(step["expires_at"]) == ends
    trace = services.trace_key(context, step["block"])
    assert trace.block.expires_at == ends
    assert all(source.made_at + timedelta(seconds=7200) >= ends for source in trace.sources)
    assert services.verify_ledger(context).problems == ()
    assert services.merge_history(context)[-1]["steps"] == [step]


def test_where_only_old_key_is_left_nothing_is_merged_and_the_reason_is_age(
    open_context: Open,
) -> None:
    context = open_context(text=_ring(_demand("east", "west", 2560, max_age_s=7200)))
    _deposit(context, "old", 4096, hours=0)
    _deposit(context, "young", 4096, hours=1, only="link:east--mid")

    answer = services.merge_due(context, scheduled_for=NIGHT + 2 * HOUR)

    assert answer["steps"] == []
    reason = answer["reasons"]["east--west"]
    assert "no key to spare on" in reason
    assert "younger than 7200 s" in reason
    assert "link:east--mid" not in reason
    plan = services.plan_merges(context, at=NIGHT + 2 * HOUR)
    assert [one.reason for one in plan.demands] == [reason]


def test_without_a_limit_old_key_goes_first_and_nothing_ends(open_context: Open) -> None:
    context = open_context(text=_ring(_demand("east", "west", 2560)))
    _deposit(context, "old", 4096, hours=0)
    _deposit(context, "young", 4096, hours=3)

    (step,) = _merge(context, hours=3.5)["east--west"]

    assert _names(context, step) == {"old"}
    assert "expires_at" not in step
    assert services.trace_key(context, step["block"]).block.expires_at is None


def test_two_limits_and_none_share_a_link_in_one_tick(open_context: Open) -> None:
    context = open_context(
        text=_ring(
            _demand("mid", "east", 1024, max_age_s=3600),
            _demand("east", "west", 1024, max_age_s=10_800, min_disjoint_paths=2),
            _demand("mid", "south", 2048),
        )
    )
    for hours, name in enumerate(("ancient", "old", "young", "younger")):
        _deposit(context, name, 1536, hours=hours)

    steps = _merge(context, hours=3.5)

    ((short,), (long,), free) = (steps[name] for name in ("mid--east", "east--west", "mid--south"))
    assert _names(context, short) == {"younger"}
    assert _names(context, long) <= {"young", "younger"}
    assert datetime.fromisoformat(short["expires_at"]) == NIGHT + 4 * HOUR
    assert datetime.fromisoformat(long["expires_at"]) == NIGHT + 5 * HOUR
    assert all("expires_at" not in step for step in free)
    assert {name for step in free for name in _names(context, step)} == {"ancient", "old"}
    assert sum(step["bits"] + 256 for step in free) == 2048
    assert services.verify_ledger(context).problems == ()
    for step in (short, long, *free):
        for source in _sources(context, step):
            assert source.made_at < NIGHT + 3.5 * HOUR
    # No bit was spent twice, and both ends hold what the trace says.
    used: dict[UUID, list[tuple[int, int]]] = {}
    for step in (short, long, *free):
        for path in services.trace_key(context, step["block"]).paths:
            for chunk in (chunk for hop in path.hops for chunk in hop.chunks):
                used.setdefault(chunk.block_id, []).append((chunk.start_bit, chunk.end_bit))
    for ranges in used.values():
        ordered = sorted(ranges)
        assert all(one[1] <= two[0] for one, two in pairwise(ordered))


def test_it_is_gone_when_its_time_comes_and_not_before(open_context: Open) -> None:
    context = open_context(text=_ring(_demand("east", "west", 2560, max_age_s=7200)))
    _deposit(context, "one", 4096, hours=0)
    (step,) = _merge(context, hours=1)["east--west"]
    pool, ends = Pool.pair("east", "west").pool_id, NIGHT + 2 * HOUR

    def draw(name: str, at: datetime) -> None:
        with context.ledger.begin() as tx:
            command = tx.command(name, kind="draw", at=at, digest="")
            ids = [context.entropy.uuid("drawn", name)]
            draw_keys(tx, command, pool, key_ids=ids, size_bits=256, recipients={"m": 0, "s": 1})
            command.finish({})

    draw("in time", ends - timedelta(microseconds=1))
    # At its end it cannot be had any more, also where nobody has let it expire yet.
    with pytest.raises(NotEnoughKey, match="holds 0"):
        draw("too late", ends)
    answer = services.expire_due(context, at=ends)
    assert (answer["blocks_expired"], answer["bits_expired"]) == (1, step["bits"] - 256)
    balances = services.pool_balances(context)[pool]
    assert (balances["pool"], balances["expired"], balances["delivered"]) == (
        0, step["bits"] - 256, 256,
    )  # fmt: skip
    with pytest.raises(NotEnoughKey, match="holds 0"):
        draw("after", ends + HOUR)
    assert services.verify_ledger(context).problems == ()


def test_a_repeated_tick_adds_nothing(open_context: Open) -> None:
    context = open_context(text=_ring(_demand("east", "west", 2560, max_age_s=7200)))
    _deposit(context, "one", 4096, hours=0)
    first = services.merge_due(context, scheduled_for=NIGHT + HOUR)
    before = export(context)

    assert services.merge_due(context, scheduled_for=NIGHT + HOUR) == first
    assert export(context) == before


def test_key_that_nobody_can_use_any_more_makes_room_for_young_key(open_context: Open) -> None:
    """A full buffer of key that is too old would starve its link for ever."""
    context = open_context(
        text=_ring(SPUR, _demand("east", "mid", 10**6, max_age_s=3600, high_water_bits=1024))
    )
    link = "link:east--mid"

    def hour(number: int) -> tuple[dict[str, Any], dict[str, Any]]:
        at = NIGHT + number * HOUR
        trunk = services.deposit_trunk(context, start=at - HOUR, end=at)
        services.expire_due(context, at=at)
        return trunk, services.merge_due(context, scheduled_for=at)

    trunk, merge = hour(1)
    assert trunk["deposited_bits"] == 5 * 8192
    assert [step["bits"] for step in merge["steps"]] == [768]
    # The pair is at its mark for hours; meanwhile the links' key grows too old.
    with context.ledger.begin() as tx:
        command = tx.command("reserve", kind="reserve", at=NIGHT + HOUR, digest="")
        reserve_key(tx, command, Pool.pair("east", "mid").pool_id, 768, purpose="test",
            reservation_id=context.entropy.uuid("r"), expires_at=NIGHT + 100 * HOUR,
        )  # fmt: skip
        command.finish({})
    trunk, merge = hour(5)
    balances = services.pool_balances(context)
    assert balances[link]["expired"] == 8192 - 1024
    assert [step["bits"] for step in merge["steps"]] == [768]
    # Links that no demand may use keep theirs: nothing is known of what they are for.
    assert balances["link:south--west"]["expired"] > 0
    assert balances["link:south--spur"]["expired"] == 0
    assert services.verify_ledger(context).problems == ()


def test_a_link_that_somebody_uses_without_a_limit_keeps_its_old_key(open_context: Open) -> None:
    context = open_context(
        text=_ring(
            _demand("east", "mid", 1024, max_age_s=3600, avoid_nodes='["south"]'),
            _demand("east", "west", 1024),
            _demand("south", "west", 1024, max_age_s=60, avoid_nodes='["mid"]'),
            _demand("west", "mid", 1024, max_age_s=9, avoid_nodes='["south"]'),
        )
    )  # fmt: skip

    assert context.lifetimes_s == {}
    alone = replace(
        context.scenario, demands=tuple(d for d in context.scenario.demands if d.max_age_s)
    )
    context.__dict__.update(scenario=alone)
    for name in ("lifetimes_s", "routes"):
        context.__dict__.pop(name, None)
    assert context.lifetimes_s == {
        "link:east--mid": 3600.0, "link:south--west": 60.0, "link:mid--west": 9.0,
    }  # fmt: skip


def test_the_planner_knows_what_of_a_links_key_ends_when(open_context: Open) -> None:
    context = open_context(text=_ring(_demand("east", "west", 2560, max_age_s=86_400)))
    services.deposit_trunk(context, start=NIGHT, end=NIGHT + HOUR)
    at = NIGHT + 2 * HOUR

    with context.ledger.view.read() as reader:
        facts = demand_facts(
            context, get_stock(reader, at=at), get_expiring_stock(reader, at=at), {}
        )
    for supply in facts["supplies"]:
        assert supply.lifetime_s == 86_400.0
        assert supply.expiring == ((NIGHT + HOUR + timedelta(days=1), supply.stock_bits),)
        assert supply.stock_bits == 8192
