"""What can go wrong in `orbits`."""


class OrbitsError(Exception):
    """Root of every error that `orbits` raises.

    OrbitsError
        TimeError (ValueError): a naive datetime, an empty or too long window, a bad UT1 file
        ElementsError (ValueError): text or numbers that are no element set
        StationError (ValueError): a place, height or horizon out of range
        PassTimesError (ValueError): a pass that does not rise, culminate and set in order
        SearchError (ValueError): an argument of a search or of a track out of range
        ArchiveError: an archive cannot answer
            NoElementsError (LookupError): it holds no set that the rule could pick
            StaleElementsError: the set that the rule picks is too old, or too young
    """


class TimeError(OrbitsError, ValueError):
    """A datetime without a zone, a window that is empty or too long, or a UT1 file that is none."""


class ElementsError(OrbitsError, ValueError):
    """Text or numbers that do not make an element set; names line and column if it can."""


class StationError(OrbitsError, ValueError):
    """A ground station whose place, height or horizon is out of range."""


class PassTimesError(OrbitsError, ValueError):
    """A pass whose rise, culmination and set are not in this order."""


class SearchError(OrbitsError, ValueError):
    """An argument of a pass search or of a track out of range."""


class ArchiveError(OrbitsError):
    """An archive of element sets cannot answer what it was asked."""


class NoElementsError(ArchiveError, LookupError):
    """The archive holds no set of this satellite that the rule could pick."""


class StaleElementsError(ArchiveError):
    """The set that the rule picks lies further from the instant than the limit allows."""
