"""Transmittance of a free-space downlink."""
