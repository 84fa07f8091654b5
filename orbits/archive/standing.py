"""Which element sets may serve: what is held back, accepted again, or taken out, and since when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from orbits.archive.check import check_sets
from orbits.elements import Elements
from orbits.times import as_utc


class Standing(StrEnum):
    """Whether an element set serves."""

    SERVES = "serves"
    ACCEPTED = "accepted"  #: it serves because somebody says so, and is not judged again
    QUARANTINED = "quarantined"  #: it disagrees with its neighbours; nobody has accepted it
    WITHDRAWN = "withdrawn"  #: somebody has taken it out

    @property
    def is_serving(self) -> bool:
        """Whether the set may be used."""
        return self in (Standing.SERVES, Standing.ACCEPTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was decided of one element set, and since when; a later verdict overrules it.

    A set is known by the digest of its text (`Elements.sha256`). `since` is None for what
    has always been so: a set that was held back on arrival has never served.
    """

    sha256: str
    standing: Standing
    since: datetime | None
    reason: str

    def __post_init__(self) -> None:
        if self.since is not None:
            object.__setattr__(self, "since", as_utc(self.since))


class Verdicts:
    """The verdicts on many sets, each looked up by its digest and an instant."""

    def __init__(self, verdicts: Iterable[Verdict]) -> None:
        self._of: dict[str, list[Verdict]] = {}
        for verdict in verdicts:
            self._of.setdefault(verdict.sha256, []).append(verdict)
        for said in self._of.values():
            # In the order given where they are of one instant.
            said.sort(key=lambda verdict: (verdict.since is not None, verdict.since))

    def __bool__(self) -> bool:
        return bool(self._of)

    def __iter__(self) -> Iterator[Verdict]:
        for said in self._of.values():
            yield from said

    def on(self, elements: Elements) -> Sequence[Verdict]:
        """Return the verdicts on a set, the oldest first."""
        return self._of.get(elements.sha256, ()) if self._of else ()

    def last(self, elements: Elements, t: datetime | None = None) -> Verdict | None:
        """Return the verdict that counts at an instant, or in the end; None if there is none."""
        return self.last_on(elements.sha256, t) if self._of else None

    def last_on(self, sha256: str, t: datetime | None = None) -> Verdict | None:
        """Return the same for the digest of a set."""
        on = self._of.get(sha256, ())
        said = [v for v in on if t is None or v.since is None or v.since <= t]
        return said[-1] if said else None

    def standing(self, elements: Elements, t: datetime | None = None) -> Standing:
        """Return whether a set serves at an instant, or in the end."""
        last = self.last(elements, t)
        return Standing.SERVES if last is None else last.standing


def judge(
    sets: Iterable[Elements], verdicts: Iterable[Verdict] = (), *, since: datetime | None = None
) -> tuple[Verdict, ...]:
    """Return the verdicts that the sets of an archive call for and that are not given yet.

    Sets that disagree with their neighbours are quarantined (see `check_sets`). A set in
    quarantine serves again once the sets after it show that the satellite was manoeuvred.
    A withdrawn set counts as not there; one that somebody has accepted is not judged.

    Parameters
    ----------
    sets : every set known, of any satellites
    verdicts : those given so far
    since : what the verdicts say: the instant of the arrival, or None for an archive that
        is brought in as history
    """
    given = Verdicts(verdicts)
    every: dict[int, list[Elements]] = {}
    for item in sets:
        if given.standing(item) is not Standing.WITHDRAWN:
            every.setdefault(item.norad_id, []).append(item)
    called_for = []
    for norad_id in sorted(every):
        of_one = sorted(every[norad_id], key=lambda item: item.epoch)
        accepted = {item.sha256 for item in of_one if given.standing(item) is Standing.ACCEPTED}
        findings = check_sets(of_one, accepted=accepted)
        found = {finding.elements.sha256: finding for finding in findings}
        for item in of_one:
            held = given.standing(item) is Standing.QUARANTINED
            if (item.sha256 in found) == held:
                continue
            called_for.append(
                Verdict(
                    sha256=item.sha256,
                    standing=Standing.SERVES if held else Standing.QUARANTINED,
                    since=since,
                    reason="the sets after it agree: the satellite was manoeuvred"
                    if held
                    else found[item.sha256].sentence,
                )
            )
    return tuple(called_for)
