"""`skytrunk satellites` and `skytrunk stations`: who takes part in the scenario."""

from __future__ import annotations

from api.cli.options import Line, answering


@answering
def satellites(line: Line) -> None:
    """List the satellites of the scenario."""
    from api.schemas.network import Satellites

    with line.context() as context:
        found = Satellites.model_validate(context.scenario)
    line.answer(found, found.table())


@answering
def stations(line: Line) -> None:
    """List the ground stations of the scenario."""
    from api.schemas.network import Stations

    with line.context() as context:
        found = Stations.model_validate(context.scenario)
    line.answer(found, found.table())
