"""Every element set known to a process, packaged, imported, handed over, and what may serve."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING

from orbits import Archive, EarthTime, Elements, ElementsError, Verdict, read_elements
from scheduler.sources.elements import packaged_elements

if TYPE_CHECKING:
    from scheduler.domain import ElementBinding, KnownSet
    from scheduler.ledger import ElementRow


class Archives:
    """Archives of one satellite or of all, read at first use and kept until `forget`."""

    def __init__(
        self,
        stored: Callable[[int | None, bool], Iterable[ElementRow]],
        given: Callable[[], Iterable[Verdict]],
        extra: Iterable[Elements],
        earth: Callable[[], EarthTime],
        bound: Callable[[], Iterable[ElementBinding]] = tuple,
    ) -> None:
        self._bound = bound
        self._bindings: tuple[ElementBinding, ...] | None = None
        self._stored = stored
        self._given = given
        self._extra = tuple(extra)
        self._earth = earth
        self._whole: Archive | None = None
        self._single: dict[int, Archive] = {}
        self._known: dict[int, tuple[tuple[int, int], Archive]] = {}
        self._verdicts: tuple[Verdict, ...] | None = None
        self._unreadable: dict[str, str] = {}

    def forget(self) -> None:
        """Read everything anew at next use."""
        self._whole = self._verdicts = self._bindings = None
        self._single.clear()
        self._known.clear()

    def verdicts(self) -> tuple[Verdict, ...]:
        """What was decided of element sets, in the order in which it was."""
        if self._verdicts is None:
            self._verdicts = tuple(self._given())
        return self._verdicts

    def bindings(self) -> tuple[ElementBinding, ...]:
        """Whose the sets of unsettled numbers are, in the order in which it was decided."""
        if self._bindings is None:
            self._bindings = tuple(self._bound())
        return self._bindings

    def _as_bound(self, items: Iterable[Elements]) -> Iterator[Elements]:
        """The sets, each under the number of the satellite that it is bound to, if it is."""
        last = {
            number: [one for one in reversed(self.bindings()) if one.norad_id == number]
            for number in {one.norad_id for one in self.bindings()}
        }
        for item in items:
            whose = next((b for b in last.get(item.norad_id, ()) if b.since <= item.epoch), None)
            yield item if whose is None else replace(item, norad_id=whose.satellite_norad_id)

    def catalogued(self, norad_id: int) -> list[Elements]:
        """Every set that came under a catalogue number, whosever it is."""
        every = (*packaged_elements(), *self._imported(norad_id), *self._extra)
        return [item for item in every if item.norad_id == norad_id]

    def whole(self) -> Archive:
        """Every set of every satellite."""
        if self._whole is None:
            self._whole = Archive(
                self._as_bound([*packaged_elements(), *self._imported(None), *self._extra]),
                verdicts=self.verdicts(),
                earth=self._earth(),
            )
        return self._whole

    def without(self, norad_ids: Collection[int]) -> Archive:
        """Every set but those of some satellites."""
        return Archive(
            (item for item in self.whole() if item.norad_id not in norad_ids),
            verdicts=self.verdicts(),
            earth=self._earth(),
        )

    def of(self, norad_id: int) -> Archive:
        """Every set of one satellite: no other one is read, so this stays quick."""
        if norad_id not in self._single:
            bound = {one.norad_id for one in self.bindings() if one.satellite_norad_id == norad_id}
            every = [item for one in {norad_id, *bound} for item in self.catalogued(one)]
            self._single[norad_id] = Archive(
                (item for item in self._as_bound(every) if item.norad_id == norad_id),
                verdicts=self.verdicts(),
                earth=self._earth(),
            )
        return self._single[norad_id]

    def known_at(self, norad_id: int, t: datetime, *, lag: timedelta) -> Archive:
        """The sets of one satellite that had arrived by an instant; all of them if none had.

        What an archive says of timing and decay then looks at no later set or verdict either.
        """
        whole = self.of(norad_id)
        known = [item for item in whole if _arrival(item, lag) <= t]
        if not known:
            return whole  # which names the first set there was
        given = [one for one in self.verdicts() if one.since is None or one.since <= t]
        # What is known only grows with t, so its size says which archive it is.
        size = len(known), len(given)
        kept, archive = self._known.get(norad_id, ((0, 0), whole))
        if kept != size:
            archive = Archive(known, verdicts=given, earth=self._earth(), earlier=archive)
            self._known[norad_id] = size, archive
        return archive

    def latest(self) -> list[KnownSet]:
        """The last set of each satellite, by catalogue number.

        A text is read only where another one is of the same epoch: they may say the same.
        """
        last: dict[int, list[Elements | ElementRow]] = {}
        every: Iterable[Elements | ElementRow] = chain(
            packaged_elements(), self._stored(None, True), self._extra
        )
        for item in every:
            found = last.setdefault(item.norad_id, [])
            if found and item.epoch > found[0].epoch:
                found.clear()
            if not found or item.epoch == found[0].epoch:
                found.append(item)
        return [
            found[0] if len(found) == 1 else (list(Archive(self._read(found))) or found)[-1]
            for _, found in sorted(last.items())
        ]

    def unreadable(self) -> tuple[str, ...]:
        """A sentence for each stored set that is none by now, of those read so far."""
        return tuple(self._unreadable.values())

    def _imported(self, norad_id: int | None) -> list[Elements]:
        return list(self._read(self._stored(norad_id, False)))

    def _read(self, items: Iterable[Elements | ElementRow]) -> Iterator[Elements]:
        for item in items:
            if isinstance(item, Elements):
                yield item
                continue
            try:
                yield from read_elements(item.text, source=item.source, arrived_at=item.arrived_at)
            # It is in the ledger for good; the others must go on serving.
            except ElementsError as error:
                self._unreadable[item.sha256] = (
                    f"satellite {item.norad_id}: the set {item.sha256[:12]} of {item.source} is"
                    f" refused by now and serves nothing: {error}"
                )


def _arrival(item: Elements, lag: timedelta) -> datetime:
    return item.epoch + lag if item.arrived_at is None else item.arrived_at
