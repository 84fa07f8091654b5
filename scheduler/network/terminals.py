"""Transmitters and receivers as a scenario states them: a published one, and what differs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from scheduler.errors import ScenarioError
from scheduler.network.kinds import SATELLITE_PRESETS

ASSUMED = "assumed"
_ROW_LENGTHS = (2, 3)
_SUM_TOLERANCE = 1e-9  # Sums of decimal fractions, nothing else.
_ANGLES = ("beam_half_angle_urad", "beam_full_angle_urad", "beam_fwhm_urad")
_LOSSES = ("beam_loss_db", "beam_range_km", "beam_telescope_m")


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedNumber:
    """A number that stands instead of the published one, and where it is from."""

    key: str
    value: float | tuple[float, ...]
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """One end of a downlink: the published one that it starts from, and what is stated anew."""

    name: str  #: the published one's, or the scenario's own id
    like: str  #: a published one, in `qkd.presets`; of a table not yet resolved, another table
    numbers: tuple[StatedNumber, ...] = ()
    standard_air: bool = False  #: of a receiver: the standard atmosphere of its height

    def stating(self, *numbers: StatedNumber) -> Terminal:
        """Return the same with more numbers; a later one stands instead of an earlier."""
        kept = {number.key: number for number in (*self.numbers, *numbers)}
        return replace(self, numbers=tuple(kept.values()))


def published(name: str) -> Terminal:
    """Return a published terminal as it stands."""
    return Terminal(name=name, like=name)


def resolve(name: str, own: Mapping[str, Terminal]) -> Terminal:
    """Return the terminal of that name with all that it starts from put below it.

    `own` holds the scenario's tables, whose `like` may name one another. Raises ScenarioError
    for a name that is neither theirs nor published, and for tables that start from each other.
    """
    chain: list[Terminal] = []
    at = name
    while at in own:
        if own[at] in chain:
            names = " like ".join(one.name for one in (*chain, own[at]))
            raise ScenarioError(f"{names}; allowed: a chain that ends in a published one")
        chain.append(own[at])
        at = own[at].like
    if at not in SATELLITE_PRESETS:
        known = ", ".join((*own, *SATELLITE_PRESETS))
        raise ScenarioError(f"{at!r} is not known; known: {known}")
    made = published(at)
    for one in reversed(chain):
        fresh = made.stating(*one.numbers)
        if {"air_zenith_db"} & {number.key for number in one.numbers}:
            fresh = replace(fresh, standard_air=False)
        if one.standard_air:
            kept = tuple(number for number in fresh.numbers if number.key != "air_zenith_db")
            fresh = replace(fresh, numbers=kept, standard_air=True)
        made = _one_beam(fresh, one)
    return replace(made, name=name)


def _one_beam(made: Terminal, latest: Terminal) -> Terminal:
    """Drop what earlier tables said of the beam and the pointing where the latest says it anew."""
    stated = {number.key for number in latest.numbers}
    dropped: set[str] = set()
    for group in ((*_ANGLES, *_LOSSES), ("pointing_jitter_urad", "pointing_bias_urad",
                                         "pointing_loss_db")):  # fmt: skip
        if stated & set(group):
            dropped |= set(group) - stated
    kept = tuple(number for number in made.numbers if number.key not in dropped)
    return replace(made, numbers=kept)


def mistakes_of(
    numbers: Mapping[str, float | tuple[float, ...]], *, air: str | None
) -> Iterator[str]:
    """Yield what does not hold together in the numbers that one table states."""
    angles = [key for key in _ANGLES if key in numbers]
    losses = [key for key in _LOSSES if key in numbers]
    if len(angles) + bool(losses) > 1 or 0 < len(losses) < len(_LOSSES):
        yield (
            f"the beam is stated by {', '.join((*angles, *losses))}; allowed: one angle, or"
            f" {', '.join(_LOSSES)} together"
        )
    if air is not None and "air_zenith_db" in numbers:
        yield "air_zenith_db stands beside air; allowed: one of them"
    yield from _rows(numbers)


def _rows(numbers: Mapping[str, float | tuple[float, ...]]) -> Iterator[str]:
    mu, p = numbers.get("intensities"), numbers.get("probabilities")
    lengths = {len(row) for row in (mu, p) if isinstance(row, tuple)}
    if (mu is None) != (p is None) and lengths != {3}:
        yield "intensities or probabilities alone; allowed: three, or both rows"
    elif len(lengths) > 1 or not lengths <= set(_ROW_LENGTHS):
        yield f"intensities {mu} and probabilities {p}; allowed: two or three of each"
    if isinstance(mu, tuple) and not _descend(mu):
        yield f"intensities {mu}; allowed: the first above the sum of the others, descending to 0"
    if isinstance(p, tuple) and (min(p, default=0.0) <= 0.0 or abs(sum(p) - 1) > _SUM_TOLERANCE):
        yield f"probabilities {p}; allowed: each above 0, their sum 1"


def _descend(mu: tuple[float, ...]) -> bool:
    last = mu[2] if len(mu) > 2 else 0.0
    return len(mu) > 1 and 20.0 >= mu[0] > sum(mu[1:]) and mu[1] > last >= 0.0
