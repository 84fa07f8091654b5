"""`skytrunk settings`: what is in force, and what each setting means."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.options import Line, answering
from api.cli.output import emit


@answering
def settings(
    line: Line,
    page: Annotated[
        bool, typer.Option("--page", help="Print docs/settings.md, made from their class.")
    ] = False,
) -> None:
    """Show what is in force, and what each setting means."""
    from api.schemas.settings import SettingsInForce
    from api.settings_page import meanings_of_settings, settings_page

    if page:
        emit(settings_page())
        return
    found = SettingsInForce.shown(line.settings(), meanings_of_settings())
    line.answer(found, found.table())
