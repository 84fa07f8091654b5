"""Key that a device or a courier leaves in a folder: a manifest and files of key bytes."""

from __future__ import annotations

import hashlib
import hmac
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scheduler.domain import Pool, PoolKind
from scheduler.errors import FactError, InputError

FORMAT = "skytrunk-keys/1"
MANIFESTS = ("manifest.toml", "manifest.json")
BLOCKS_MAX = 10_000
FILE_BYTES_MAX = 64 * 2**20
"""Of one key file; a good pass gives 0.2 MB."""
LENGTH_BITS_MAX = 8 * FILE_BYTES_MAX
TEXT_MAX = 200
"""Letters of a natural key or a source's name."""

SHOWN_DIGITS = 30

TWIN_BITS_MIN = 64
"""Shorter blocks may be equal by chance."""

_KEYS: Mapping[str, type | tuple[type, ...]] = {
    "pool": str,
    "natural_key": str,
    "length_bits": int,
    "source": str,
    "simulated": bool,
    "eps_total": (int, float),
    "file": str,
    "sha256": str,
    "file_a": str,
    "sha256_a": str,
    "file_b": str,
    "sha256_b": str,
}
_NEEDED = ("pool", "natural_key", "length_bits", "source", "simulated", "eps_total")


@dataclass(frozen=True, slots=True, kw_only=True)
class DroppedBlock:
    """One block of a drop, its files read and checked; key bytes never show in a repr."""

    pool: Pool
    natural_key: str
    length_bits: int
    source: str
    simulated: bool
    eps_total: float
    material_a: bytes = field(repr=False)
    material_b: bytes = field(repr=False)


def read_drop(folder: Path) -> list[DroppedBlock]:
    """Read a folder's manifest and key files, all of them or none.

    The manifest, `manifest.toml` or `manifest.json`, holds `format = "skytrunk-keys/1"` and a
    list `blocks`. Each block has `pool` (link:a--b), `natural_key`, `length_bits`, `source`,
    `simulated`, `eps_total` (its failure probability), and either `file` and `sha256`, if both
    ends hold one file's bytes, or `file_a`, `sha256_a`, `file_b`, `sha256_b`, one for each end in
    the order of the pool's name. A file holds ceil(length_bits / 8) bytes, spare bits zero.

    Raises InputError naming block and key for anything that does not fit: an unknown or
    missing key, a digest that is not the file's, ends that differ, a natural key or key
    material that stands twice. No message holds key bytes.
    """
    entries = _manifest(folder)
    blocks = [_block(folder, number, entry) for number, entry in enumerate(entries, start=1)]
    _refuse_twins(blocks)
    return blocks


def _manifest(folder: Path) -> list[Mapping[str, Any]]:
    found = [folder / name for name in MANIFESTS if (folder / name).is_file()]
    if len(found) != 1:
        raise InputError(
            f"{folder} holds {len(found)} manifests; allowed: one, {' or '.join(MANIFESTS)}"
        )
    (path,) = found
    try:
        text = path.read_text(encoding="utf-8-sig")  # some editors begin with a mark
        body = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:  # TOML, JSON, UTF-8; lists within lists
        raise InputError(f"{path}: {error}") from None
    if not isinstance(body, dict) or body.get("format") != FORMAT:
        raise InputError(f"{path}: format is missing or another; allowed: {FORMAT!r}")
    unknown = sorted(body.keys() - {"format", "blocks"})
    if unknown:
        raise InputError(f"{path}: {unknown[0]!r}; allowed: format, blocks")
    entries = body.get("blocks")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise InputError(f"{path}: blocks is no list of tables")
    if not 1 <= len(entries) <= BLOCKS_MAX:
        raise InputError(f"{path}: {len(entries)} blocks; allowed: 1 to {BLOCKS_MAX}")
    return entries


def _block(folder: Path, number: int, entry: Mapping[str, Any]) -> DroppedBlock:
    where = f"block {number} of {folder.name}"
    _check_keys(where, entry)
    length, eps = entry["length_bits"], entry["eps_total"]
    if not 1 <= length <= LENGTH_BITS_MAX:
        raise InputError(f"{where}: length_bits {_shown(length)}; allowed: 1 to {LENGTH_BITS_MAX}")
    if not 0.0 < eps < 1.0:
        raise InputError(
            f"{where}: eps_total {_shown(eps)}; allowed: above 0 and below 1, the probability that"
            " the key is insecure or unequal: no source of key can promise 0"
        )
    try:
        pool = Pool.parse(entry["pool"])
    except FactError as error:
        raise InputError(f"{where}: {error}") from None
    if pool.kind is not PoolKind.LINK:
        raise InputError(f"{where}: pool {pool.pool_id}; allowed: a link, merges make the rest")
    if "file" in entry:
        at_a = at_b = _material(where, folder, entry, "")
    else:
        at_a, at_b = (_material(where, folder, entry, end) for end in ("_a", "_b"))
    if not hmac.compare_digest(at_a, at_b):
        raise InputError(f"{where}: the two ends' files hold unequal key; allowed: equal bytes")
    return DroppedBlock(
        pool=pool,
        natural_key=entry["natural_key"],
        length_bits=length,
        source=entry["source"],
        simulated=entry["simulated"],
        eps_total=float(eps),
        material_a=at_a,
        material_b=at_b,
    )


def _check_keys(where: str, entry: Mapping[str, Any]) -> None:
    unknown = sorted(entry.keys() - _KEYS.keys())
    if unknown:
        raise InputError(f"{where}: {unknown[0]!r} is not known; allowed: {', '.join(_KEYS)}")
    ends = [name for name in ("file", "file_a", "file_b") if name in entry]
    if ends not in (["file"], ["file_a", "file_b"]):
        raise InputError(f"{where} names {ends or 'no file'}; allowed: file, or file_a and file_b")
    for name in (*_NEEDED, *ends, *(end.replace("file", "sha256") for end in ends)):
        if name not in entry:
            raise InputError(f"{where}: {name} is missing")
    for name, value in entry.items():
        wanted = _KEYS[name]
        # True is an int to Python; in a manifest it is a mistake.
        if not isinstance(value, wanted) or (wanted is not bool and isinstance(value, bool)):
            kinds = wanted if isinstance(wanted, tuple) else (wanted,)
            raise InputError(
                f"{where}: {name} is {type(value).__name__};"
                f" allowed: {' or '.join(kind.__name__ for kind in kinds)}"
            )
    digests = [end.replace("file", "sha256") for end in ends]
    for name in ("natural_key", "source", "pool", *ends, *digests):
        text = entry[name]
        if not 0 < len(text) <= TEXT_MAX or not text.isprintable():
            raise InputError(
                f"{where}: {name} of {len(text)} letters; allowed: 1 to {TEXT_MAX} printable ones"
            )


def _material(where: str, folder: Path, entry: Mapping[str, Any], end: str) -> bytes:
    name: str = entry[f"file{end}"]
    expected: str = entry[f"sha256{end}"].lower()
    path = folder / name
    # A manifest must not be able to make us read, or tell the digest of, anything else.
    if Path(name).name != name or path.is_symlink():
        raise InputError(f"{where}: file{end} {name!r}; allowed: the name of a file in the folder")
    bits: int = entry["length_bits"]
    size = -(-bits // 8)
    try:
        found = path.stat().st_size
        if found != size or size > FILE_BYTES_MAX:
            raise InputError(
                f"{where}: {name} has {found} bytes; allowed: {size} for {bits} bits,"
                f" at most {FILE_BYTES_MAX}"
            )
        material = path.read_bytes()
    except OSError as error:
        raise InputError(f"{where}: {name}: {error.strerror}") from None
    if not hmac.compare_digest(hashlib.sha256(material).hexdigest().encode(), expected.encode()):
        raise InputError(f"{where}: sha256{end} is not that of {name}; the file or it was changed")
    spare = 8 * size - bits
    if spare and material[-1] & ((1 << spare) - 1):
        raise InputError(f"{where}: {name} has bits past length_bits; allowed: zeros there")
    return material


def _shown(number: float) -> str:
    """A number that a message can hold: Python refuses to write very long integers."""
    return f"beyond 1e{SHOWN_DIGITS}" if abs(number) > 10**SHOWN_DIGITS else str(number)


def _refuse_twins(blocks: list[DroppedBlock]) -> None:
    names: set[str] = set()
    seen: dict[bytes, str] = {}
    for block in blocks:
        if block.natural_key in names:
            raise InputError(f"natural_key {block.natural_key!r} stands twice in the manifest")
        names.add(block.natural_key)
        if block.length_bits < TWIN_BITS_MIN:
            continue
        first = seen.setdefault(hashlib.sha256(block.material_a).digest(), block.natural_key)
        if first != block.natural_key:
            raise InputError(
                f"{first!r} and {block.natural_key!r} hold the same key material;"
                " allowed: every block its own"
            )
