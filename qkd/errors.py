"""What can go wrong in `qkd`."""


class QkdError(Exception):
    """Root of every error that `qkd` raises."""
