"""Closed periods: which rows leave the live ledger for a signed file, and what carries over."""
