"""`skytrunk satellites` and `skytrunk stations`: who takes part in the scenario."""

from __future__ import annotations

from api.cli.options import Line, answering


@answering
def satellites(line: Line) -> None:
    """List the satellites of the scenario."""
    from api.schemas.network import Satellites

    found = line.ask(
        lambda here: Satellites.model_validate(here.scenario), lambda server: server.satellites()
    )
    line.answer(found, found.table())


@answering
def stations(line: Line) -> None:
    """List the ground stations of the scenario."""
    from api.schemas.network import Stations

    found = line.ask(
        lambda here: Stations.model_validate(here.scenario), lambda server: server.stations()
    )
    line.answer(found, found.table())
