"""The command line: the services from a terminal, one module per noun."""

from api.cli.root import main, run

__all__ = ["main", "run"]
