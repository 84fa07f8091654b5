"""Use cases of key at rest: epochs that grow old end, what ended is shredded, keys are replaced."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from scheduler import services
from scheduler.clock import SimulatedClock
from scheduler.domain import Pool
from scheduler.errors import UnknownName
from scheduler.services.context import Context
from scheduler.settings import load_settings
from tests.scheduler.ledger.builders import NANSHAN_XINGLONG, NOON, deposit, spend

POOL_ID = NANSHAN_XINGLONG.pool_id
OTHER = Pool.link("a", "b")


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(NOON)


@pytest.fixture
def context(
    tmp_path: Path, clock: SimulatedClock, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Context]:
    """A ledger with key in two pools."""
    for name in ("SKYTRUNK_KEK", "SKYTRUNK_KEK_FILE", "SKYTRUNK_KEY_FOLDER"):
        monkeypatch.delenv(name, raising=False)
    settings = load_settings(
        database_url=f"sqlite:///{tmp_path / 'ledger.db'}", key_folder=tmp_path / "keys"
    )
    with Context(settings, clock=clock) as opened:
        with opened.ledger.begin() as tx:
            deposit(tx, "one", 80_000)
            deposit(tx, "two", 256, pool=OTHER)
        yield opened


def test_what_grew_old_ends_and_is_shredded(context: Context, clock: SimulatedClock) -> None:
    assert services.keep_vault(context, at=NOON + timedelta(hours=23)) == {
        "epochs_begun": 0, "epochs_shredded": 0, "pieces_sealed_anew": 0, "keys_made_up_for": 0,
    }  # fmt: skip
    later = NOON + timedelta(hours=24)
    assert services.keep_vault(context, at=later) == {
        "epochs_begun": 2, "epochs_shredded": 2, "pieces_sealed_anew": 8, "keys_made_up_for": 0,
    }  # fmt: skip
    assert services.keep_vault(context, at=later)["epochs_begun"] == 0
    clock.advance_to(later)
    found = services.vault_status(context)
    assert [(one.pool_id, one.epoch, one.begun_at, one.pieces) for one in found.epochs] == [
        (OTHER.pool_id, 1, later, 2),
        (POOL_ID, 1, later, 6),
    ]
    assert (found.undestroyed, found.overdue) == (0, ())
    assert context.view.verify().ok


def test_an_epoch_that_ended_long_ago_is_overdue(context: Context, clock: SimulatedClock) -> None:
    assert services.begin_epochs(context, [POOL_ID]) == {"epochs_begun": 1}
    assert services.vault_status(context).overdue == ()
    clock.advance_to(NOON + timedelta(hours=1))
    (late,) = services.vault_status(context).overdue
    assert (late.pool_id, late.epoch, late.ended_at, late.pieces) == (POOL_ID, 0, NOON, 6)
    assert services.shred_epochs(context)["pieces_sealed_anew"] == 6
    assert services.vault_status(context).overdue == ()


def test_a_pool_that_never_held_key_has_no_epoch(context: Context) -> None:
    with pytest.raises(UnknownName, match="no pool nowhere"):
        services.begin_epochs(context, ["nowhere"])


def test_a_new_key_takes_the_place_of_the_old_one(context: Context, tmp_path: Path) -> None:
    before = (tmp_path / "ledger.db.kek").read_text()
    done = services.rotate_kek(context)
    assert done["data_keys"] == 2
    assert (tmp_path / "ledger.db.kek").read_text() != before
    assert services.vault_status(context).kek_id == done["kek_id"]
    (chunk,) = spend(context.ledger, "s", 80_000)
    assert len(chunk.material_a) == 10_000
    context.close()
    assert context.ledger.view.verify().ok
