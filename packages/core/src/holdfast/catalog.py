"""Every code of this process: the contract between the service and its callers.

Codes are declared by enumerations (`ErrorCodes`) and by classes (`AppError`); importing the module
that declares them is all it takes to be listed.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from holdfast.codes import ErrorKind, declared, register, spec_of


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """One code as callers may rely on it."""

    code: str
    kind: ErrorKind
    status: int
    type: str
    """Name of the class in `except.type`."""
    title: str
    transient: bool
    category: str
    description: str
    source: str
    """Module and qualified name of the declaration."""


def entries() -> Iterator[CatalogEntry]:
    """Yield every code in alphabetical order.

    Example:
        >>> next(entry.status for entry in entries() if entry.code == "TOKEN_EXPIRED")
        401
    """
    for declaration in declared():
        spec = declaration.spec
        facts = spec.facts(declaration.code)
        yield CatalogEntry(
            code=declaration.code,
            kind=spec.kind,
            status=spec.kind.status if spec.status is None else spec.status,
            type=spec.raised_as or spec.kind.error_class,
            title=str(spec.title),
            transient=bool(facts["transient"]),
            category=spec.category,
            description=spec.description,
            source=declaration.source,
        )


def find(code: str) -> CatalogEntry | None:
    """Return the entry of a code, or None when nobody declared it."""
    if spec_of(code) is None:
        return None
    return next(entry for entry in entries() if entry.code == code)


def clashes() -> list[str]:
    """Return one sentence per code that two places declare; empty when all is well."""
    return [
        f"code {first.code} is declared by {first.source} and again by {second.source}"
        for first, second in register.clashes
    ]
