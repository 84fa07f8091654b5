"""Campaigns: the replays of one, and what they come to together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Self

import numpy as np

from api.schemas.base import Answer, Column, Instant, Table, digits
from api.schemas.replays import Replay
from scheduler.errors import InputError

Bits = Annotated[float, digits(1)]
Percent = Annotated[float | None, digits(3)]
SUMS = ("settled", "secret_bits", "merges", "merged_bits")


class Run(Answer):
    """One replay of a campaign: what it had apart from the others, and its sums."""

    run: str
    variant: str
    """Settings that differ, as `name=value`; empty where none does."""
    seed: int
    from_: Instant
    to: Instant
    booked: int
    settled: int
    sifted_bits: int
    expected_secret_bits: Bits
    """Of the sessions settled, as forecast under a clear sky."""
    secret_bits: int
    merges: int
    merged_bits: int
    sound: bool
    """Whether every balance and every hash of its ledger was right."""


class Figure(Answer):
    """A sum over each replay of a variant: how it spreads over seeds and times."""

    variant: str
    figure: str
    runs: int
    mean: Bits
    low: Bits
    """10 % of the replays stay below."""
    median: Bits
    high: Bits
    """90 % of the replays stay below."""
    against: str
    """The variant that it is held against; itself where there is no other."""
    change: Percent
    """Mean change against that one in per cent, replay by replay of one seed and time."""
    change_low: Percent
    """10 % of these changes are smaller."""
    change_high: Percent
    """90 % of these changes are smaller."""

    columns: ClassVar = (
        Column("variant", lambda row: row.variant or "as set", text=True),
        Column("figure", "figure"),
        Column("replays", "runs", "d", rank=1),
        Column("10 %", "low", ",.0f", rank=2),
        Column("median", "median", ",.0f"),
        Column("90 %", "high", ",.0f", rank=2),
        Column("against", lambda row: _against(row), text=True, rank=2),
        Column("change, %", lambda row: _signed(row.change), ">"),
        Column("10 to 90 %", lambda row: _between(row.change_low, row.change_high), ">", rank=1),
    )


class Campaign(Answer):
    """Every replay of a campaign, and their figures by variant."""

    runs: list[Run]
    figures: list[Figure]

    @classmethod
    def of(
        cls,
        found: Sequence[tuple[str, Mapping[str, Any]]],
        against: Mapping[str, str] | None = None,
    ) -> Self:
        """Return the campaign of replays in their order: (variant, document of a replay) each.

        Each variant is held against the one that `against` names, by default the first of all.
        Raises InputError where a replay has another one's variant, seed and time.
        """
        replays = [(variant, Replay.model_validate(one)) for variant, one in found]
        runs = [_run(variant, one) for variant, one in replays]
        _refuse_twice(runs)
        pairs = sorted({pair for _, one in replays for pair in one.pairs})
        sums = {
            **{name: [getattr(one, name) for one in runs] for name in SUMS},
            **{
                f"merged_bits {pair}": [
                    one.pairs[pair].merged_bits if pair in one.pairs else 0 for _, one in replays
                ]
                for pair in pairs
            },
        }
        return cls(runs=runs, figures=list(_figures(runs, sums, against or {})))

    def tables(self) -> Iterator[Table | str]:
        """Yield the figures as a table, and what is broken."""
        yield Table(f"{len(self.runs)} replays", Figure.columns, self.figures)
        yield from (f"ledger BROKEN of {one.run}" for one in self.runs if not one.sound)


def _run(variant: str, one: Replay) -> Run:
    same = ("seed", "from_", "to", "booked", "settled", "sifted_bits", "secret_bits", "merges",
            "merged_bits")  # fmt: skip
    return Run(
        **{name: getattr(one, name) for name in same},
        run="_".join(filter(None, (variant, f"seed={one.seed}", f"{one.from_:%Y-%m-%d}"))),
        variant=variant,
        expected_secret_bits=sum(session.expected_secret_bits for session in one.sessions),
        sound=not one.ledger_problems,
    )


def _refuse_twice(runs: Sequence[Run]) -> None:
    seen: set[str] = set()
    for one in runs:
        if one.run in seen:
            raise InputError(f"two replays of {one.run}; allowed: each seed, time and variant once")
        seen.add(one.run)


def _figures(
    runs: Sequence[Run], sums: Mapping[str, Sequence[float]], against: Mapping[str, str]
) -> Iterator[Figure]:
    variants = list(dict.fromkeys(one.variant for one in runs))
    for name, values in sums.items():
        by_variant: dict[str, dict[tuple[Any, ...], float]] = {}
        for one, value in zip(runs, values, strict=True):
            by_variant.setdefault(one.variant, {})[one.seed, one.from_, one.to] = value
        for variant in variants:
            mine, other = by_variant[variant], against.get(variant, variants[0])
            first = by_variant[other]
            low, median, high = np.quantile(list(mine.values()), (0.1, 0.5, 0.9)).tolist()
            changes = [
                100.0 * (value / first[key] - 1.0)
                for key, value in mine.items()
                if variant != other and first.get(key)
            ]
            least, most = np.quantile(changes, (0.1, 0.9)).tolist() if changes else (None, None)
            yield Figure(
                variant=variant,
                figure=name,
                runs=len(mine),
                mean=float(np.mean(list(mine.values()))),
                low=low,
                median=median,
                high=high,
                against=other,
                change=float(np.mean(changes)) if changes else None,
                change_low=least,
                change_high=most,
            )


def _against(row: Figure) -> str:
    return "" if row.change is None else row.against or "as set"


def _signed(value: float | None) -> str:
    return "" if value is None else f"{value:+.2f}"


def _between(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{low:+.2f} to {high:+.2f}"
