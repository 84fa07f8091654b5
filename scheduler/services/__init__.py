"""One function per use case; each takes the context and acts in one ledger transaction.

What there is stands in the stub beside this file. A use case is imported when it is first
called: a question about passes must not pay for the database, the solver and the graph library.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
