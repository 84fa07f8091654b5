"""A folder of key: what is taken, and everything that is refused without a trace."""

import hashlib
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from scheduler import services
from scheduler.clock import SimulatedClock
from scheduler.entropy import KeyedEntropy
from scheduler.errors import DuplicateBlock, InputError, UnknownName
from scheduler.ledger.keys.blocks import get_blocks
from scheduler.ledger.keys.spending import spend_pool
from scheduler.ledger.reader import get_commands
from scheduler.ledger.vault.keystore import LocalKek
from scheduler.services.context import Context
from scheduler.settings import Settings
from scheduler.sources.filedrop import read_drop

SettingsOf = Callable[..., Settings]
NOON = datetime(2017, 1, 1, 12, tzinfo=UTC)
KEY = hashlib.shake_256(b"a test's key").digest(128)
LINK = "link:micius--nanshan"


def sha256(key: bytes) -> str:
    return hashlib.sha256(key).hexdigest()


def entry(**changed: Any) -> dict[str, Any]:
    """One sound block over the file that `drop` writes; None takes a key out."""
    given = {
        "pool": LINK, "natural_key": "device/1", "length_bits": 1024, "source": "device-17",
        "simulated": False, "eps_total": 1e-10, "file": "a.key", "sha256": sha256(KEY), **changed,
    }  # fmt: skip
    return {name: value for name, value in given.items() if value is not None}


@pytest.fixture
def drop(tmp_path: Path) -> Callable[..., Path]:
    """Writes a folder with a manifest of these blocks and the file `a.key`."""

    def write(*blocks: Any, name: str = "drop", form: str = "skytrunk-keys/1") -> Path:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "a.key").write_bytes(KEY)
        (folder / "manifest.json").write_text(json.dumps({"format": form, "blocks": blocks}))
        return folder

    return write


@pytest.fixture
def context(settings_of: SettingsOf) -> Iterator[Context]:
    with Context(settings_of(), clock=SimulatedClock(NOON), entropy=KeyedEntropy(1)) as opened:
        assert opened.ledger  # made, so that there is one to see that nothing was added to it
        yield opened


def test_a_drop_is_deposited_once_and_can_be_spent(
    drop: Callable[..., Path], context: Context
) -> None:
    folder = drop(entry())

    assert services.import_keys(context, folder) == {
        "blocks": 1,
        "bits": 1024,
        "pools": {LINK: 1024},
    }

    with context.ledger.begin() as tx:
        command = tx.command("spend", kind="test", at=NOON, digest="")
        (chunk,) = spend_pool(tx, command, LINK, 1024)
        command.finish({})
    assert (chunk.material_a, chunk.material_b) == (KEY, KEY)
    assert not chunk.simulated
    assert chunk.eps_total == 1e-10
    assert services.verify_ledger(context).ok


def test_toml_and_a_file_for_each_end(tmp_path: Path, context: Context) -> None:
    (tmp_path / "east.key").write_bytes(KEY)
    (tmp_path / "west.key").write_bytes(KEY)
    (tmp_path / "manifest.toml").write_text(
        f"""format = "skytrunk-keys/1"
[[blocks]]
pool = "{LINK}"
natural_key = "device/1"
length_bits = 1024
source = "device-17"
simulated = true
eps_total = 1e-9
file_a = "east.key"
sha256_a = "{sha256(KEY).upper()}"
file_b = "west.key"
sha256_b = "{sha256(KEY)}"
"""
    )

    services.import_keys(context, tmp_path)

    with context.ledger.view.read() as reader:
        (block,) = get_blocks(reader, LINK)
    assert (block.source, block.simulated, block.natural_key) == ("device-17", True, "device/1")
    assert block.received_at == NOON


def test_bits_that_fill_no_byte_are_kept(tmp_path: Path) -> None:
    key = bytes([0xAB, 0xC8])  # 13 bits, the last three zero
    (tmp_path / "a.key").write_bytes(key)
    body = {"format": "skytrunk-keys/1", "blocks": [entry(length_bits=13, sha256=sha256(key))]}
    (tmp_path / "manifest.json").write_text(json.dumps(body))

    (block,) = read_drop(tmp_path)

    assert (block.length_bits, block.material_a) == (13, key)
    assert key.hex() not in repr(block)
    assert repr(key) not in repr(block)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"pool": None}, "pool is missing"),
        ({"sha256": None}, "sha256 is missing"),
        ({"natural_key": ""}, "natural_key of 0 letters"),
        ({"natural_key": "a\nb"}, "printable"),
        ({"length_bits": "1024"}, "length_bits is str; allowed: int"),
        ({"length_bits": True}, "length_bits is bool; allowed: int"),
        ({"length_bits": 0}, "length_bits 0; allowed: 1 to 536870912"),
        ({"length_bits": 1032}, "has 128 bytes; allowed: 129 for 1032 bits"),
        ({"length_bits": 1021}, "bits past length_bits"),
        ({"simulated": "no"}, "simulated is str; allowed: bool"),
        ({"eps_total": 1.5}, "eps_total 1.5"),
        ({"eps_total": None}, "eps_total is missing"),
        ({"eps_total": 0}, "eps_total 0; allowed: above 0 and below 1"),
        ({"eps_total": 0.0}, "no source of key can promise 0"),
        ({"pool": "micius-nanshan"}, "allowed: link:a--b"),
        ({"pool": "pair:micius--nanshan"}, "allowed: a link"),
        ({"sha256": "0" * 64}, "sha256 is not that of a.key"),
        ({"sha256": "none"}, "sha256 is not that of a.key"),
        ({"file": "b.key"}, "b.key: No such file"),
        ({"file": "../drop/a.key"}, "allowed: the name of a file in the folder"),
        ({"file": "/etc/hostname"}, "allowed: the name of a file in the folder"),
        ({"file": None, "sha256": None}, "names no file"),
        ({"file_a": "a.key", "sha256_a": sha256(KEY)}, "allowed: file, or file_a and file_b"),
        ({"colour": "red"}, "'colour' is not known; allowed: pool"),
        ({"file": "a\0.key"}, "file of 6 letters; allowed: 1 to 200 printable ones"),
        ({"file": "\ud800"}, "file of 1 letters; allowed: 1 to 200 printable ones"),
        ({"sha256": "é" * 64}, "sha256 is not that of a.key"),
        ({"sha256": "\ud800"}, "sha256 of 1 letters; allowed: 1 to 200 printable ones"),
        ({"eps_total": 10**400}, "eps_total beyond 1e30; allowed: above 0 and below 1"),
        ({"length_bits": 10**400}, "length_bits beyond 1e30; allowed: 1 to 536870912"),
        ({"pool": "link:micius--nanshan#²"}, "allowed: link:a--b"),
        ({"pool": "link:micius--nanshan#" + "9" * 100}, "allowed: link:a--b"),
        ({"pool": "x" * 5000}, "pool of 5000 letters; allowed: 1 to 200 printable ones"),
        ({"natural_key": "merge/2016-12-19T12:00:00.000Z/0"}, "allowed: none that starts with"),
    ],
)
def test_a_block_that_does_not_fit_is_refused(
    drop: Callable[..., Path], context: Context, changed: dict[str, Any], says: str
) -> None:
    folder = drop(entry(natural_key="device/0", file="c.key"), entry(**changed))
    other = hashlib.shake_256(b"another key").digest(128)
    (folder / "c.key").write_bytes(other)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["blocks"][0]["sha256"] = sha256(other)
    (folder / "manifest.json").write_text(json.dumps(manifest))

    with pytest.raises(InputError) as refused:
        services.import_keys(context, folder)

    assert says in str(refused.value)
    assert "block 2 of drop" in str(refused.value)
    _holds_no_key(str(refused.value))
    assert services.pool_balances(context) == {}


def _holds_no_key(text: str) -> None:
    assert KEY.hex() not in text
    assert repr(KEY)[2:-1] not in text
    assert sha256(KEY) not in text


def test_ends_that_differ_are_refused(drop: Callable[..., Path], context: Context) -> None:
    other = bytes([KEY[0] ^ 1]) + KEY[1:]
    folder = drop(
        entry(file=None, sha256=None, file_a="a.key", sha256_a=sha256(KEY), file_b="b.key",
              sha256_b=sha256(other))
    )  # fmt: skip
    (folder / "b.key").write_bytes(other)

    with pytest.raises(InputError, match="unequal key") as refused:
        services.import_keys(context, folder)

    _holds_no_key(str(refused.value))
    assert services.pool_balances(context) == {}


@pytest.mark.parametrize(
    ("second", "says"),
    [
        ({}, "stands twice in the manifest"),
        ({"natural_key": "device/2"}, "hold the same key material"),
    ],
)
def test_twins_in_one_manifest_are_refused(
    drop: Callable[..., Path], context: Context, second: dict[str, Any], says: str
) -> None:
    with pytest.raises(InputError, match=says):
        services.import_keys(context, drop(entry(), entry(**second)))

    assert services.pool_balances(context) == {}


def test_a_drop_comes_in_once(drop: Callable[..., Path], context: Context) -> None:
    folder = drop(entry())
    services.import_keys(context, folder)
    before = list(services.export_ledger(context))

    with pytest.raises(DuplicateBlock, match="imported before"):
        services.import_keys(context, folder)

    assert list(services.export_ledger(context)) == before


def test_other_material_under_a_known_name_rejects_the_whole_drop(
    drop: Callable[..., Path], context: Context
) -> None:
    services.import_keys(context, drop(entry()))
    before = list(services.export_ledger(context))
    other = hashlib.shake_256(b"conflicting").digest(128)
    fresh = hashlib.shake_256(b"fresh").digest(128)
    folder = drop(
        entry(natural_key="device/2", file="b.key", sha256=sha256(fresh)),
        entry(file="c.key", sha256=sha256(other)),
        name="second",
    )
    (folder / "b.key").write_bytes(fresh)
    (folder / "c.key").write_bytes(other)

    with pytest.raises(DuplicateBlock, match="device/1"):
        services.import_keys(context, folder)

    assert list(services.export_ledger(context)) == before


def test_the_same_key_under_another_name_rejects_the_whole_drop(
    drop: Callable[..., Path], context: Context
) -> None:
    """Also when the first was spent long ago, and under a new key-encryption key."""
    services.import_keys(context, drop(entry()))
    with context.ledger.begin() as tx:
        command = tx.command("spend", kind="test", at=NOON, digest="")
        spend_pool(tx, command, LINK, 1024)
        command.finish({})
    context.ledger.rotate_kek(LocalKek(bytes(range(32))))
    before = list(services.export_ledger(context))
    fresh = hashlib.shake_256(b"fresh").digest(128)
    folder = drop(
        entry(natural_key="device/2", file="b.key", sha256=sha256(fresh)),
        entry(natural_key="device/3", pool="link:micius--xinglong", source="device-18"),
        name="second",
    )
    (folder / "b.key").write_bytes(fresh)

    with pytest.raises(DuplicateBlock, match="device/3 holds the key material of device/1") as no:
        services.import_keys(context, folder)

    _holds_no_key(str(no.value))
    assert list(services.export_ledger(context)) == before
    (folder / "a.key").write_bytes(hashlib.shake_256(b"its own").digest(128))
    manifest = (folder / "manifest.json").read_text()
    own = sha256((folder / "a.key").read_bytes())
    (folder / "manifest.json").write_text(manifest.replace(sha256(KEY), own))
    assert services.import_keys(context, folder)["blocks"] == 2
    assert services.verify_ledger(context).ok


def test_short_blocks_may_be_alike_by_chance(drop: Callable[..., Path], context: Context) -> None:
    for name in ("one", "two"):
        short = entry(natural_key=name, length_bits=56, file="b.key", sha256=sha256(KEY[:7]))
        folder = drop(short, name=name)
        (folder / "b.key").write_bytes(KEY[:7])
        services.import_keys(context, folder)
    assert services.pool_balances(context)[LINK]["pool"] == 112


def test_a_fingerprint_is_no_plain_hash_and_another_in_every_ledger(
    drop: Callable[..., Path], context: Context, settings_of: SettingsOf
) -> None:
    folder = drop(entry())
    found = []
    other = settings_of("other")
    with Context(other, clock=SimulatedClock(NOON), entropy=KeyedEntropy(1)) as elsewhere:
        for one in (context, elsewhere):
            services.import_keys(one, folder)
            lines = "\n".join(services.export_ledger(one))
            _holds_no_key(lines)
            with one.ledger.view.read() as reader:
                (mark,) = get_commands(reader, kind="fingerprint")
            found.append(mark.request_id)
    assert len(set(found)) == 2
    for plain in (hashlib.sha256(KEY), hashlib.sha512(KEY), hashlib.sha1(KEY)):
        assert plain.hexdigest() not in "".join(found)


def test_a_link_that_the_scenario_does_not_have_is_refused(
    drop: Callable[..., Path], context: Context
) -> None:
    with pytest.raises(UnknownName, match="link:atlantis--nanshan"):
        services.import_keys(context, drop(entry(pool="link:atlantis--nanshan")))


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({}, "holds 0 manifests"),
        ({"manifest.toml": "", "manifest.json": "{}"}, "holds 2 manifests"),
        ({"manifest.json": "{"}, "manifest.json"),
        ({"manifest.toml": "a = = 1"}, "manifest.toml"),
        ({"manifest.json": "[]"}, "format is missing"),
        ({"manifest.json": '{"format": "other/1", "blocks": []}'}, "allowed: 'skytrunk-keys/1'"),
        ({"manifest.json": '{"format": "skytrunk-keys/1"}'}, "blocks is no list"),
        ({"manifest.json": '{"format": "skytrunk-keys/1", "blocks": []}'}, "0 blocks"),
        ({"manifest.json": '{"format": "skytrunk-keys/1", "block": []}'}, "'block'; allowed"),
    ],
)
def test_a_folder_without_a_sound_manifest_is_refused(
    tmp_path: Path, files: dict[str, str], says: str
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)

    with pytest.raises(InputError) as refused:
        read_drop(tmp_path)

    assert says in str(refused.value)


def test_a_link_to_a_file_elsewhere_is_refused(drop: Callable[..., Path]) -> None:
    folder = drop(entry(file="b.key"))
    (folder / "b.key").symlink_to(folder / "a.key")

    with pytest.raises(InputError, match="allowed: the name of a file"):
        read_drop(folder)


def test_a_manifest_of_lists_within_lists_is_refused(tmp_path: Path, context: Context) -> None:
    (tmp_path / "manifest.json").write_text("[" * 100_000 + "]" * 100_000)

    with pytest.raises(InputError, match=r"manifest\.json"):
        services.import_keys(context, tmp_path)
