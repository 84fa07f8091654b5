"""What can go wrong in `qkd`."""


class QkdError(Exception):
    """Root of every error that `qkd` raises.

    ParameterRangeError   a value, or the shape of an array, that no link can have
    NotModelledError      a question the model does not answer, such as an uplink
    UnknownPresetError    a preset, or a station of a preset, that does not exist
    """


class ParameterRangeError(QkdError, ValueError):
    """A parameter is outside its range; the message names it, the value and the range."""


class NotModelledError(QkdError, NotImplementedError):
    """The physics asked for is outside the model, and no number is better than a wrong one."""


class UnknownPresetError(QkdError, LookupError):
    """No preset, or no station in a preset, has this name."""
