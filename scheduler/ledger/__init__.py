"""The one account of key: who made it, where it is, what became of every bit.

What there is stands in the stub beside this file. A name is imported when it is first used:
`books.element_reads` must not pay for SQLAlchemy.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
