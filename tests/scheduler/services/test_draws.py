"""Requests that are drawn together: a command each, one transaction, all as if each were alone."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from sqlalchemy import text

from scheduler import services
from scheduler.domain import Delivery, KeyConstraints, KeyRequest
from scheduler.errors import InputError, NotAllowed, NotEnoughKey, UnknownName
from scheduler.ledger.keys.stock import get_balances
from scheduler.ledger.reader import get_commands
from scheduler.services.context import Context
from scheduler.services.delivery import (
    Asked,
    asked_of,
    dec_keys,
    draw_of_stock,
    settle_answers,
)
from scheduler.services.merges.at_request import merge_for
from tests.scheduler.services.ring import PAIR, TEXT, give_link_key, register

Open = Callable[..., Context]
ENTITIES = ("bank-e", "desk-e"), ("bank-w", "bank-w2")


@pytest.fixture
def ring(open_context: Open) -> Context:
    """The ring with 60,000 bits of the pair, in two blocks, and no link key left to merge."""
    context = open_context(text=TEXT)
    give_link_key(context, "first", 65_536)
    register(context)
    for bits in (20_000, 40_000):
        merge_for(context, PAIR, bits, constraints=KeyConstraints(), at=context.clock.now())
    return context


def ask(context: Context, master: str, slave: str, number: int = 1, size_bits: int = 256) -> Asked:
    request = KeyRequest(number=number, size_bits=size_bits)
    return asked_of(context, master=master, slave=slave, request=request)


def delivered(context: Context, *every: Asked) -> list[Delivery]:
    found = draw_of_stock(context, every).result(timeout=60)
    assert all(isinstance(one, Delivery) for one in found)
    return [one for one in found if isinstance(one, Delivery)]


def drawn_keys(context: Context) -> int:
    with context.view.read() as reader:
        found: int = reader.connection.execute(text('SELECT count(*) FROM "key"')).scalar_one()
    return found


def test_every_request_has_its_own_keys_command_and_answer(ring: Context) -> None:
    chance, asked = Random(16), list[Asked]()
    for _ in range(24):
        # Both directions, several sizes and numbers; the first block ends among them.
        master, slave = map(chance.choice, chance.sample(ENTITIES, 2))
        number, size_bits = chance.choice((1, 2, 5)), chance.choice((128, 256, 1000))
        asked.append(ask(ring, master, slave, number, size_bits))

    given = [one for first in range(0, 24, 8) for one in delivered(ring, *asked[first : first + 8])]

    for one, answer in zip(asked, given, strict=True):
        assert len(answer.keys) == one.request.number
        assert {8 * len(key.material) for key in answer.keys} == {one.size_bits}
        ids = [key.key_id for key in answer.keys]
        taken = dec_keys(ring, slave=one.slave, master=one.master, key_ids=ids)
        assert [key.material for key in taken.keys] == [key.material for key in answer.keys]
        settle_answers(ring, [answer.answer_id, taken.answer_id])
    materials = [key.material for answer in given for key in answer.keys]
    assert len(set(materials)) == len(materials) == sum(one.request.number for one in asked)
    with ring.view.read() as reader:
        commands = get_commands(reader, kind="enc-keys")
    assert [one.request_id for one in commands if one.request_id in {a.answer_id for a in given}]
    assert sorted(one.request_id for one in commands) == sorted(one.answer_id for one in given)
    assert services.verify_ledger(ring).problems == ()


@pytest.mark.parametrize(
    ("master", "slave", "why"),
    [
        ("nobody", "bank-w", NotAllowed),
        ("bank-e", "nobody", UnknownName),
        ("bank-e", "desk-e", InputError),
        ("bank-e", "bank-e", InputError),
    ],
)
def test_whoever_is_refused_takes_nobody_along(
    ring: Context, master: str, slave: str, why: type[Exception]
) -> None:
    good, bad = ask(ring, "bank-e", "bank-w"), ask(ring, master, slave)

    first, refused, last = draw_of_stock(ring, [good, bad, good]).result(timeout=60)

    assert isinstance(refused, why)
    assert isinstance(first, Delivery)
    assert isinstance(last, Delivery)
    assert first.keys[0].material != last.keys[0].material
    with pytest.raises(why):
        draw_of_stock(ring, [bad]).result(timeout=60)
    assert drawn_keys(ring) == 2


def test_a_group_that_is_too_much_draws_nothing(ring: Context) -> None:
    with ring.view.read() as reader:
        before = get_balances(reader)
    every = [ask(ring, "bank-e", "bank-w", 20, 1024) for _ in range(5)]

    with pytest.raises(NotEnoughKey):
        draw_of_stock(ring, every).result(timeout=60)

    with ring.view.read() as reader:
        assert get_balances(reader) == before
    assert drawn_keys(ring) == 0
    assert services.verify_ledger(ring).problems == ()


def test_nothing_shows_a_bit_of_key(ring: Context) -> None:
    (given,) = delivered(ring, ask(ring, "bank-e", "bank-w"))

    assert given.keys[0].material.hex() not in repr(given)
    assert repr(given.keys[0].material) not in repr(given)
