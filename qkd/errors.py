"""What can go wrong in `qkd`."""


class QkdError(Exception):
    """Root of every error that `qkd` raises.

    QkdInputError            whatever a public callable refuses; the message names the value
      NotModelledError       a question the model does not answer, such as an uplink
      UnknownPresetError     a preset, or a station of a preset, that does not exist
    """


class QkdInputError(QkdError, ValueError):
    """A value, or an array's shape, that no link can have; the message says what is allowed."""


class NotModelledError(QkdInputError, NotImplementedError):
    """The physics asked for is outside the model, and no number is better than a wrong one."""


class UnknownPresetError(QkdInputError, LookupError):
    """No preset, or no station in a preset, has this name."""
