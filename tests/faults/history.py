"""What a worker saw of the ledger, and whether any ledger could have let it see that."""

from __future__ import annotations

import itertools
import json
import os
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scheduler.ledger import Ledger
from scheduler.ledger.keys.blocks import get_entries


@dataclass(slots=True)
class Event:
    """One line: a request is about to be made, was answered, or was found answered before."""

    what: str  #: intent, ok, replayed
    request: str
    kind: str
    keys: list[str] = field(default_factory=list)  #: ids of keys that left with the answer
    ranges: list[tuple[str, int, int]] = field(default_factory=list)  #: (block, start, end)


def write(handle: int, event: Event) -> None:
    """Append a line with one system call, so that a kill cuts no line but the last."""
    line = json.dumps(
        {
            "what": event.what,
            "request": event.request,
            "kind": event.kind,
            "keys": event.keys,
            "ranges": event.ranges,
        }
    )
    os.write(handle, (line + "\n").encode())


def read(path: Path) -> list[Event]:
    """Every whole line."""
    events = []
    for line in path.read_text().splitlines():
        try:
            row: dict[str, Any] = json.loads(line)
        except ValueError:
            continue  # cut off by a kill; the request then counts as unanswered
        events.append(Event(**(row | {"ranges": [tuple(part) for part in row["ranges"]]})))
    return events


def problems(events: Iterable[Event]) -> list[str]:
    """What the events alone contradict: a request answered twice, a key or a bit given twice."""
    found: list[str] = []
    answered: set[str] = set()
    keys: dict[str, str] = {}
    given: defaultdict[str, list[tuple[int, int, str]]] = defaultdict(list)
    for event in events:
        if event.what == "ok":
            if event.request in answered:
                found.append(f"{event.request} was answered afresh twice")
            answered.add(event.request)
        elif (event.keys or event.ranges) and event.what != "ok":
            found.append(f"{event.request} gave key out without an answer of its own")
        for key in event.keys:
            if key in keys:
                found.append(f"key {key} left with {keys[key]} and with {event.request}")
            keys[key] = event.request
        for block, start, end in event.ranges:
            given[block].append((start, end, event.request))
    for block, spans in given.items():
        spans.sort()
        for (_, end, one), (start, _, other) in itertools.pairwise(spans):
            if start < end:
                found.append(f"bits of {block} from {start} left with {one} and with {other}")
    return found


def lost(events: Iterable[Event], ledger: Ledger) -> list[str]:
    """Requests that were answered and that the ledger does not know, or keys it did not give."""
    found: list[str] = []
    with ledger.view.read() as reader:
        consumed: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        after = 0
        while entries := get_entries(reader, after=after):
            for entry in entries:
                if entry.target.value in {"spent", "delivered"}:
                    consumed[str(entry.block_id)].append((entry.start_bit, entry.end_bit))
            after = entries[-1].entry_id
        for event in events:
            if (
                event.what == "ok"
                and reader.answer(event.request, kind=event.kind, digest="") is None
            ):
                found.append(f"{event.request} was answered, the ledger does not know it")
            for block, start, end in event.ranges:
                if not any(s <= start and end <= e for s, e in consumed[block]):
                    found.append(f"bits {start} to {end} of {block} left and are not consumed")
    return found
