"""The words and tables of report.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from api.report.markdown import bullets, table
from api.report.validation import validation_section
from api.shape import STATION_SUMS, iso_z, summary_document

if TYPE_CHECKING:
    from api.shape import Document
    from scheduler.domain import ReplaySummary, UnplannedSpan, Validation

SIFTED_MEANS = (
    "`sifted bits` counts matching-basis detections of all intensities in both bases, in every"
    " table of this report but one: the comparison with the published pass counts the signal"
    " intensity alone, as the paper does."
)


def report_text(
    summary: ReplaySummary,
    *,
    title: str,
    notes: Sequence[str],
    validation: Validation | None,
    pictures: Mapping[str, str],
) -> str:
    """Return the whole of report.md; `pictures` maps a file name to what it shows."""
    document = summary_document(summary)
    parts = [
        f"# Replay of {summary.scenario}, {summary.start:%Y-%m-%d} to {summary.end:%Y-%m-%d}\n",
        _head(document, title),
        "## Stations\n",
        _stations(document),
        SIFTED_MEANS + "\n",
        "## End-to-end key\n",
        _pairs(document),
        "## Ledger\n",
        _ledger(document),
        "## Times without a plan\n",
        _unplanned(summary.unplanned),
        "## Element sets\n",
        _elements(document),
        *(validation_section(validation) if validation else ()),
        "## Assumptions of the scenario\n",
        bullets(notes) if notes else "None stated.\n",
        "## Pictures\n",
        "\n".join(f"![{shows}]({name})\n\n*{shows}*\n" for name, shows in pictures.items()),
    ]
    return "\n".join(parts)


def _head(document: Document, title: str) -> str:
    state = "broken" if document["ledger_problems"] else "sound"
    outcome = (
        f"Seed {document['seed']}, planner {document['planner']}, objective"
        f" {document['objective']}; {document['secret_bits']:,} secret bits settled in"
        f" {document['settled']:,} sessions, {document['merged_bits']:,} bits of end-to-end key;"
        f" the ledger is {state}.\n"
    )
    lines = [f"{title}.\n", outcome]
    if document["continued"]:
        lines.append("This run continued one that had been cut off; the result is the same.\n")
    return "\n".join(lines)


def _stations(document: Document) -> str:
    columns = ["station", *(f"{name.replace('_', ' ')}|" for name in STATION_SUMS)]
    rows = [
        [station, *(tally[name] for name in STATION_SUMS)]
        for station, tally in document["stations"].items()
    ]
    rows.append(["**all**", *(document[name] for name in STATION_SUMS)])
    return table(columns, rows)


def _pairs(document: Document) -> str:
    rows = [
        [pair.replace("--", " - "), tally["merges"], tally["merged_bits"]]
        for pair, tally in document["pairs"].items()
    ]
    rows.append(["**all**", document["merges"], document["merged_bits"]])
    refused = [f"{demand} is refused: {why}." for demand, why in document["refusals"].items()]
    return (
        table(["pair", "merges|", "merged bits|"], rows)
        + ("\n" + bullets(refused) if refused else "")
        + "\nA relayed key is known to every trusted relay on its path, the satellite included.\n"
    )


def _ledger(document: Document) -> str:
    """Sum the balances by kind of pool; a table of every span would be long and say little."""
    balances = document["balances"]
    in_use = {k for accounts in balances["pools"].values() for k, bits in accounts.items() if bits}
    kinds = [kind for kind in balances["totals"] if kind in in_use]
    groups: dict[str, dict[str, int]] = {}
    counts: dict[str, int] = {}
    for pool, accounts in balances["pools"].items():
        group = pool.partition(":")[0]
        counts[group] = counts.get(group, 0) + 1
        sums = groups.setdefault(group, dict.fromkeys(kinds, 0))
        for kind in kinds:
            sums[kind] += accounts.get(kind, 0)
    rows = [
        [f"{group} ({counts[group]} pools)", *(sums[kind] for kind in kinds)]
        for group, sums in groups.items()
    ]
    rows.append(["**all**", *(balances["totals"][kind] for kind in kinds)])
    found = document["ledger_problems"]
    waits = _waiting(document)
    verdict = (
        "Every balance and every hash was recomputed: sound.\n"
        if not found
        else "**Broken:**\n\n" + bullets(found)
    )
    return table(["bits of", *(f"{kind}|" for kind in kinds)], rows) + "\n" + waits + verdict


def _waiting(document: Document) -> str:
    """Name the key that was left at the end with its announcement still to come."""
    if not document["waiting"]:
        return ""
    names = [f"{key['natural_key']}: {key['bits']:,} bits" for key in document["waiting"]]
    return (
        f"{document['waiting_bits']:,} bits still waited for their satellite's announcement at"
        " the end, so they could not be merged; they are of\n\n" + bullets(names) + "\n"
    )


def _unplanned(spans: Sequence[UnplannedSpan]) -> str:
    if not spans:
        return "None: there was always an element set young enough.\n"
    rows = [
        [
            f"{span.start:%Y-%m-%d %H:%M}",
            f"{span.end:%Y-%m-%d %H:%M}",
            round((span.end - span.start).total_seconds() / 86400.0, 1),
            "none" if span.newest_epoch is None else iso_z(span.newest_epoch),
            span.reason,
        ]
        for span in spans
    ]
    return table(["from (UTC)", "to (UTC)", "days|", "newest element set", "reason"], rows)


def _elements(document: Document) -> str:
    epochs = document["elements_used"]
    if not epochs:
        return "None was used.\n"
    return (
        f"{len(epochs)} element sets were used, each only from its epoch on:"
        f" {', '.join(epochs)}.\n\n"
        "At every simulated instant the newest set then known plans the passes (rule"
        " `known_at`); `skytrunk passes --as-known-at T` gives the same passes.\n"
    )
