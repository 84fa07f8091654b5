"""Key at rest: sealed, bound to its place, rotated, shredded, and shut without its key."""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from scheduler.domain import NewBlock, Pool
from scheduler.errors import KeystoreError, LedgerBroken, LedgerError, WrongState
from scheduler.ledger import BlockRecord, Ledger, open_ledger, open_view
from scheduler.ledger.db.engine import make_engine
from scheduler.ledger.keys.blocks import get_blocks
from scheduler.ledger.keys.deposit import deposit_block
from scheduler.ledger.keys.epochs import begin_epoch, empty_epoch, shred_epoch
from scheduler.ledger.keys.expiry import let_expire
from scheduler.ledger.keys.transitions import erase_expired
from scheduler.ledger.opening import kek_at_hand
from scheduler.ledger.vault.keystore import (
    LocalKek,
    kek_from_file,
    kek_from_text,
    make_kek_file,
    seal,
    unseal,
)
from tests.scheduler.ledger.builders import (
    NANSHAN_XINGLONG,
    NOON,
    bytes_of,
    deposit,
    spend,
    uuid_of,
)

POOL_ID = NANSHAN_XINGLONG.pool_id


def _material(ledger: Ledger) -> list[tuple[int, int, int, bytes]]:
    with ledger._engine.connect() as connection:
        rows = connection.exec_driver_sql(
            "SELECT block_ref, side, start_byte, data FROM material"
            " ORDER BY block_ref, side, start_byte"
        )
        return [(ref, side, start, bytes(data)) for ref, side, start, data in rows]


def _set_material(ledger: Ledger, ref: int, side: int, data: bytes) -> None:
    from sqlalchemy import text

    with ledger._engine.connect().execution_options(ledger_writes=True) as connection:
        connection.execute(
            text("UPDATE material SET data = :d WHERE block_ref = :r AND side = :s"),
            {"d": data, "r": ref, "s": side},
        )
        connection.commit()


def test_key_is_nowhere_in_the_files_in_clear(sqlite_ledger: Ledger, tmp_path: Path) -> None:
    with sqlite_ledger.begin() as tx:
        key = deposit(tx, "one", 80_000)
    spend(sqlite_ledger, "some", 4096)
    sqlite_ledger.close()
    stored = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert len(stored) > 20_000
    for start in range(0, len(key) - 16, 512):
        assert key[start : start + 16] not in stored


def test_both_ends_are_sealed_differently(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        deposit(tx, "one", 256)
    (_, _, _, one), (_, _, _, other) = _material(ledger)
    assert one != other


@pytest.mark.parametrize("change", ["flip", "swap ends", "swap blocks", "truncate"])
def test_sealed_bytes_open_only_where_they_belong(ledger: Ledger, change: str) -> None:
    with ledger.begin() as tx:
        deposit(tx, "one", 256)
        deposit(tx, "two", 256)
    rows = {(ref, side): data for ref, side, _, data in _material(ledger)}
    wrong = {
        "flip": rows[1, 0][:-1] + bytes([rows[1, 0][-1] ^ 1]),
        "swap ends": rows[1, 1],
        "swap blocks": rows[2, 0],
        "truncate": rows[1, 0][:-1],
    }[change]
    _set_material(ledger, 1, 0, wrong)
    with pytest.raises(LedgerBroken, match=str(uuid_of("one"))):
        spend(ledger, "s", 256)
    assert any("does not open" in problem for problem in ledger.view.verify().problems)


def test_a_missing_key_file_keeps_the_ledger_shut(
    url: str, sqlite_ledger: Ledger, tmp_path: Path
) -> None:
    sqlite_ledger.close()
    (tmp_path / "ledger.db.kek").unlink()
    with pytest.raises(KeystoreError, match=r"ledger\.db\.kek: No such file"):
        open_ledger(url)


def test_an_audit_goes_without_the_key_and_sees_all_but_the_bytes(
    url: str, sqlite_ledger: Ledger, tmp_path: Path
) -> None:
    with sqlite_ledger.begin() as tx:
        deposit(tx, "one", 1024)
    sqlite_ledger.close()
    (tmp_path / "ledger.db.kek").unlink()
    with open_view(url) as view:
        report = view.verify()
        assert report.problems == ()
        assert report.figures["sealed_bytes_opened"] is False
        with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as file:
            file.execute("UPDATE ledger_entry SET line = 2")
        assert "ledger_entry 1: its row was changed" in view.verify().problems


def test_a_wrong_key_keeps_the_ledger_shut(url: str, sqlite_ledger: Ledger) -> None:
    other = LocalKek(os.urandom(32))
    with pytest.raises(KeystoreError, match=other.kek_id):
        open_ledger(url, kek=other)


def test_a_key_that_only_claims_to_be_the_right_one_is_found_out(
    url: str, sqlite_ledger: Ledger
) -> None:
    class Impostor(LocalKek):
        @property
        def kek_id(self) -> str:
            return sqlite_ledger._ring.kek.kek_id

    with pytest.raises(KeystoreError, match="does not open audit signing key"):
        open_ledger(url, kek=Impostor(os.urandom(32)))


def test_the_key_file_is_for_its_owner_alone(sqlite_ledger: Ledger, tmp_path: Path) -> None:
    path = tmp_path / "ledger.db.kek"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    with pytest.raises(KeystoreError, match="0644; allowed: 0600"):
        kek_from_file(path)


@pytest.mark.parametrize("text", ["", "ab" * 31, "zz" * 32, "ab" * 33])
def test_a_corrupt_key_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "kek"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(KeystoreError, match="64 hex digits"):
        kek_from_file(path)


def test_a_key_in_bytes_is_refused_and_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "kek"
    path.write_bytes(bytes(range(0x80, 0xA0)))
    path.chmod(0o600)
    with pytest.raises(KeystoreError, match="holds no key-encryption key; allowed: 64") as refusal:
        kek_from_file(path)
    assert "0x" not in str(refusal.value)
    assert refusal.value.__suppress_context__ or refusal.value.__context__ is None


def test_a_key_file_is_made_once(tmp_path: Path) -> None:
    one, other = make_kek_file(tmp_path / "kek"), make_kek_file(tmp_path / "kek")
    assert one.kek_id == other.kek_id
    assert [path.name for path in tmp_path.iterdir()] == ["kek"]


def test_the_environment_names_a_key_or_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_kek_file(tmp_path / "kek")
    engine = make_engine(f"sqlite:///{tmp_path / 'ledger.db'}")
    assert kek_at_hand(engine) is None
    monkeypatch.setenv("SKYTRUNK_KEK_FILE", str(tmp_path / "kek"))
    by_file = kek_at_hand(engine)
    monkeypatch.setenv("SKYTRUNK_KEK", (tmp_path / "kek").read_text())
    by_value = kek_at_hand(engine)
    assert by_value is not None
    assert by_file is not None
    assert by_value.kek_id == by_file.kek_id == made.kek_id


def test_no_key_shows_in_a_repr_or_an_error(ledger: Ledger) -> None:
    secret = os.urandom(32)
    kek = LocalKek(secret)
    assert secret.hex() not in repr(kek)
    with pytest.raises(KeystoreError) as error:
        kek_from_text(secret.hex()[:-2], origin="SKYTRUNK_KEK")
    assert secret.hex()[:16] not in str(error.value)
    with ledger.begin() as tx:
        key = deposit(tx, "one", 256)
    (chunk,) = spend(ledger, "s", 256)
    assert key.hex() not in repr(chunk)
    assert repr(key) not in repr(chunk)


def test_rotation_wraps_anew_and_leaves_the_bytes(
    ledger: Ledger, store_url: str, kek: LocalKek
) -> None:
    with ledger.begin() as tx:
        key = deposit(tx, "one", 512)
        deposit(tx, "two", 512, pool=Pool.link("a", "b"))
    before = _material(ledger)
    other = LocalKek(os.urandom(32))
    assert ledger.rotate_kek(other) == 2
    assert _material(ledger) == before
    ledger.close()
    with pytest.raises(KeystoreError, match=kek.kek_id):
        open_ledger(store_url, kek=kek)
    with open_ledger(store_url, kek=other) as again:
        (chunk,) = spend(again, "s", 512)
        assert chunk.material_a == key
        assert again.view.verify().problems == ()


def _key_files(folder: Path) -> dict[str, bytes]:
    """Every wrapped data key of a ledger of the fixtures, by the name of its file."""
    files = (folder / "ledger.db.keys").iterdir()
    return {one.name: one.read_bytes() for one in files if not one.name.startswith("counter.")}


def _begin(ledger: Ledger, name: str) -> int:
    with ledger.begin() as tx:
        handle = tx.command(name, kind="epoch", at=NOON, digest="")
        handle.finish({})
        return begin_epoch(tx, handle, POOL_ID)


def _shred(ledger: Ledger, name: str, epoch: int) -> int:
    with ledger.begin() as tx:
        handle = tx.command(name, kind="shred", at=NOON, digest="")
        handle.finish({})
        return shred_epoch(tx, handle, POOL_ID, epoch)


def test_a_shredded_epoch_leaves_its_rest_to_the_next_and_its_key_file_is_gone(
    ledger: Ledger, tmp_path: Path
) -> None:
    with ledger.begin() as tx:
        key = deposit(tx, "one", 80_000)
    spend(ledger, "s", 512)
    with pytest.raises(WrongState, match="is in epoch 0"):
        _shred(ledger, "too early", 0)
    assert _begin(ledger, "next") == 1
    before = {data for *_, data in _material(ledger)}
    assert len(_key_files(tmp_path)) == 2

    assert _shred(ledger, "now", 0) == 6  # three pieces of 3,840 bytes at either end

    assert [name.split(".")[2] for name in _key_files(tmp_path)] == ["1"]
    assert before.isdisjoint(data for *_, data in _material(ledger))
    assert ledger.view.verify().problems == ()
    with pytest.raises(WrongState, match="it was shredded"):
        _shred(ledger, "again", 0)
    with ledger.begin() as tx:
        other = deposit(tx, "two", 80_000)
    (rest,) = spend(ledger, "rest", 80_000 - 512)
    (last,) = spend(ledger, "last", 512)
    assert rest.material_a == key[512 // 8 :]
    assert last.material_b == other[: 512 // 8]
    assert ledger.view.verify().problems == ()


def test_an_epoch_is_emptied_step_by_step_while_its_key_is_in_use(ledger: Ledger) -> None:
    with ledger.begin() as tx:
        key = deposit(tx, "one", 80_000)
    _begin(ledger, "next")
    with ledger.begin() as tx:
        assert empty_epoch(tx, POOL_ID, 0, most=2) == 2
    (some,) = spend(ledger, "s", 40_000)
    assert some.material_a == key[:5000]
    assert ledger.view.verify().problems == ()
    _shred(ledger, "now", 0)
    (rest,) = spend(ledger, "rest", 40_000)
    assert rest.material_a == key[5000:]


def test_nothing_can_be_sealed_under_a_key_that_another_process_shredded(
    store_url: str, kek: LocalKek
) -> None:
    with open_ledger(store_url, kek=kek) as late, open_ledger(store_url, kek=kek) as ours:
        with late.begin() as tx:
            deposit(tx, "one", 256)
        _begin(ours, "next")
        _shred(ours, "now", 0)
        late_tx = late.begin()
        tx = late_tx.__enter__()
        deposit(tx, "two", 256)
        # As it would be had the epoch begun just now.
        tx.pending.material = [
            (names._replace(epoch=0), *rest) for names, *rest in tx.pending.material
        ]
        with pytest.raises(LedgerError, match="refused a row"):
            late_tx.__exit__(None, None, None)
        spend(late, "s", 256)
        assert ours.view.verify().problems == ()


def test_sealing_binds_bytes_to_their_context() -> None:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    cipher = AESGCM(os.urandom(32))
    sealed = seal(cipher, b"key", b"here")
    assert unseal(cipher, sealed, b"here") == b"key"
    with pytest.raises(InvalidTag):
        unseal(cipher, sealed, b"there")


def test_postgresql_needs_a_key_of_its_own(
    postgres_template: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    for name in ("SKYTRUNK_KEK", "SKYTRUNK_KEK_FILE"):
        monkeypatch.delenv(name, raising=False)
    url = request.getfixturevalue("postgres").url(postgres_template)
    with pytest.raises(KeystoreError, match="SKYTRUNK_KEK_FILE or SKYTRUNK_KEK"):
        open_ledger(url)


def test_a_process_that_missed_a_rotation_makes_no_key_under_the_old_one(
    store_url: str, kek: LocalKek
) -> None:
    other = LocalKek(os.urandom(32))
    with open_ledger(store_url, kek=kek) as late, open_ledger(store_url, kek=kek) as ours:
        with ours.begin() as tx:
            deposit(tx, "before", 256)
        ours.rotate_kek(other)

        with (
            pytest.raises(KeystoreError, match="start it again with the new one"),
            late.begin() as tx,
        ):
            deposit(tx, "late", 256, pool=Pool.link("a", "b"))
        with ours.begin() as tx:
            deposit(tx, "after", 256, pool=Pool.link("a", "b"))

    with open_ledger(store_url, kek=other) as opened:
        assert opened.view.verify().problems == ()
        assert {block.natural_key for block in _blocks(opened)} == {"before", "after"}


def _blocks(ledger: Ledger) -> list[BlockRecord]:
    with ledger.view.read() as reader:
        return get_blocks(reader)


def test_expired_key_is_not_left_in_the_write_ahead_log(tmp_path: Path, kek: LocalKek) -> None:
    file = tmp_path / "ledger.db"
    until = NOON + timedelta(hours=1)
    with open_ledger(f"sqlite:///{file}", kek=kek) as ledger:
        with ledger.begin() as tx:
            handle = tx.command("deposit", kind="test", at=NOON, digest="")
            key = bytes_of("short", 8 * 64)
            block = NewBlock(
                block_id=uuid_of("short"), pool=Pool.link("a", "b"), natural_key="short",
                length_bits=8 * 64, source="device", simulated=False,
            )  # fmt: skip
            deposit_block(tx, handle, block, material_a=key, material_b=key, expires_at=until)
            handle.finish({})
        sealed = [data for *_, data in _material(ledger)]
        with ledger.begin() as tx:
            handle = tx.command("expire", kind="test", at=until, digest="")
            let_expire(tx, handle)
            assert erase_expired(tx) == 1
            handle.finish({})
        log = file.with_name("ledger.db-wal").read_bytes()
        kept = file.read_bytes()
        assert ledger.view.verify().problems == ()

    assert len(sealed) == 2
    for secret in sealed:
        assert secret not in log
        assert secret not in kept
