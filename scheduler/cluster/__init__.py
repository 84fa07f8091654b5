"""Several machines: workers on one PostgreSQL ledger, and replays on Dask (extra `cluster`)."""
