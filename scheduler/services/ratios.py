"""What the sessions of each link measured, read from the ledger as it grows."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import defaultdict
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scheduler.ledger import Reader


class LinkRatios:
    """Measured over expected sifted bits of each link's sessions; it knows how far it has read."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._after = 0
        #: by satellite and station: when sessions were settled, in order, and what they measured
        self._found: defaultdict[tuple[str, str], tuple[list[datetime], list[float]]]
        self._found = defaultdict(lambda: ([], []))

    def until(self, reader: Reader, at: datetime) -> dict[tuple[str, str], list[float]]:
        """Return the ratios of the sessions settled by an instant, of links that had any.

        `reader` must see nothing that may yet be undone.
        """
        from scheduler.ledger.keys.sessions import measured_after

        with self._turn:
            for one in measured_after(reader, self._after):
                self._after = one.command_id
                instants, ratios = self._found[one.link]
                place = bisect_right(instants, one.settled_at)
                instants.insert(place, one.settled_at)
                ratios.insert(place, one.ratio)
            counts = {link: bisect_right(when, at) for link, (when, _) in self._found.items()}
            return {link: self._found[link][1][:count] for link, count in counts.items() if count}
