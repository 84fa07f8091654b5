"""Coastlines and published points, as data."""
