"""Adapters to the outside: element sets, scenarios, key sources."""
