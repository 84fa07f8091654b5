"""How the blocks were made that keys are cut from; remembered, for a block is never changed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from scheduler.domain import KeyOrigin, Provenance, RouteType
from scheduler.ledger.keys.blocks import get_named_blocks
from scheduler.merge import CompromiseStructure
from scheduler.network import NodeKind

if TYPE_CHECKING:
    from scheduler.ledger import BlockRecord, Reader
    from scheduler.network import Scenario

SETS_SHOWN_MAX = 64
"""Compromise sets that one key comes with; threshold and paths say the rest."""
REMEMBERED_MAX = 4096


def together(origins: Sequence[KeyOrigin]) -> KeyOrigin:
    """The origin of a key that whoever knows one of several keys knows."""
    if len(origins) == 1:
        return origins[0]
    sets = {frozenset(nodes) for one in origins for nodes in one.compromise_sets}
    least = [tuple(sorted(one)) for one in sets if not any(other < one for other in sets)]
    return KeyOrigin(
        paths=tuple(dict.fromkeys(path for one in origins for path in one.paths)),
        # A way that no relay is on has no threshold.
        threshold=min((one.threshold for one in origins if one.compromise_sets), default=0),
        route_types=frozenset().union(*(one.route_types for one in origins)),
        compromise_sets=tuple(sorted(least, key=lambda one: (len(one), one))[:SETS_SHOWN_MAX]),
        simulated=any(one.simulated for one in origins),
    )


class KeyOrigins:
    """Origins of blocks, by their ids."""

    def __init__(self, scenario: Scenario) -> None:
        self._satellites = frozenset(
            node.node_id for node in scenario.nodes if node.kind is NodeKind.SATELLITE
        )
        self._known: dict[UUID, KeyOrigin] = {}

    def of(self, reader: Reader, block_ids: Collection[UUID]) -> dict[UUID, KeyOrigin]:
        """The origins of blocks. Raises LedgerBroken for one that is not there."""
        missing = [one for one in block_ids if one not in self._known]
        if missing:
            self.note(get_named_blocks(reader, missing))
        return {one: self._known[one] for one in block_ids}

    def note(self, blocks: Iterable[BlockRecord]) -> None:
        """Take in blocks that were read."""
        if len(self._known) > REMEMBERED_MAX:
            self._known = {}
        for block in blocks:
            self._known[block.block_id] = self._origin(block)

    def _origin(self, block: BlockRecord) -> KeyOrigin:
        if not block.provenance.get("paths"):
            return KeyOrigin(
                paths=(), threshold=0, route_types=frozenset(), compromise_sets=(),
                simulated=block.simulated,
            )  # fmt: skip
        provenance = Provenance.from_dict(block.provenance)
        relays = frozenset().union(*provenance.relay_sets)
        types = {RouteType.SATELLITE} if relays & self._satellites else set()
        if len(provenance.paths) > 1:
            types.add(RouteType.COMBINED)
        else:
            types.add(RouteType.RELAYED if relays else RouteType.DIRECT)
        sets = CompromiseStructure.of(provenance).minimal_sets(SETS_SHOWN_MAX)
        return KeyOrigin(
            paths=provenance.paths,
            threshold=provenance.threshold,
            route_types=frozenset(types),
            compromise_sets=tuple(tuple(sorted(nodes)) for nodes in sets),
            simulated=block.simulated,
        )
