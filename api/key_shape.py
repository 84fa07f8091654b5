"""Facts of merges, keys and proofs -> the documents that table, JSON and HTTP all show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from api.shape import Document, iso_z, iso_z_or_none, rounded
from scheduler.domain import instant_key

if TYPE_CHECKING:
    from scheduler.domain import Announcement, Chunk, KeyTrace, MergeDecision, SourceBlock, WhoKnows
    from scheduler.ledger.verify.export import ExportReport

SETS_SHOWN = 20
"""Minimal compromise sets that a document lists; it says how many there are."""


def merge_plan_document(decision: MergeDecision) -> Document:
    """Return what a tick would do: the demands with reasons, the merges, Jain's index."""
    return {
        "at": iso_z(decision.at),
        "bits": decision.bits,
        "jain_index": rounded(decision.jain_index, 6),
        "demands": [
            {
                "demand": one.demand.demand_id,
                "node_a": one.demand.node_a,
                "node_b": one.demand.node_b,
                "bits_per_day": one.demand.bits_per_day,
                "min_disjoint_paths": one.demand.min_disjoint_paths,
                "max_age_s": one.demand.max_age_s,
                "served_bits": one.served_bits,
                "bits": one.bits,
                "level": rounded(one.level, 6),
                "reason": one.reason,
            }
            for one in decision.demands
        ],
        "merges": [
            {
                "demand": merge.demand_id,
                "bits": merge.bits,
                "threshold": merge.threshold,
                "paths": [list(path) for path in merge.paths],
                "links": [list(links) for links in merge.links],
            }
            for merge in decision.merges
        ],
        "tagged_links": list(decision.tagged_links),
    }


def merges_document(history: Sequence[Mapping[str, Any]]) -> Document:
    """Return past ticks, each with the sum of what it gained."""
    return {
        "merges": [
            {
                "request": tick["request"],
                "at": iso_z(tick["at"]),
                "bits": sum(step["bits"] for step in tick["steps"]),
                # Ticks that nobody's age limited do not speak of an end.
                "steps": [{**step, "expires_at": step.get("expires_at")} for step in tick["steps"]],
                "reasons": tick["reasons"],
                "tags": tick["tags"],
            }
            for tick in history
        ]
    }


def source_fields(block: SourceBlock) -> Document:
    """Return one block of key: what it is and which command made it, never a bit of it."""
    return {
        **asdict(block),
        "block_id": str(block.block_id),
        "made_at": instant_key(block.made_at),
        "expires_at": iso_z_or_none(block.expires_at),
    }


def pair_blocks_document(pair: str, blocks: Sequence[tuple[SourceBlock, WhoKnows]]) -> Document:
    """Return the end-to-end blocks of a pair, and who could know each."""
    shown = []
    for block, who in blocks:
        fields = source_fields(block)
        del fields["made_by"], fields["command_id"]
        more = {
            "paths": who.paths,
            "threshold": who.threshold,
            "single_points": list(who.single_points),
            "known_to": who.words,
        }
        shown.append({**fields, **more})
    return {"pair": pair, "blocks": shown}


def trace_document(trace: KeyTrace) -> Document:
    """Return where a key came from: paths, ranges, announcements, sources, who could know it."""
    return {
        "block": source_fields(trace.block),
        "drawn": None if trace.drawn is None else _chunk(trace.drawn),
        "threshold": trace.threshold,
        "known_to": trace.known_to,
        "single_points": list(trace.single_points),
        "minimal_set_count": len(trace.minimal_sets),
        "minimal_sets": [list(nodes) for nodes in trace.minimal_sets[:SETS_SHOWN]],
        "paths": [
            {
                "nodes": list(path.nodes),
                "hops": [
                    {"link": hop.pool_id, "chunks": [_chunk(chunk) for chunk in hop.chunks]}
                    for hop in path.hops
                ],
                "announcements": [_announcement(one) for one in path.announcements],
            }
            for path in trace.paths
        ],
        "sources": [source_fields(block) for block in trace.sources],
    }


def _chunk(chunk: Chunk) -> Document:
    return {
        "block_id": str(chunk.block_id),
        "pool_id": chunk.pool_id,
        "start_bit": chunk.start_bit,
        "end_bit": chunk.end_bit,
    }


def _announcement(one: Announcement) -> Document:
    return {
        "announcement_id": str(one.announcement_id),
        "relay": one.relay,
        "length_bits": one.length_bits,
        "sha256": one.sha256,
    }


def export_report_document(report: ExportReport) -> Document:
    """Return what an exported ledger holds and what is wrong with it."""
    return {
        "ok": report.ok,
        "rows": report.rows,
        "size": report.size,
        "root": report.root,
        "problems": list(report.problems),
    }
