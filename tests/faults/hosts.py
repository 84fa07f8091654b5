"""Hosts with a network of their own between them and the database, which can be cut."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

PORT = 5432
PIECE_BYTES = 65_536


def socket_of(url: str) -> Path:
    """The local socket of a server, from a URL of one of its databases."""
    (folder,) = parse_qs(urlsplit(url).query)["host"]
    return Path(folder) / f".s.PGSQL.{PORT}"


class Relay:
    """Forwards TCP connections to a local socket, until told to forward nothing."""

    def __init__(self, target: Path, address: tuple[str, int] = ("127.0.0.1", 0)) -> None:
        self._target = str(target)
        self._listener = socket.create_server(address)
        self.port: int = self._listener.getsockname()[1]
        self._open = threading.Event()
        self._open.set()
        self._over = False
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Forward nothing, and say nothing of it to anybody."""
        self._open.clear()

    def mend(self) -> None:
        """Forward again; who was connected finds that the connection is lost."""
        for pair in self._pairs:
            for one in pair:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
        self._pairs.clear()
        self._open.set()

    def close(self) -> None:
        """Let go of everything."""
        self._over = True
        self._listener.close()
        self.mend()

    def _accept(self) -> None:
        while not self._over:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._forward, args=(near,), daemon=True).start()

    def _forward(self, near: socket.socket) -> None:
        self._open.wait()
        far = socket.socket(socket.AF_UNIX)
        with near, far, selectors.DefaultSelector() as ready, contextlib.suppress(OSError):
            far.connect(self._target)
            self._pairs.append((near, far))
            ready.register(near, selectors.EVENT_READ, far)
            ready.register(far, selectors.EVENT_READ, near)
            while not self._over:
                for key, _ in ready.select(timeout=0.5):
                    self._open.wait()
                    piece = key.fileobj.recv(PIECE_BYTES)  # type: ignore[union-attr]
                    if not piece:
                        return
                    key.data.sendall(piece)


@dataclass
class Hosts:
    """Network namespaces, one a host, each joined to the database's by a cable."""

    prefix: str
    names: Sequence[str]
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def words(self, host: str, *words: str) -> list[str]:
        """A command as it is run on a host."""
        return ["ip", "netns", "exec", f"{self.prefix}-{host}", *words]

    def url(self, host: str, database: str) -> str:
        """The address of a database as a host sees it."""
        return f"postgresql://postgres@10.77.{self.names.index(host)}.1:{PORT}/{database}"

    def cable(self, host: str, state: str) -> None:
        """Pull a host's cable (down), or plug it in (up)."""
        _ip(*self.words(host, "ip", "link", "set", "net", state)[1:])


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@contextmanager
def hosts(target: Path, names: Sequence[str]) -> Iterator[Hosts]:
    """Make the namespaces, and a relay to the server in its own. Raises CalledProcessError."""
    made = Hosts(f"sky{os.getpid()}", names)
    try:
        _ip("netns", "add", f"{made.prefix}-db")
        for number, name in enumerate(names):
            _ip("netns", "add", f"{made.prefix}-{name}")
            _ip(
                "link", "add", "net", "netns", f"{made.prefix}-{name}", "type", "veth",
                "peer", "name", f"to-{name}", "netns", f"{made.prefix}-db",
            )  # fmt: skip
            for host, link, last in ((name, "net", 2), ("db", f"to-{name}", 1)):
                inside = made.words(host, "ip")[1:]
                _ip(*inside, "addr", "add", f"10.77.{number}.{last}/24", "dev", link)
                _ip(*inside, "link", "set", link, "up")
        relay = made.words("db", sys.executable, "-m", "tests.faults.hosts", str(target))
        made.processes.append(subprocess.Popen(relay, cwd=Path(__file__).parents[2]))
        yield made
    finally:
        for process in made.processes:
            process.kill()
            process.wait()
        for name in ("db", *names):
            with contextlib.suppress(subprocess.CalledProcessError):
                _ip("netns", "del", f"{made.prefix}-{name}")


if __name__ == "__main__":
    Relay(Path(sys.argv[1]), ("0.0.0.0", PORT))
    threading.Event().wait()
