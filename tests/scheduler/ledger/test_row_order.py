"""In whatever order a command marks rows, an audit and an export take them in one."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler.ledger import Ledger, open_ledger
from scheduler.ledger.keys.delivery import collect_keys, draw_keys
from scheduler.ledger.keys.reservations import intend_reservation, reserve_key
from scheduler.ledger.vault.keystore import LocalKek
from scheduler.ledger.verify.export import verify_lines
from tests.scheduler.ledger.builders import NANSHAN_XINGLONG, NOON, deposit, uuid_of
from tests.scheduler.ledger.postgres import Postgres

POOL = NANSHAN_XINGLONG.pool_id
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=6)
RECIPIENTS = st.one_of(
    st.just(["SAE_B", "sae_a", "sae-C", "Ä", "z", "\ue000", "\U0001f511"]),
    st.lists(NAMES, min_size=2, max_size=5, unique=True),
)
RESERVATIONS = 3


def _setting_aside(ledger: Ledger, order: list[int]) -> None:
    with ledger.begin() as tx:
        handle = tx.command("reserve", kind="reserve", at=NOON, digest="")
        for number in range(RESERVATIONS):
            reserve_key(
                tx,
                handle,
                POOL,
                64,
                reservation_id=uuid_of(f"r{number}"),
                purpose="test",
                expires_at=NOON + timedelta(hours=1),
            )
        handle.finish({})
    with ledger.begin() as tx:
        handle = tx.command("intend", kind="intend", at=NOON, digest="")
        for number in order:
            intend_reservation(tx, handle, uuid_of(f"r{number}"))
        handle.finish({})


def _handing_out(ledger: Ledger, recipients: list[str], order: list[int]) -> None:
    keys = [uuid_of("k0"), uuid_of("k1")]
    with ledger.begin() as tx:
        handle = tx.command("draw", kind="draw", at=NOON, digest="")
        ends = {name: place % 2 for place, name in enumerate(recipients)}
        draw_keys(tx, handle, POOL, key_ids=keys, size_bits=64, recipients=ends)
        handle.finish({})
    with ledger.begin() as tx:
        handle = tx.command("collect", kind="collect", at=NOON, digest="")
        for name in recipients:
            for number in order:
                if number < len(keys):
                    collect_keys(tx, handle, [keys[number]], name)
        handle.finish({})


def _check(ledger: Ledger, recipients: list[str], order: list[int]) -> None:
    with ledger.begin() as tx:
        deposit(tx, "one", 8192)
    _setting_aside(ledger, order)
    _handing_out(ledger, recipients, order)
    assert ledger.view.verify().problems == ()
    assert verify_lines(ledger.view.export_lines()).problems == ()


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(recipients=RECIPIENTS, order=st.permutations(range(RESERVATIONS)))
@pytest.mark.parametrize("store", ["sqlite", "postgresql"])
def test_no_order_of_marks_makes_a_sound_ledger_suspect(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    kek: LocalKek,
    store: str,
    recipients: list[str],
    order: list[int],
) -> None:
    if store == "sqlite":
        path = tmp_path_factory.mktemp("order") / "ledger.db"
        with open_ledger(f"sqlite:///{path}", kek=kek) as ledger:
            _check(ledger, recipients, order)
        return
    server: Postgres = request.getfixturevalue("postgres")
    name = server.unused_name()
    template: str = request.getfixturevalue("postgres_template")
    folder = tmp_path_factory.mktemp("keys")
    with open_ledger(server.create(name, template), kek=kek, key_folder=folder) as ledger:
        _check(ledger, recipients, order)
    server.drop(name)
