"""The `skytrunk` command: its tree, and what becomes of errors, interrupts and broken pipes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated, NoReturn

import typer

from api.cli import (
    alerts,
    campaign,
    compare,
    elements,
    jobs,
    keys,
    ledger,
    merge,
    network,
    next_pass,
    outage,
    pairs,
    passes,
    pki,
    plan,
    replay,
    runway,
    sae,
    scenario,
    serve,
    settings,
    survey,
    token,
    track,
    validate,
    vault,
    worker,
)
from api.cli.interrupt import spare_imports
from api.cli.options import ConfigOption, DatabaseOption, ScenarioOption, ServerOption, keep
from api.cli.output import emit, note
from scheduler.collector import collect_rarely

INTERRUPTED = 130  # 128 and SIGINT, as shells say it


def _show_version(asked: bool) -> None:
    if asked:
        emit(f"skytrunk {version('skytrunk')}\n")
        raise typer.Exit


def keep_options(
    context: typer.Context,
    database: DatabaseOption = None,
    config: ConfigOption = None,
    scenario_name: ScenarioOption = None,
    server: ServerOption = None,
    _: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Say which this is."),
    ] = False,
) -> None:
    """Remember the options in front of a command."""
    keep(context, database, config, scenario_name, server)


app = typer.Typer(
    name="skytrunk",
    help="Satellite-ground QKD: passes, key yield, bookings, and one ledger for all keys.",
    no_args_is_help=False,
    add_completion=False,
    # A traceback with local variables could show key; ours show none.
    pretty_exceptions_enable=False,
    callback=keep_options,
)
app.command("passes")(passes.passes)
app.command("pairs")(pairs.pairs)
app.command("next")(next_pass.next_pass)
app.command("track")(track.track)
app.command("replay")(replay.replay)
app.command("validate")(validate.validate)
app.command("serve")(serve.serve)
app.command("run")(serve.run)
app.command("worker")(worker.worker)
app.command("settings")(settings.settings)
app.command("satellites")(network.satellites)
app.command("stations")(network.stations)
app.command("runway")(runway.runway)
app.command("survey")(survey.survey)
app.command("campaign")(campaign.campaign)
app.command("alerts")(alerts.alerts)
app.command("compare")(compare.compare)
app.add_typer(scenario.app, name="scenario")
app.add_typer(plan.app, name="plan")
app.add_typer(outage.app, name="outage")
app.add_typer(ledger.app, name="ledger")
app.add_typer(elements.app, name="elements")
app.add_typer(jobs.app, name="jobs")
app.add_typer(vault.app, name="vault")
app.add_typer(merge.app, name="merge")
app.add_typer(keys.app, name="keys")
app.add_typer(pki.app, name="pki")
app.add_typer(sae.app, name="sae")
app.add_typer(token.app, name="token")


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; expected errors become one line on stderr."""
    from api.errors import known_errors, lines_of, outcome_of

    try:
        result = app(list(arguments) or ["--help"], prog_name="skytrunk", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has gone. Python flushes stdout once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except typer.TyperException as error:
        note(" ".join(error.format_message().split()))
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        note("interrupted")
        return INTERRUPTED
    # Evaluated only when something was raised: the table imports every floor.
    except known_errors() as error:
        for line in lines_of(error):
            note(line)
        return outcome_of(error).exit_code
    if result == INTERRUPTED:  # typer makes an exit code of Ctrl-C
        note("interrupted")
    return result if isinstance(result, int) else 0


def main() -> NoReturn:
    """Entry point of the installed command."""
    spare_imports()
    collect_rarely()
    raise SystemExit(run(sys.argv[1:]))
