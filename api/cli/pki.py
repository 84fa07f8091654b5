"""`skytrunk pki`: certificates of a laboratory, for those who have no authority of their own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.options import Line, answering, commands, common
from api.cli.output import note, show
from scheduler.clock import SystemClock
from scheduler.errors import InputError

if TYPE_CHECKING:
    from api.security.certificates import Plane
    from api.security.pki import Laboratory

app = commands("Make certificates for a laboratory: authorities, key managers, applications.")

FolderOption = Annotated[
    Path, typer.Option("--folder", metavar="FOLDER", help="Where the certificates are (pki).")
]
PKI = Path("pki")
PLANE_OF: dict[str, Plane] = {"application": "application", "kme": "peer"}


def _laboratory(folder: Path) -> Laboratory:
    from api.security.pki import Laboratory

    return Laboratory(folder)


@app.command("init")
@common
def init(_: Line, folder: FolderOption = PKI) -> None:
    """Make two authorities, one for applications and one for key managers, and their lists."""
    laboratory = _laboratory(folder)
    laboratory.init(SystemClock().now())
    show(f"two authorities in {folder}; their keys are for a laboratory, and belong to nobody else")


@app.command("issue")
@common
def issue(
    _: Line,
    kind: Annotated[str, typer.Argument(metavar="KIND", help="application or kme.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="SAE id or KME id.")],
    host: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST", help="Of a kme, any number (NAME.localhost and loopback)."),
    ] = None,
    days: Annotated[int, typer.Option(help="How long it is good.")] = 365,
    replace: Annotated[bool, typer.Option("--replace", help="In place of an older one.")] = False,
    folder: FolderOption = PKI,
) -> None:
    """Issue a certificate: one file with the certificate and its key."""
    if kind not in PLANE_OF:
        raise InputError(f"kind {kind!r}; allowed: {', '.join(PLANE_OF)}")
    path = _laboratory(folder).issue(
        name,
        plane=PLANE_OF[kind],
        now=SystemClock().now(),
        days=days,
        hosts=host or (),
        replace=replace,
    )
    show(str(path))


@app.command("revoke")
@common
def revoke(
    _: Line,
    which: Annotated[str, typer.Argument(metavar="NAME", help="A name or a serial number.")],
    folder: FolderOption = PKI,
) -> None:
    """Take certificates back; a running server refuses them from then on."""
    for one in _laboratory(folder).revoke(which, SystemClock().now()):
        show(f"revoked {one.name}, serial {one.serial}")
    note("servers read the lists again by themselves; others need the new .crl files")


@app.command("list")
@answering
def list_certificates(line: Line, folder: FolderOption = PKI) -> None:
    """List what was issued, and what was taken back."""
    from api.schemas.certificates import Certificates

    found = Certificates.of(_laboratory(folder).list())
    line.answer(found, found.table())
