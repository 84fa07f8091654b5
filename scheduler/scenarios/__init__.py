"""Scenarios: one TOML file a network."""
