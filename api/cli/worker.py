"""`skytrunk worker`: work for a ledger on PostgreSQL, beside others on any number of machines."""

from __future__ import annotations

import sys
import threading
from typing import Annotated

import typer

from api.cli.options import Line, common
from api.cli.serve import when_stopped
from scheduler.errors import SettingsError

PROCESSES_MAX = 64


@common
def worker(
    line: Line,
    processes: Annotated[
        int,
        typer.Option(
            min=0, max=PROCESSES_MAX, help="Processes, each started anew when it ends; 0: this one."
        ),
    ] = 0,
) -> None:
    """Do the scheduled jobs together with other workers (extra `cluster`, PostgreSQL)."""
    settings = line.settings()
    try:
        from scheduler.cluster.queue import Queue, make_tables
    except ImportError as error:
        raise SettingsError(f"{error.name} is missing; allowed: pip install '.[cluster]'") from None
    from scheduler import services
    from scheduler.clock import SteadyClock
    from scheduler.logs import set_up_logs
    from scheduler.services.context import Context
    from scheduler.supervisor import supervise

    set_up_logs(settings.log_format)
    make_tables(settings.database_url)
    if processes:
        stop = threading.Event()
        when_stopped(stop.set)
        words = [word for word in sys.argv[1:] if not word.startswith("--processes")]
        if "--processes" in sys.argv:
            at = sys.argv.index("--processes")
            words = [*sys.argv[1:at], *sys.argv[at + 2 :]]
        supervise([sys.executable, "-m", "api.cli", *words], processes=processes, stop=stop)
        return
    with Context(settings, clock=SteadyClock()) as context:
        with context.ledger.view.read() as reader:
            context.check_scenario(reader)
        for name in services.__all__:
            getattr(services, name)  # before the first job, not in it
        services.check_webhook(context)
        services.check_executors(context)
        Queue(context).run()
