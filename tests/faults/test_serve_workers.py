"""`serve --workers`: one that is killed is started anew, and nobody notices for long."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.api.conftest import started

PATIENCE_S = 120.0


def _children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(word) for word in text.split()]


def _listening(pid: int) -> bool:
    """Whether a process has a socket that listens among its open files."""
    listening = re.findall(
        r"^\s*\d+: \S+ \S+ 0A .*?\s(\d+) 1 ", Path("/proc/net/tcp").read_text(), re.MULTILINE
    )
    links = []
    with suppress(FileNotFoundError):  # the process, or a file that it closed meanwhile
        for one in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):
                links.append(str(one.readlink()))
    return any(f"socket:[{number}]" in links for number in listening)


@pytest.mark.faults
@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs Linux's /proc")
def test_a_killed_process_of_a_server_is_started_anew(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    until = time.monotonic() + PATIENCE_S
    with started(tmp_path, "serve", "--port", str(port), "--workers", "2") as process:

        def wait_for_two(but: int = 0) -> list[int]:
            while True:
                found = [one for one in _children(process.pid) if one != but and _listening(one)]
                if len(found) == 2:
                    return found
                assert time.monotonic() < until, found
                time.sleep(0.2)

        victim, _ = wait_for_two()
        os.kill(victim, signal.SIGKILL)
        wait_for_two(but=victim)
        for _ in range(8):
            assert httpx.get(f"http://127.0.0.1:{port}/health", trust_env=False).status_code == 200
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        assert process.returncode == 0
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/health", trust_env=False)
