"""The key runway as every interface shows it: when each link and pair runs dry."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RunwayRow:
    """One link's or pair's stock into the future; quantiles are 10, 50 and 90 %.

    `dry_at` is None where it does not run dry within the horizon. The first is the bad case: in
    one draw of ten it is dry by then.
    """

    pool_id: str
    demands: tuple[str, ...]  #: of a pair; those whose keys a link carries
    stock_bits: int
    draw_bps: float
    dry_at: tuple[datetime | None, datetime | None, datetime | None]
    short_bits: tuple[float, float, float]  #: asked for within the horizon, and not there
    times: tuple[datetime, ...]
    bits: tuple[tuple[float, ...], ...]  #: a row for each quantile over `times`
    next_pass: str | None  #: the next booked session that helps it
    next_deposit_at: datetime | None  #: when its key can be used; now where fibre refills it


@dataclass(frozen=True, slots=True, kw_only=True)
class RunwayPassRow:
    """One booked session that the runway counts on."""

    pass_id: str
    satellite: str
    station: str
    acquires_at: datetime
    usable_at: datetime
    pool_id: str
    bits: tuple[float, float, float]  #: quantiles of its key, weather included
    counted: bool  #: False where the question takes it away


@dataclass(frozen=True, slots=True, kw_only=True)
class RunwayChange:
    """What a pair loses without the sessions that the question takes away, in a sentence too."""

    pool_id: str
    earlier_s: float  #: mean over the draws; a draw never dry counts as dry at the horizon
    short_bits: float  #: more that is asked for and not there, mean over the draws
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunwayAnswer:
    """The runway of every pair and link, with or without some sessions."""

    at: datetime
    end: datetime
    draws: int
    pairs: tuple[RunwayRow, ...]
    links: tuple[RunwayRow, ...]
    passes: tuple[RunwayPassRow, ...]
    changes: tuple[RunwayChange, ...] = ()
    notes: tuple[str, ...] = ()
