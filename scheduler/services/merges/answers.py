"""The answers of merge executions, as they are kept and as they are shown.

An execution of hundreds of pairs over dozens of hops would keep tens of thousands of node
names. Each block has its provenance, in numbers; the paths are shown from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from scheduler.ledger.keys.blocks import get_provenances
from scheduler.merge import legs_of

if TYPE_CHECKING:
    from scheduler.ledger import Reader
    from scheduler.services.merges.execute import MergedKey


def executed_view(answer: dict[str, Any], merged_keys: Sequence[MergedKey]) -> dict[str, Any]:
    """The answer of an execution that just ended, with the paths of its steps."""
    steps = [
        {**step, "paths": [list(leg.path) for leg in legs_of(gain.step)]}
        for step, gain in zip(answer["steps"], merged_keys, strict=True)
    ]
    return {**answer, "steps": steps}


def merge_views(reader: Reader, answers: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Answers from the ledger with the paths of their steps."""
    names = [step["block"] for answer in answers for step in answer["steps"]]
    known = get_provenances(reader, names)
    return [
        {
            **answer,
            "steps": [{**step, "paths": known[step["block"]]["paths"]} for step in answer["steps"]],
        }
        for answer in answers
    ]
