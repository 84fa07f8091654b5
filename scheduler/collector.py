"""How often Python looks for objects that hold each other, which facts and tables never do."""

from __future__ import annotations

import gc

YOUNG_OBJECTS = 10_000
"""New objects after which the collector looks for cycles among them; Python's 700 are few for a
merge that makes a hundred thousand and lets go of them without its help. A forecast of 47,759
options takes a tenth less processor so."""


def collect_rarely() -> None:
    """Have fewer rounds of the garbage collector."""
    gc.set_threshold(YOUNG_OBJECTS)


def freeze_gc() -> None:
    """Leave what was made so far out of the garbage collector's rounds, and have fewer of them.

    Modules, tables and plans stay as long as the process. Going over them takes the collector
    0.15 s and more, every dozen merges of hundreds of pairs, with the ledger's only writer in it.
    """
    gc.collect()
    gc.freeze()
    collect_rarely()
