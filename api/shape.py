"""Facts -> the plain documents that table, JSON, CSV and HTTP all show."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from scheduler.domain import instant_key

if TYPE_CHECKING:
    from orbits import Elements
    from scheduler.domain import (
        ElementsAdded,
        ElementsAnswer,
        ElementsCheck,
        PassAnswer,
        PassRow,
        ReplaySummary,
        Validation,
        VerifyReport,
        WaitingKey,
    )
    from scheduler.network import Satellite, Station

Document = dict[str, Any]
"""What becomes a JSON object: str keys; str, int, finite float, bool, None, lists, documents."""


def iso_z(when: datetime) -> str:
    """Return an instant as the ledger writes it too: ISO 8601, UTC, milliseconds, `Z`."""
    return instant_key(when)


def iso_z_or_none(when: datetime | None) -> str | None:
    """Return `iso_z`, or None for None."""
    return None if when is None else iso_z(when)


def rounded(value: float | None, digits: int) -> float | None:
    """Return `value` with that many decimals; None for None and NaN, which JSON does not know."""
    return None if value is None or math.isnan(value) else round(float(value), digits)


FORECAST_FIELDS = ("sifted_bits", "secret_bits", "qber")
PASS_FIELDS = (
    "satellite", "norad_id", "station", "rises_at", "culminates_at", "sets_at",
    "max_elevation_deg", "range_km_min", *FORECAST_FIELDS, "max_elevation_azimuth_deg",
    "nearest_at", "rise_azimuth_deg", "set_azimuth_deg", "cut_at_start", "cut_at_end", "dark",
    "sun_elevation_deg", "acquires_at", "loses_at", "elements_epoch", "time_sigma_s",
)  # fmt: skip
"""Every field of a pass, in the order of every door."""


def pass_fields(row: PassRow, *, forecast: bool) -> Document:
    """Return one pass as every door shows it; the forecast's fields only if it was asked for."""
    fields: Document = {
        "satellite": row.satellite,
        "norad_id": row.norad_id,
        "station": row.station,
        "rises_at": iso_z(row.rises_at),
        "culminates_at": iso_z(row.culminates_at),
        "sets_at": iso_z(row.sets_at),
        "max_elevation_deg": rounded(row.max_elevation_deg, 3),
        "range_km_min": rounded(row.range_km_min, 3),
        "sifted_bits": rounded(row.sifted_bits, 1),
        "secret_bits": row.secret_bits,
        "qber": rounded(row.qber, 6),
        "max_elevation_azimuth_deg": rounded(row.max_elevation_azimuth_deg, 3),
        "nearest_at": iso_z(row.nearest_at),
        "rise_azimuth_deg": rounded(row.rise_azimuth_deg, 3),
        "set_azimuth_deg": rounded(row.set_azimuth_deg, 3),
        "cut_at_start": row.cut_at_start,
        "cut_at_end": row.cut_at_end,
        "dark": row.dark,
        "sun_elevation_deg": rounded(row.sun_elevation_deg, 3),
        "acquires_at": iso_z_or_none(row.acquires_at),
        "loses_at": iso_z_or_none(row.loses_at),
        "elements_epoch": iso_z(row.elements_epoch),
        "time_sigma_s": rounded(row.time_sigma_s, 3),
    }
    return {name: fields[name] for name in pass_field_names(forecast=forecast)}


def pass_field_names(*, forecast: bool) -> tuple[str, ...]:
    """Return the names that `pass_fields` gives, in its order."""
    kept = (name for name in PASS_FIELDS if forecast or name not in FORECAST_FIELDS)
    return tuple(kept)


def passes_document(answer: PassAnswer, *, forecast: bool) -> Document:
    """Return the answer to one question about passes: the rule, the epochs, the passes."""
    return {
        "rule": answer.rule,
        "as_known_at": iso_z_or_none(answer.as_known_at),
        "elements_epochs": [iso_z(epoch) for epoch in answer.epochs],
        "notes": list(answer.notes),
        "passes": [pass_fields(row, forecast=forecast) for row in answer.rows],
    }


def health_document(health: Mapping[str, Any]) -> Document:
    """Return what a monitor asks for, instants as text."""
    return {
        name: iso_z(value) if isinstance(value, datetime) else value
        for name, value in health.items()
    }


def satellite_fields(satellite: Satellite) -> Document:
    """Return what the scenario knows of one satellite."""
    return {
        "satellite": satellite.satellite_id,
        "name": satellite.name,
        "norad_id": satellite.norad_id,
    }


def station_fields(station: Station) -> Document:
    """Return what the scenario knows of one ground station."""
    return {
        "station": station.station_id,
        "name": station.name,
        "lat_deg": station.lat_deg,
        "lon_deg": station.lon_deg,
        "height_m": station.height_m,
        "mask_deg": station.mask_deg,
    }


ELEMENTS_FIELDS = ("norad_id", "name", "epoch", "age_days", "arrived_at", "source", "sha256")
"""Every field of an element set, in the order of every door."""


def elements_fields(elements: Elements, at: datetime) -> Document:
    """Return what identifies one element set, and its age at an instant."""
    return {
        "norad_id": elements.norad_id,
        "name": elements.name,
        "epoch": iso_z(elements.epoch),
        "age_days": rounded(elements.age(at) / timedelta(days=1), 2),
        "arrived_at": iso_z_or_none(elements.arrived_at),
        "source": elements.source,
        "sha256": elements.sha256,
    }


def elements_document(answer: ElementsAnswer, *, limit: int | None = None) -> Document:
    """Return element sets, oldest first; with a limit only the newest so many."""
    sets = answer.elements if limit is None else answer.elements[-limit:]
    return {
        "count": len(answer.elements),
        "elements": [elements_fields(elements, answer.at) for elements in sets],
    }


def fetched_document(fetched: ElementsAdded) -> Document:
    """Return what a feed gave: which sets, and how many were new."""
    return {
        "added": fetched.added,
        "received": [
            {
                "norad_id": elements.norad_id,
                "name": elements.name,
                "epoch": iso_z(elements.epoch),
                "source": elements.source,
                "sha256": elements.sha256,
            }
            for elements in fetched.received
        ],
    }


def check_document(checked: ElementsCheck) -> Document:
    """Return how many element sets were compared, and those that do not agree."""
    return {
        "checked": checked.checked,
        "findings": [
            {
                "kind": found.kind.value,
                "norad_id": found.elements.norad_id,
                "name": found.elements.name,
                "epoch": iso_z(found.elements.epoch),
                "neighbour_epoch": iso_z(found.neighbour.epoch),
                "difference_km": rounded(found.difference_km, 3),
                "limit_km": rounded(found.limit_km, 3),
                "across_km": rounded(found.across_km, 3),
                "limit_across_km": rounded(found.limit_across_km, 3),
                "source": found.elements.source,
                "sha256": found.elements.sha256,
                "sentence": found.sentence,
            }
            for found in checked.findings
        ],
    }


def balances_document(balances: Mapping[str, Mapping[str, int]]) -> Document:
    """Return the bits of every pool by kind of account, and the sums over the pools.

    `waiting_bits` are received, and cannot be merged before their satellite announces them.
    """
    totals: dict[str, int] = {}
    for accounts in balances.values():
        for kind, bits in accounts.items():
            totals[kind] = totals.get(kind, 0) + bits
    pools = {pool: dict(accounts) for pool, accounts in sorted(balances.items())}
    return {"pools": pools, "totals": totals, "waiting_bits": totals.get("received", 0)}


def waiting_fields(key: WaitingKey) -> Document:
    """Return one block that waits for an announcement."""
    return {
        "block": str(key.block_id),
        "pool": key.pool_id,
        "natural_key": key.natural_key,
        "bits": key.bits,
        "received_at": iso_z(key.received_at),
    }


def verify_document(report: VerifyReport) -> Document:
    """Return what was looked at and what was found wrong."""
    return {
        "ok": report.ok,
        "commands": report.commands,
        "entries": report.entries,
        "blocks": report.blocks,
        "pools": report.pools,
        "sealed_bytes_opened": report.figures["sealed_bytes_opened"],
        "problems": list(report.problems),
    }


STATION_SUMS = ("passes", "dark", "booked", "settled", "sifted_bits", "secret_bits")


def _sums(rows: Sequence[Mapping[str, int]], names: Sequence[str]) -> dict[str, int]:
    return {name: sum(row[name] for row in rows) for name in names}


def validation_document(validation: Validation) -> Document:
    """Return every published figure beside the model's, without the curve."""
    return {
        "title": validation.title,
        "rows": [
            {
                "case": row.case,
                "quantity": row.quantity,
                "unit": row.unit,
                "published": _figure(row.published),
                "unfitted": _figure(row.unfitted),
                "fitted": _figure(row.fitted),
                "standing": row.standing.value,
                "assumption": row.assumption,
                "source": row.source,
            }
            for row in validation.rows
        ],
        "elements": [
            {
                "station": used.station_id,
                "pass_at": iso_z(used.pass_at),
                "epoch": iso_z(used.epoch),
                "rule": "nearest",
            }
            for used in validation.elements
        ],
        "presets": [
            {"name": notes.name, "title": notes.title, "notes": list(notes.lines)}
            for notes in validation.notes
        ],
    }


def _figure(value: float | str | None) -> float | str | None:
    """Return a figure with nine significant digits: rates per pulse are as small as 1e-6."""
    if value is None or isinstance(value, str):
        return value
    return None if math.isnan(value) else float(f"{value:.9g}")


def summary_document(summary: ReplaySummary) -> Document:
    """Return a replay's summary: totals, then the same by station and by pair."""
    stations = {tally.station: asdict(tally) for tally in summary.stations}
    pairs = {f"{tally.node_a}--{tally.node_b}": asdict(tally) for tally in summary.pairs}
    return {
        "scenario": summary.scenario,
        "seed": summary.seed,
        "from": iso_z(summary.start),
        "to": iso_z(summary.end),
        "planner": summary.planner,
        "objective": summary.objective,
        "continued": summary.continued,
        **_sums(list(stations.values()), STATION_SUMS),
        **_sums(list(pairs.values()), ("merges", "merged_bits")),
        "stations": stations,
        "pairs": pairs,
        "refusals": dict(summary.refusals),
        "sessions": [
            {
                "station": done.station,
                "acquires_at": iso_z(done.acquires_at),
                "max_elevation_deg": rounded(done.max_elevation_deg, 3),
                "expected_secret_bits": rounded(done.expected_secret_bits, 1),
                "sifted_bits": done.sifted_bits,
                "secret_bits": done.secret_bits,
                "qber": rounded(done.qber, 6),
            }
            for done in summary.settled
        ],
        "unplanned": [
            {
                "from": iso_z(span.start),
                "to": iso_z(span.end),
                "newest_epoch": iso_z_or_none(span.newest_epoch),
                "reason": span.reason,
            }
            for span in summary.unplanned
        ],
        "elements_used": [iso_z(epoch) for epoch in summary.elements_used],
        "balances": balances_document(summary.balances),
        "waiting": [waiting_fields(key) for key in summary.waiting],
        "waiting_bits": sum(key.bits for key in summary.waiting),
        "ledger_problems": list(summary.ledger_problems),
    }
