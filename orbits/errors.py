"""What can go wrong in `orbits`."""


class OrbitsError(Exception):
    """Root of every error that `orbits` raises."""
