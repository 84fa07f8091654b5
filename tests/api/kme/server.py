"""A real server of the doors on a ledger that is there; who calls stands in a header.

Run as `python -m tests.api.kme.server FOLDER FD`, with a listening socket handed over.
"""

from __future__ import annotations

import sys
from pathlib import Path

import uvicorn

from api.kme import build_app
from scheduler.services.context import Context
from scheduler.settings import load_settings
from tests.api.kme.conftest import peer_of


def main(folder: Path, listener: int) -> None:
    """Serve until killed."""
    settings = load_settings(
        database_url=f"sqlite:///{folder / 'ledger.db'}",
        scenario=str(folder / "ring.toml"),
        key_answer_s=5.0,
    )
    with Context(settings) as context:
        app = build_app(context, peer_of=peer_of)

        @app.get("/empty")
        async def empty() -> dict[str, str]:
            return {}

        config = uvicorn.Config(app, fd=listener, log_level="warning", access_log=False)
        uvicorn.Server(config).run()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
