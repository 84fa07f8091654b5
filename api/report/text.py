"""The words and tables of report.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from api.report.markdown import bullets, plain, table
from api.report.validation import validation_section
from api.schemas.base import Column
from api.schemas.ledger import Balances
from api.schemas.replays import PAIR_SUMS, STATION_SUMS, Reliability, tally_columns
from scheduler.domain import instant_key

if TYPE_CHECKING:
    from api.schemas.replays import Replay, Unplanned
    from scheduler.domain import Validation

SIFTED_MEANS = (
    "`sifted bits` counts matching-basis detections of all intensities in both bases, in every"
    " table of this report but one: the comparison with the published pass counts the signal"
    " intensity alone, as the paper does."
)


def report_text(
    replay: Replay,
    *,
    title: str,
    notes: Sequence[str],
    validation: Validation | None,
    pictures: Mapping[str, str],
) -> str:
    """Return the whole of report.md; `pictures` maps a file name to what it shows."""
    parts = [
        f"# Replay of {replay.scenario}, {replay.from_:%Y-%m-%d} to {replay.to:%Y-%m-%d}\n",
        _head(replay, title),
        "## Stations\n",
        table(tally_columns("station", STATION_SUMS), replay.station_rows()),
        SIFTED_MEANS + "\n",
        "## End-to-end key\n",
        _pairs(replay),
        "## Forecasts\n",
        _forecasts(replay),
        "## Ledger\n",
        _ledger(replay),
        "## Times without a plan\n",
        _unplanned(replay.unplanned),
        "## Element sets\n",
        _elements(replay),
        *(validation_section(validation) if validation else ()),
        "## Assumptions of the scenario\n",
        bullets(map(plain, notes)) if notes else "None stated.\n",
        "## Pictures\n",
        "\n".join(
            f"![{plain(shows)}]({name})\n\n*{plain(shows)}*\n" for name, shows in pictures.items()
        ),
    ]
    return "\n".join(parts)


def _head(replay: Replay, title: str) -> str:
    state = "broken" if replay.ledger_problems else "sound"
    outcome = (
        f"Seed {replay.seed}, planner {replay.planner}, objective"
        f" {replay.objective}; {replay.secret_bits:,} secret bits settled in"
        f" {replay.settled:,} sessions, {replay.merged_bits:,} bits of end-to-end key;"
        f" the ledger is {state}.\n"
    )
    lines = [f"{plain(title)}.\n", outcome]
    if replay.continued:
        lines.append("This run continued one that had been cut off; the result is the same.\n")
    return "\n".join(lines)


def _pairs(replay: Replay) -> str:
    refused = [f"{plain(f'{one} is refused: {why}')}." for one, why in replay.refusals.items()]
    return (
        table(tally_columns("pair", PAIR_SUMS), replay.pair_rows())
        + ("\n" + bullets(refused) if refused else "")
        + "\nA relayed key is known to every trusted relay on its path, the satellite included.\n"
    )


def _forecasts(replay: Replay) -> str:
    if not replay.reliability:
        return "No session gave a bit, so no forecast was tried.\n"
    return (
        f"Of {replay.reliability[0].sessions} sessions, how many gave no more sifted bits than a"
        " quantile of what had been forecast of them with what their link's sessions had taught by"
        " then; an honest forecast gives the quantile back.\n\n"
        + table(Reliability.columns, replay.reliability)
    )


def _ledger(replay: Replay) -> str:
    """Sum the balances by kind of pool; a table of every span would be long and say little."""
    groups: dict[str, Counter[str]] = {}
    counts: Counter[str] = Counter()
    for pool, accounts in replay.balances.pools.items():
        group = pool.partition(":")[0]
        counts[group] += 1
        groups.setdefault(group, Counter()).update(accounts)
    sums = Balances(
        pools={f"{group} ({counts[group]} pools)": dict(bits) for group, bits in groups.items()},
        totals=replay.balances.totals,
        waiting_bits=replay.waiting_bits,
    ).table()
    verdict = (
        "Every balance and every hash was recomputed: sound.\n"
        if not replay.ledger_problems
        else "**Broken:**\n\n" + bullets(map(plain, replay.ledger_problems))
    )
    return table(sums.columns, sums.rows) + "\n" + _waiting(replay) + verdict


def _waiting(replay: Replay) -> str:
    """Name the key that was left at the end with its announcement still to come."""
    if not replay.waiting:
        return ""
    names = [f"{key.natural_key}: {key.bits:,} bits" for key in replay.waiting]
    return (
        f"{replay.waiting_bits:,} bits still waited for their satellite's announcement at"
        " the end, so they could not be merged; they are of\n\n" + bullets(names) + "\n"
    )


def _unplanned(spans: Sequence[Unplanned]) -> str:
    if not spans:
        return "None: there was always an element set young enough.\n"
    columns = [
        Column("from (UTC)", "from_", "%Y-%m-%d %H:%M"),
        Column("to (UTC)", "to", "%Y-%m-%d %H:%M"),
        Column("days", lambda span: (span.to - span.from_).total_seconds() / 86400.0, ".1f"),
        Column("newest element set", lambda span: span.newest_epoch or "none"),
        Column("reason", "reason"),
    ]
    return table(columns, spans)


def _elements(replay: Replay) -> str:
    epochs = [instant_key(epoch) for epoch in replay.elements_used]
    if not epochs:
        return "None was used.\n"
    return (
        f"{len(epochs)} element sets were used, each only from its epoch on:"
        f" {', '.join(epochs)}.\n\n"
        "At every simulated instant the newest set then known plans the passes (rule"
        " `known_at`); `skytrunk passes --as-known-at T` gives the same passes.\n"
    )
