"""The picture of the flow: any network, any number of pairs, none at all."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from api.plots import PAIRS_MAX, FlowNode, FlowPair, key_flow_map
from api.report.folder import flow_pairs
from scheduler.domain import KeyFlow

PNG = b"\x89PNG\r\n\x1a\n"
NODES = [
    FlowNode(node_id="sat", name="Sat", kind="satellite", lat_deg=None, lon_deg=None),
    FlowNode(node_id="west", name="West", kind="station", lat_deg=43.0, lon_deg=87.0),
    FlowNode(node_id="east", name="East", kind="backbone", lat_deg=40.0, lon_deg=117.0),
    FlowNode(node_id="user", name="", kind="user", lat_deg=31.0, lon_deg=121.0),
]
FLOWS = {("sat", "west"): 1_000_000, ("east", "sat"): 250_000, ("east", "user"): 10}


def pairs(count: int) -> list[FlowPair]:
    return [
        FlowPair(label=f"a{n} - b{n}", relayed_bits=n * 1000, combined_bits=(n % 3) * 5000)
        for n in range(count)
    ]


@pytest.mark.parametrize("count", [0, 1, 24, 60])
def test_any_number_of_pairs_is_drawn(tmp_path: Path, count: int) -> None:
    written = key_flow_map(
        tmp_path / "flow.png", title="flow", nodes=NODES, idle=[("east", "west"), ("sat", "west")],
        relayed_bits=FLOWS, pairs=pairs(count),
    )  # fmt: skip

    assert written.read_bytes().startswith(PNG)


@pytest.mark.parametrize("nodes", [[], NODES[:1], NODES[1:2]])
def test_a_network_without_flow_or_places_is_drawn(tmp_path: Path, nodes: list[FlowNode]) -> None:
    written = key_flow_map(
        tmp_path / "bare.png", title="bare", nodes=nodes, idle=[], relayed_bits={}, pairs=[]
    )

    assert written.read_bytes().startswith(PNG)


def test_the_same_flow_gives_the_same_file(tmp_path: Path) -> None:
    one, other = (
        key_flow_map(tmp_path / name, title="flow", nodes=NODES, idle=[], relayed_bits=FLOWS,
                     pairs=pairs(3)).read_bytes()
        for name in ("one.png", "other.png")
    )  # fmt: skip

    assert one == other


def test_too_many_pairs_are_added_up_by_trust_domain() -> None:
    start = datetime(2017, 1, 1, tzinfo=UTC)
    flow = KeyFlow(
        start=start, end=start, links={},
        pairs={("a0", f"b{n}"): 10 for n in range(PAIRS_MAX)} | {("a0", "c"): 5},
        combined={("a0", "b0"): 1},
    )  # fmt: skip
    names = {name: name.upper() for pair in flow.pairs for name in pair}
    domains = {name: {"a": "grid", "b": "bank"}.get(name[0], "") for name in names}

    assert flow_pairs(flow, names, domains) == [
        FlowPair(label=f"bank - grid: {PAIRS_MAX} pairs", relayed_bits=10 * PAIRS_MAX,
                 combined_bits=1),
        FlowPair(label="A0 - C", relayed_bits=5, combined_bits=0),
    ]  # fmt: skip
    few = replace(flow, pairs={("a0", "b0"): 10})
    assert [one.label for one in flow_pairs(few, names, domains)] == ["A0 - B0"]
