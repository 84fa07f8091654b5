"""Upper bounds that need no solver: each resource planned by itself."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from scheduler.plan.model import Model


def bound_by_resource(model: Model) -> float:
    """Return the most that a plan can be worth, from the best timetable of each resource alone.

    Planning every satellite as if stations were never busy (or the other way round) drops rows,
    so neither sum can be below the best plan; the smaller one is returned.
    """
    rules = model.problem.rules
    held = sum(float(model.value[i]) for i, fixed in enumerate(model.fixed) if fixed)
    satellites = [candidate.satellite_id for candidate in model.options]
    # A dual downlink counts on the first of its mounts alone: the other's row is dropped.
    mounts = [rules.mounts_of(candidate)[0] for candidate in model.options]
    value = [float(v) for v in model.value]
    return held + min(
        sum(best_per_resource(model, satellites, value).values()),
        sum(best_per_resource(model, mounts, value).values()),
    )


def best_per_resource(
    model: Model, names: Sequence[str], value: Sequence[float]
) -> dict[str, float]:
    """The value of each resource's best timetable of open options; setup counts, slews do not."""
    by_name: dict[str, list[int]] = defaultdict(list)
    for option, name in enumerate(names):
        if model.open[option]:
            by_name[name].append(option)
    return {name: _best(model, options, value) for name, options in by_name.items()}


def _best(model: Model, options: Sequence[int], value: Sequence[float]) -> float:
    """Weighted interval scheduling, by end of session."""
    setup = timedelta(seconds=model.problem.rules.setup_s)
    ends: list[datetime] = []
    best = [0.0]
    for option in sorted(options, key=lambda i: model.options[i].loses_at):
        candidate = model.options[option]
        before = bisect_right(ends, candidate.acquires_at)
        best.append(max(best[-1], best[before] + value[option]))
        ends.append(candidate.loses_at + setup)
    return best[-1]
