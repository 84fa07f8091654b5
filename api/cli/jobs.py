"""`skytrunk jobs`: what the clockwork did, and work done by hand, paused and resumed."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.options import Line, answering, commands
from api.inputs import parse_instant_or_none
from scheduler import services

app = commands("See what the clockwork did; run, pause and resume its work.")

WorkArgument = Annotated[str, typer.Argument(metavar="WORK", help="As `jobs list` names it.")]


@app.command("list")
@answering
def list_jobs(
    line: Line,
    work: Annotated[
        str | None, typer.Option(metavar="WORK", help="Only work of this kind, e.g. merge.")
    ] = None,
    state: Annotated[
        str | None, typer.Option(help="due, running, done, failed or missed (all).")
    ] = None,
    limit: Annotated[int, typer.Option(help="Most jobs, the last ones first.")] = 20,
) -> None:
    """List what repeats, and the jobs due last with what became of each."""
    from api.schemas.jobs import Jobs

    found = line.ask(
        lambda here: Jobs.model_validate(
            services.list_jobs(here, work=work, state=state, limit=limit)
        ),
        lambda server: server.jobs(work=work, state=state, limit=limit),
    )
    line.answer(found, found.tables())


@app.command("show")
@answering
def show_job(
    line: Line,
    job: Annotated[str, typer.Argument(metavar="JOB", help="As `jobs list` names it.")],
    at: Annotated[
        str | None, typer.Option("--at", metavar="T", help="The instant it was due (the last).")
    ] = None,
) -> None:
    """Show every change of one job."""
    from api.schemas.jobs import JobEvents

    due = parse_instant_or_none(at, "at")
    found = line.ask(
        lambda here: JobEvents.of(services.job_events(here, job, due)),
        lambda server: server.job_events(job, due),
    )
    line.answer(found, found.table())


@app.command("run")
@answering
def run(line: Line, work: WorkArgument) -> None:
    """Do work that repeats at once, as if it were due now."""
    from api.schemas.jobs import JobRun

    done = line.ask(
        lambda here: JobRun.model_validate(services.run_job_now(here, work)),
        lambda server: server.run_job(work),
    )
    why = f": {done.job.reason}" if done.job.reason else ""
    line.answer(done, f"{done.job.job} is {done.job.state}{why}", *done.lines)


@app.command("pause")
@answering
def pause(
    line: Line,
    work: WorkArgument,
    reason: Annotated[str, typer.Option(help="Why; every instant that is missed says so.")],
) -> None:
    """Have work not done until it is resumed."""
    from api.schemas.jobs import Pause

    done = line.ask(
        lambda here: Pause.model_validate(services.pause_job(here, work, reason=reason)),
        lambda server: server.pause_job(work, reason=reason),
    )
    line.answer(done, f"{done.work} is paused")


@app.command("resume")
@answering
def resume(line: Line, work: WorkArgument) -> None:
    """Have paused work done again."""
    from api.schemas.jobs import Pause

    done = line.ask(
        lambda here: Pause.model_validate(services.resume_job(here, work)),
        lambda server: server.resume_job(work),
    )
    line.answer(done, f"{done.work} goes on")
