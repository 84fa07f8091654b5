"""`python -m api.cli` is the `skytrunk` command."""

from api.cli.root import main

main()
