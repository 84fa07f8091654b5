"""`skytrunk serve` and `skytrunk run`: the two commands that stay until they are stopped."""

from __future__ import annotations

import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.options import Line, common
from api.cli.output import note
from api.inputs import parse_instant_or_none
from scheduler.collector import freeze_gc
from scheduler.errors import InputError

if TYPE_CHECKING:
    from scheduler.settings import Settings

SWITCH_S = 0.001
"""How long a thread that computes keeps the others waiting, those that answer among them."""

RATE_MAX = 1e6  # simulated seconds a second; beyond it one tick spans days
ClockStartOption = Annotated[
    str | None, typer.Option(metavar="T", help="Start the clock at T (default: now).")
]
ClockRateOption = Annotated[float, typer.Option(metavar="N", help="Simulated seconds a second.")]


@common
def serve(
    line: Line,
    host: Annotated[str | None, typer.Option(help="Address to listen on (127.0.0.1).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (8014).")] = None,
    kme_host: Annotated[
        str | None, typer.Option(help="Address of the key manager (127.0.0.1).")
    ] = None,
    kme_port: Annotated[int | None, typer.Option(help="Port of the key manager (8443).")] = None,
    kme_certificate: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Certificate and key of a key manager, any number."),
    ] = None,
    kme_pki: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="A laboratory's, by `skytrunk pki`.")
    ] = None,
    laboratory: Annotated[
        bool, typer.Option("--laboratory", help="Deliver key of a simulated source too.")
    ] = False,
    workers: Annotated[
        int,
        typer.Option(min=1, max=64, help="Processes that share the ports, each started anew."),
    ] = 1,
    shares_ports: Annotated[bool, typer.Option("--shares-ports", hidden=True)] = False,
    clock_start: ClockStartOption = None,
    clock_rate: ClockRateOption = 1.0,
) -> None:
    """Answer over HTTP until stopped: pages at /, the API at /docs.

    With a certificate for a key manager, deliver keys over mutual TLS on a port of its own.
    """
    start = _clock_start(clock_start, clock_rate)
    settings = line.settings(
        host=host,
        port=port,
        kme_host=kme_host,
        kme_port=kme_port,
        kme_certificates=tuple(kme_certificate) if kme_certificate else None,
        kme_pki=kme_pki,
        laboratory=laboratory or None,
    )
    settings = _live(settings) if start is None else settings
    stopping = threading.Event()
    when_stopped(stopping.set)
    if workers > 1:
        _serve_by(workers, stopping)
        return
    from scheduler.clock import live_clock
    from scheduler.logs import set_up_logs
    from scheduler.services.context import Context

    clock = live_clock(start, clock_rate)
    set_up_logs(settings.log_format)
    with Context(settings, clock=clock) as context, ExitStack() as open_sockets:
        context.refuse_other_scenario()
        from api.ports import ports_of, run_ports

        ports = ports_of(settings, context)
        for one in ports:
            listener = _listen(one.host, one.port, shared=shares_ports)
            one.listener = open_sockets.enter_context(listener)
        for one in ports:
            note(one.greeting)
        note(f"scenario {context.scenario.name}")
        freeze_gc()
        sys.setswitchinterval(SWITCH_S)
        clock.now()  # an accelerated one starts here, whenever the first question comes

        def stop_now() -> None:
            for one in ports:
                one.server.should_exit = True

        when_stopped(stop_now)
        if not stopping.is_set():
            run_ports(ports)


def _live(settings: Settings) -> Settings:
    """By the present clock: a mission that flies, unless another scenario was named."""
    from scheduler import services

    return services.live_settings(settings)


def _clock_start(start: str | None, rate: float) -> datetime | None:
    """Where the clock starts; None for now. Raises InputError for a rate that is none."""
    if not 0.0 < rate <= RATE_MAX:
        raise InputError(f"clock-rate {rate}; allowed: above 0, up to {RATE_MAX:g}")
    return parse_instant_or_none(start, "clock-start")


def when_stopped(act: Callable[[], None]) -> None:
    """Call `act` at Ctrl-C or SIGTERM; ask for it before anything that takes long to import.

    Python throws a KeyboardInterrupt away where it falls into the tidying up after an import.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: act())


def _serve_by(workers: int, stop: threading.Event) -> None:
    """Have so many processes answer on the same ports until told to stop."""
    from scheduler.logs import set_up_logs
    from scheduler.supervisor import supervise

    set_up_logs("lines")
    words = [*sys.argv[1:], "--shares-ports", "--workers", "1"]
    supervise([sys.executable, "-m", "api.cli", *words], processes=workers, stop=stop)


def _listen(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """Return a listening socket, so that a taken port is our error and not a log line."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if shared:  # the system deals out connections among those that listen
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            listener.bind(address)
            listener.listen(128)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise InputError(
            f"cannot listen on {host} port {port}: {error.strerror};"
            " allowed: an address of this machine and a free port"
        ) from None
    return listener


@common
def run(
    line: Line,
    clock_start: ClockStartOption = None,
    clock_rate: ClockRateOption = 1.0,
    allow_earlier: Annotated[
        bool,
        typer.Option("--allow-earlier", help="Run earlier than the ledger's newest key."),
    ] = False,
) -> None:
    """Run the scheduled jobs (plan, sessions, spans, merges) until stopped."""
    start = _clock_start(clock_start, clock_rate)
    settings = line.settings()
    settings = _live(settings) if start is None else settings
    stop = threading.Event()
    when_stopped(stop.set)
    from scheduler.jobs import run_forever

    run_forever(
        settings,
        clock_start=start,
        clock_rate=clock_rate,
        stop=stop,
        allow_earlier=allow_earlier,
    )
