"""How a block's provenance stands in its row: names as numbers, a sixth of the words.

A relay over 33 hops names 34 nodes, 33 links and 32 announcements. The ledger knows links and
announcements by number, and the nodes of a path follow from its links and its first node.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from json.encoder import encode_basestring_ascii
from typing import Any

from sqlalchemy import Connection, select

from scheduler.domain import Pool, Provenance
from scheduler.errors import LedgerBroken
from scheduler.ledger.log.canonical import canonical_numbers
from scheduler.ledger.schema import AnnouncementRow, PoolRow, SegmentRow

LOOKUPS_AT_ONCE = 500
NOTHING = "{}"
"""What a link's own key says of where it came from."""


def provenance_text(
    provenance: Provenance, announced: Sequence[int], links: Sequence[Sequence[int]]
) -> str:
    """Write a provenance as canonical JSON of numbers, by hand: a merge writes hundreds."""
    return (
        f'{{"announcements":{canonical_numbers(announced)},'
        f'"from":{encode_basestring_ascii(provenance.paths[0][0])},'
        f'"links":[{",".join(map(canonical_numbers, links))}],'
        f'"run_bits":{provenance.run_bits},'
        f'"runs":[{",".join(map(canonical_numbers, provenance.runs))}],'
        f'"threshold":{provenance.threshold}}}'
    )


def read_provenances(connection: Connection, texts: Iterable[str]) -> list[dict[str, Any]]:
    """Return each provenance as `Provenance.as_dict` gives it; an empty one as it is.

    Raises LedgerBroken for a number that nothing has.
    """
    read: list[dict[str, Any]] = [json.loads(text) for text in texts]
    merged = [one for one in read if one]
    links = _names(
        connection,
        PoolRow,
        PoolRow.pool_id,
        {number for one in merged for numbers in one["links"] for number in numbers},
    )
    announced = _names(
        connection,
        AnnouncementRow,
        AnnouncementRow.announcement_id,
        {number for one in merged for number in one["announcements"]},
    )
    return [_named(one, links, announced) if one else one for one in read]


def _named(
    read: dict[str, Any], links: dict[int, str], announced: dict[int, str]
) -> dict[str, Any]:
    named = [[links[number] for number in numbers] for numbers in read["links"]]
    return {
        "threshold": read["threshold"],
        "paths": [_path(read["from"], pools) for pools in named],
        "links": named,
        # Those that left with a closed period are named in its file.
        "announcements": [
            announced[number] for number in read["announcements"] if number in announced
        ],
        "run_bits": read["run_bits"],
        "runs": read["runs"],
    }


def _path(first: str, links: Sequence[str]) -> list[str]:
    """The nodes that links lead over."""
    nodes = [first]
    for link in links:
        pool = Pool.parse(link)
        nodes.append(pool.node_b if nodes[-1] == pool.node_a else pool.node_a)
    return nodes


def _names(connection: Connection, table: Any, name: Any, numbers: set[int]) -> dict[int, str]:
    """The names behind rows' numbers."""
    wanted = sorted(numbers)
    found: dict[int, str] = {}
    for first in range(0, len(wanted), LOOKUPS_AT_ONCE):
        part = wanted[first : first + LOOKUPS_AT_ONCE]
        found.update(connection.execute(select(table.id, name).where(table.id.in_(part))).all())
    missing = numbers - found.keys()
    if missing and not (table is AnnouncementRow and _some_left(connection)):
        raise LedgerBroken(
            f"a provenance names {table.__tablename__} {min(missing)}, which is not there"
        )
    return found


def _some_left(connection: Connection) -> bool:
    """Whether any row ever left for a segment."""
    return connection.execute(select(SegmentRow.id).limit(1)).first() is not None
