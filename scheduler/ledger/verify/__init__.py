"""Recomputing everything the ledger claims."""
