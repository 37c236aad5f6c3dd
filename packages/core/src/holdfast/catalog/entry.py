"""One code as callers may rely on it, and where all of them are found."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from holdfast.codes import Declaration, Detail, ErrorKind, declared, register
from holdfast.complaints import complain

_ADVICE: Final = {
    ErrorKind.INVALID_INPUT: "Correct the request; the same one will be refused again.",
    ErrorKind.UNAUTHENTICATED: "Send valid credentials.",
    ErrorKind.PERMISSION_DENIED: "Ask for the permission, or sign in as somebody who has it.",
    ErrorKind.NOT_FOUND: "Check the address and the identifiers in it.",
    ErrorKind.CONFLICT: "Fetch the present state and decide again.",
    ErrorKind.UNPROCESSABLE: "Change what the message names; the same request will be refused again.",
    ErrorKind.RATE_LIMITED: "Wait `retry_after` seconds, and send fewer requests.",
    ErrorKind.CANCELLED: "Find out whether it was done before you send it again.",
    ErrorKind.INTERNAL: "Quote the trace id to the operators; sending it again will not help.",
    ErrorKind.DEPENDENCY_FAILED: "Try again in a few minutes; quote the trace id to the operators when it stays.",
    ErrorKind.UNAVAILABLE: "Try again after `retry_after` seconds, or in a few minutes, and less often each time.",
    ErrorKind.TIMED_OUT: "Find out whether it was done before you send it again, or send an idempotency key.",
}
"""What is advised where a code advises nothing of its own."""


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """One code as callers may rely on it.

    Texts that a framework translates are read when the entry is made, in the language that is
    active then; those of the suite are English.
    """

    code: str
    kind: ErrorKind
    status: int
    type: str
    """Name of the class in `except.type`."""
    title: str
    transient: bool
    """Whether trying again may help."""
    category: str
    description: str
    """When it happens."""
    source: str
    """Module and qualified name of the declaration; not for callers."""
    advice: str = ""
    """What a caller can do about it."""
    details: Mapping[str, Detail] = field(default_factory=dict[str, Detail])
    """What `details` may hold, by name."""


def entries() -> Iterator[CatalogEntry]:
    """Yield every code in alphabetical order.

    Example:
        >>> next(entry.status for entry in entries() if entry.code == "TOKEN_EXPIRED")
        401
    """
    yield from map(_entry, declared())


def _entry(declaration: Declaration) -> CatalogEntry:
    spec = declaration.spec
    facts = spec.facts(declaration.code)
    return CatalogEntry(
        code=declaration.code,
        kind=spec.kind,
        status=spec.kind.status if spec.status is None else spec.status,
        type=spec.raised_as or spec.kind.error_class,
        title=str(spec.title),
        transient=bool(facts["transient"]),
        category=spec.category,
        description=str(spec.description),
        source=declaration.source,
        advice=str(spec.advice) or _ADVICE[spec.kind],
        details=dict(spec.carries),
    )


def find(code: str) -> CatalogEntry | None:
    """Return the entry of a code, or None when nobody declared it.

    Example:
        >>> find("TOKEN_EXPIRED").advice
        'Sign in again or refresh the token.'
    """
    declaration = register.known.get(code)
    return None if declaration is None else _entry(declaration)


def clashes() -> list[str]:
    """Return one sentence per code that two places declare; empty when all is well."""
    sentences = (_sentence(first, second) for first, second in register.clashes)
    return list(dict.fromkeys(sentences))  # a module may have been loaded again


def tell_late_clashes() -> None:
    """Have each clash from now on, which no start can refuse any more, said on standard error."""
    register.tell_clash = _say


def _say(first: Declaration, second: Declaration) -> None:
    complain(_sentence(first, second))


def _sentence(first: Declaration, second: Declaration) -> str:
    return f"code {first.code} is declared by {first.source} and again by {second.source}"
