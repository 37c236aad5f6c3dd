"""Every code of this process: the contract between the service and its callers.

Codes are declared by enumerations (`ErrorCodes`) and by classes (`AppError`); importing the module
that declares them is all it takes to be listed. `catalog.export` writes them down, `catalog.compare`
tells two exports apart, `catalog.pages` shows them.
"""

from holdfast.catalog.entry import CatalogEntry, clashes, entries, find

__all__ = ["CatalogEntry", "clashes", "entries", "find"]
