"""Pools and their accounts: made on first use, then known by number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from scheduler.domain import Pool
from scheduler.errors import FactError
from scheduler.ledger.db.numbers import RowNumbers
from scheduler.ledger.log.canonical import pool_digest
from scheduler.ledger.log.tables import sealed
from scheduler.ledger.schema import Account, PoolRow
from scheduler.ledger.states import AccountKind

_LATER_EPOCHS = select(PoolRow.pool_id, PoolRow.epoch).where(PoolRow.epoch > 0)
_POOL = select(PoolRow.id, PoolRow.simulated).where(PoolRow.pool_id == bindparam("pool_"))
_SIMULATED = update(PoolRow).where(PoolRow.id == bindparam("ref_")).values(simulated=True)
_ADD_POOL, _ADD_ACCOUNT = insert(PoolRow), insert(Account)
_ACCOUNTS = select(Account.kind, Account.id).where(Account.pool_ref == bindparam("pool_"))


@dataclass(frozen=True, slots=True)
class PoolNumbers:
    """The numbers behind a pool's name; they never change."""

    ref: int
    accounts: dict[AccountKind, int]
    simulated: bool


class PoolBook:
    """The pools one transaction knows; what it learnt is shared after its commit."""

    def __init__(self, known: dict[str, PoolNumbers]) -> None:
        self._shared = known
        self._learnt: dict[str, PoolNumbers] = {}
        self._refs: dict[str, int] = {}  #: numbers looked up in this transaction
        self._epochs: dict[str, int] | None = None
        self._pools: dict[int, dict[str, Any]] = {}  #: rows held back, by number
        self._accounts: list[dict[str, Any]] = []
        self.made: list[tuple[int, str]] = []  #: number and hash of each pool that is new

    def flush(self, connection: Connection) -> None:
        """Write down the pools made since the last time; nothing may refer to them before."""
        if self._pools:
            connection.execute(_ADD_POOL, list(self._pools.values()))
            connection.execute(_ADD_ACCOUNT, self._accounts)
            self._pools, self._accounts = {}, []

    def publish(self) -> None:
        """Share what this transaction learnt; call it after the commit, never before."""
        self._shared.update(self._learnt)

    def numbers(self, connection: Connection, pool_ids: Sequence[str]) -> list[int]:
        """The numbers of pools. Raises FactError for one that is not there."""
        try:
            return list(map(self._refs.__getitem__, pool_ids))
        except KeyError:
            self._refs.update(zip(pool_ids, self._find_numbers(connection, pool_ids), strict=True))
        return list(map(self._refs.__getitem__, pool_ids))

    def _find_numbers(self, connection: Connection, pool_ids: Sequence[str]) -> list[int]:
        found = []
        for pool_id in pool_ids:
            numbers = self.find(connection, pool_id)
            if numbers is None:
                raise FactError(f"a path over {pool_id}, a pool that never held key")
            found.append(numbers.ref)
        return found

    def find(self, connection: Connection, pool_id: str) -> PoolNumbers | None:
        """The pool of that name, or None if no key was ever put there."""
        known = self._learnt.get(pool_id) or self._shared.get(pool_id)
        if known is not None:
            return known
        row = connection.execute(_POOL, {"pool_": pool_id}).one_or_none()
        if row is None:
            return None
        accounts = connection.execute(_ACCOUNTS, {"pool_": row.id})
        numbers = {AccountKind(kind): number for kind, number in accounts}
        self._learnt[pool_id] = PoolNumbers(row.id, numbers, row.simulated)
        return self._learnt[pool_id]

    def open(self, connection: Connection, pool: Pool, numbers: RowNumbers) -> PoolNumbers:
        """The pool, made with all its accounts if it is new."""
        known = self.find(connection, pool.pool_id)
        if known is not None:
            return known
        numbers.expect({"pool": 1, "account": len(AccountKind)})
        ref = numbers.next("pool")
        row = {
            "id": ref,
            "pool_id": pool.pool_id,
            "kind": pool.kind.value,
            "node_a": pool.node_a,
            "node_b": pool.node_b,
            "parallel": pool.parallel,
            "simulated": False,
            "epoch": 0,
        }
        self._pools[ref] = sealed("pool", row)
        accounts = {kind: numbers.next("account") for kind in AccountKind}
        rows = [
            {"id": number, "pool_ref": ref, "kind": kind.value, "balance_bits": 0, "odd_bits": 0}
            for kind, number in accounts.items()
        ]
        sealed_rows = [sealed("account", row) for row in rows]
        self._accounts += sealed_rows
        digest = pool_digest(self._pools[ref]["sha256"], [row["sha256"] for row in sealed_rows])
        self.made.append((ref, digest))
        self._learnt[pool.pool_id] = PoolNumbers(ref, accounts, False)
        return self._learnt[pool.pool_id]

    def mark_simulated(self, connection: Connection, pool_id: str) -> None:
        """Mark a pool as simulated, for ever."""
        numbers = self.find(connection, pool_id)
        assert numbers is not None
        if not numbers.simulated:
            if numbers.ref in self._pools:
                self._pools[numbers.ref]["simulated"] = True
            else:
                connection.execute(_SIMULATED, {"ref_": numbers.ref})
            self._learnt[pool_id] = replace(numbers, simulated=True)

    def epoch(self, connection: Connection, pool_id: str) -> int:
        """The pool's epoch; read once a transaction, for another process may begin a new one."""
        if self._epochs is None:
            self._epochs = dict(connection.execute(_LATER_EPOCHS).all())
        return self._epochs.get(pool_id, 0)

    def set_epoch(self, pool_id: str, epoch: int) -> None:
        """Remember that this transaction began a new epoch."""
        self._epochs = (self._epochs or {}) | {pool_id: epoch}
