"""Any sequence of steps leaves the ledger where a tiny model says it should be."""

from __future__ import annotations

import shutil
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from scheduler.domain import Pool
from scheduler.errors import DuplicateBlock, NotEnoughKey, RequestConflict, WrongState
from scheduler.ledger import KeyState, Ledger, ReservationState, open_ledger
from scheduler.ledger.commands import CommandHandle
from scheduler.ledger.keys.delivery import collect_keys, draw_keys
from scheduler.ledger.keys.expiry import let_expire
from scheduler.ledger.keys.reservation_reads import get_reservation
from scheduler.ledger.keys.reservations import intend_reservation, reserve_key, resolve_reservation
from scheduler.ledger.keys.spending import spend_pool
from scheduler.ledger.keys.stock import get_balances
from scheduler.ledger.keys.transitions import destroy_block, move_block
from scheduler.ledger.vault.keystore import LocalKek
from tests.scheduler.ledger.builders import NOON, deposit, uuid_of

POOL = Pool.link("a", "b")
R = ReservationState
BYTES = st.integers(1, 90)


class LedgerMachine(RuleBasedStateMachine):
    """The ledger against five counters and a list of what is reserved."""

    template: Path
    kek: LocalKek

    blocks = Bundle("blocks")
    reservations = Bundle("reservations")
    keys = Bundle("keys")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="skytrunk-machine-"))
        shutil.copy(self.template, self.folder / "ledger.db")
        self.ledger = self._open()
        self.count = 0
        self.now = NOON
        self.left: dict[str, int] = {}  # bits of each block that nobody was given
        self.state: dict[str, KeyState] = {}
        self.model = dict.fromkeys(
            ("pool", "reserved", "uncertain", "spent", "delivered", "expired", "withdrawn", "held"),
            0,
        )
        self.generated = 0
        self.reserved: dict[str, tuple[int, ReservationState]] = {}
        self.given: set[bytes] = set()

    def _open(self) -> Ledger:
        return open_ledger(f"sqlite:///{self.folder / 'ledger.db'}", kek=self.kek)

    def teardown(self) -> None:
        assert self.ledger.view.verify().problems == ()
        self.ledger.close()
        shutil.rmtree(self.folder)

    def _name(self, kind: str) -> str:
        self.count += 1
        return f"{kind}-{self.count}"

    def _handle(self, tx, kind: str) -> CommandHandle:  # type: ignore[no-untyped-def]
        handle = tx.command(self._name(kind), kind=kind, at=self.now, digest="")
        handle.finish({})
        return handle

    def _move(self, source: str, target: str, bits: int) -> None:
        self.model[source] -= bits
        self.model[target] += bits

    @rule(target=blocks, size=BYTES)
    def deposit(self, size: int) -> str:
        name = self._name("block")
        with self.ledger.begin() as tx:
            deposit(tx, name, size * 8, pool=POOL, at=self.now)
        self.model["pool"] += size * 8
        self.generated += size * 8
        self.state[name] = KeyState.AVAILABLE
        return name

    @rule(name=blocks)
    def deposit_again(self, name: str) -> None:
        with self.ledger.begin() as tx, pytest.raises((DuplicateBlock, RequestConflict)):
            deposit(tx, name, 8, pool=POOL, at=self.now)

    @rule(size=BYTES)
    def spend(self, size: int) -> None:
        bits = size * 8
        with self.ledger.begin() as tx:
            handle = self._handle(tx, "spend")
            if bits > self.model["pool"]:
                with pytest.raises(NotEnoughKey):
                    spend_pool(tx, handle, POOL.pool_id, bits)
                return
            chunks = spend_pool(tx, handle, POOL.pool_id, bits)
        self._move("pool", "spent", bits)
        assert sum(part.chunk.length_bits for part in chunks) == bits

    @rule(target=reservations, size=BYTES, minutes=st.integers(1, 30))
    def reserve(self, size: int, minutes: int) -> str:
        name, bits = self._name("reservation"), size * 8
        with self.ledger.begin() as tx:
            handle = self._handle(tx, "reserve")
            until = self.now + timedelta(minutes=minutes)
            arguments = {"reservation_id": uuid_of(name), "purpose": "", "expires_at": until}
            if bits > self.model["pool"]:
                with pytest.raises(NotEnoughKey):
                    reserve_key(tx, handle, POOL.pool_id, bits, **arguments)
                return name
            reserve_key(tx, handle, POOL.pool_id, bits, **arguments)
        self._move("pool", "reserved", bits)
        self.reserved[name] = (bits, R.OPEN)
        return name

    @rule(name=reservations)
    def intend(self, name: str) -> None:
        self._step(
            name,
            lambda tx, handle: intend_reservation(tx, handle, uuid_of(name)),
            R.INTENDED,
            {R.OPEN},
        )

    @rule(name=reservations)
    def release(self, name: str) -> None:
        self._resolve(name, R.RELEASED, {R.OPEN})

    @rule(name=reservations)
    def deliver(self, name: str) -> None:
        self._resolve(name, R.DELIVERED, {R.OPEN, R.INTENDED, R.UNCERTAIN})

    @rule(name=reservations)
    def consume(self, name: str) -> None:
        self._resolve(name, R.RELAY_CONSUMED, {R.OPEN, R.INTENDED, R.UNCERTAIN})

    @rule(name=reservations)
    def doubt(self, name: str) -> None:
        self._resolve(name, R.UNCERTAIN, {R.OPEN, R.INTENDED})

    @rule(name=consumes(reservations))
    def void(self, name: str) -> None:
        self._resolve(name, R.VOIDED, {R.UNCERTAIN})

    def _resolve(self, name: str, to: ReservationState, allowed: set[ReservationState]) -> None:
        self._step(
            name, lambda tx, handle: resolve_reservation(tx, handle, uuid_of(name), to), to, allowed
        )

    def _step(self, name, step, to, allowed) -> None:  # type: ignore[no-untyped-def]
        if name not in self.reserved:
            return
        bits, was = self.reserved[name]
        try:
            with self.ledger.begin() as tx:
                step(tx, self._handle(tx, to.value))
                handed = get_balances(tx)[POOL.pool_id]
        except WrongState:
            late = self._is_late(name)
            held = any(state is not KeyState.AVAILABLE for state in self.state.values())
            assert was not in allowed or late or held
            return
        assert was in allowed
        if to is not R.INTENDED:
            source = "uncertain" if was is R.UNCERTAIN else "reserved"
            accounts = {
                R.DELIVERED: "delivered",
                R.RELAY_CONSUMED: "spent",
                R.UNCERTAIN: "uncertain",
                R.VOIDED: "withdrawn",
            }
            if to in accounts:
                self._move(source, accounts[to], bits)
            else:
                # Released key goes where its blocks went meanwhile: take that over.
                self.model["reserved"] -= bits
                for kind in ("pool", "held", "expired", "withdrawn"):
                    self.model[kind] = handed[kind]
        self.reserved[name] = (bits, to)

    def _is_late(self, name: str) -> bool:
        with self.ledger.view.read() as reader:
            return get_reservation(reader, uuid_of(name)).expires_at <= self.now

    @rule(minutes=st.integers(-20, 40))
    def let_time_pass(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)
        with self.ledger.begin() as tx:
            let_expire(tx, self._handle(tx, "expire"))
            after = get_balances(tx)[POOL.pool_id] if self.generated else {}
            for name, (bits, was) in self.reserved.items():
                now = get_reservation(tx, uuid_of(name)).state
                if now is not was:
                    assert (was, now) in {(R.OPEN, R.RELEASED), (R.INTENDED, R.UNCERTAIN)}
                    self.reserved[name] = (bits, now)
        total = sum(self.model.values())
        self.model = {kind: after.get(kind, 0) for kind in self.model}
        assert sum(self.model.values()) == total

    @rule(
        name=blocks,
        step=st.sampled_from(
            [
                (KeyState.AVAILABLE, KeyState.HELD),
                (KeyState.HELD, KeyState.AVAILABLE),
                (KeyState.AVAILABLE, KeyState.EXPIRED),
                (KeyState.HELD, KeyState.COMPROMISED),
            ]
        ),
    )
    def move_block(self, name: str, step: tuple[KeyState, KeyState]) -> None:
        was, to = step
        account = {
            KeyState.AVAILABLE: "pool",
            KeyState.HELD: "held",
            KeyState.EXPIRED: "expired",
            KeyState.COMPROMISED: "withdrawn",
        }
        try:
            with self.ledger.begin() as tx:
                handle = self._handle(tx, "move")
                bits = move_block(tx, handle, uuid_of(name), expected=was, to=to)
        except WrongState:
            return
        assert self.state[name] is was
        self.state[name] = to
        self._move(account[was], account[to], bits)

    @rule(name=blocks)
    def destroy(self, name: str) -> None:
        try:
            with self.ledger.begin() as tx:
                destroy_block(tx, uuid_of(name))
        except WrongState:
            return
        assert self.state[name] in (KeyState.EXPIRED, KeyState.COMPROMISED)
        self.state[name] = KeyState.DESTROYED

    @rule(target=keys, size=st.sampled_from([64, 128]))
    def draw(self, size: int) -> str:
        name = self._name("key")
        with self.ledger.begin() as tx:
            handle = self._handle(tx, "draw")
            try:
                draw_keys(
                    tx,
                    handle,
                    POOL.pool_id,
                    key_ids=[uuid_of(name)],
                    size_bits=size,
                    recipients={"m": 0, "s": 1},
                )
            except NotEnoughKey:
                return ""
        self._move("pool", "delivered", size)
        return name

    @rule(name=keys, who=st.sampled_from(["m", "s"]))
    def collect(self, name: str, who: str) -> None:
        if not name:
            return
        mark = f"{name}/{who}".encode()
        try:
            with self.ledger.begin() as tx:
                collect_keys(tx, self._handle(tx, "collect"), [uuid_of(name)], who)
        except WrongState:
            assert mark in self.given
            return
        assert mark not in self.given
        self.given.add(mark)

    @rule()
    def close_and_open(self) -> None:
        self.ledger.close()
        self.ledger = self._open()

    @precondition(lambda self: self.generated)
    @invariant()
    def balances_are_the_models(self) -> None:
        with self.ledger.view.read() as reader:
            balances = get_balances(reader)[POOL.pool_id]
        assert balances["generated"] == -self.generated
        assert {kind: balances[kind] for kind in self.model} == self.model


def test_every_sequence_of_steps_keeps_the_books(
    sqlite_template: Path, kek: LocalKek, request: pytest.FixtureRequest
) -> None:
    LedgerMachine.template = sqlite_template
    LedgerMachine.kek = kek
    run_state_machine_as_test(
        LedgerMachine,
        settings=settings(
            max_examples=12,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
