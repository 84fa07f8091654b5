"""The answers of merge ticks, as they are kept and as they are told.

A tick of hundreds of pairs over dozens of hops would keep tens of thousands of node names. Each
block has its provenance, in numbers; the paths are told from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from scheduler.ledger.keys.blocks import get_provenances
from scheduler.merge import legs_of

if TYPE_CHECKING:
    from scheduler.ledger import Reader
    from scheduler.services.merges.execute import MergedKey


def told_at_once(answer: dict[str, Any], merged_keys: Sequence[MergedKey]) -> dict[str, Any]:
    """The answer of a tick that was just carried out, with the paths of its steps."""
    steps = [
        {**step, "paths": [list(leg.path) for leg in legs_of(gain.step)]}
        for step, gain in zip(answer["steps"], merged_keys, strict=True)
    ]
    return {**answer, "steps": steps}


def told(reader: Reader, answers: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Answers from the ledger with the paths of their steps; the first releases kept those."""
    names = [step["block"] for answer in answers for step in answer["steps"] if "paths" not in step]
    known = get_provenances(reader, names)
    return [
        {
            **answer,
            "steps": [
                step if "paths" in step else {**step, "paths": known[step["block"]]["paths"]}
                for step in answer["steps"]
            ],
        }
        for answer in answers
    ]
