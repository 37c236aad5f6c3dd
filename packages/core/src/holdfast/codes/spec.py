"""How codes are declared, and the register of those that this process knows."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, cast

from holdfast.codes.details import Detail
from holdfast.kinds import ErrorKind, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_CODE = re.compile(r"[A-Z][A-Z0-9_]{0,99}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,99}")


def is_failure(status: object) -> bool:
    """Tell whether something is an HTTP status of an error: a whole number from 400 to 599."""
    return isinstance(status, int) and 400 <= status <= 599  # noqa: PLR2004  # RFC 9110, 15.5, 15.6


@dataclass(frozen=True, slots=True, eq=False)
class CodeSpec:
    """What a code says about every error that carries it.

    Two specs are equal only if they are the same object, so that two members of an enumeration
    with the same facts stay two codes.
    """

    kind: ErrorKind
    title: object
    """Short text for callers: a `str`, or text that a framework translates when it is read."""
    raised_as: str = ""
    """Name of the class callers see; empty: the kind's."""
    status: int | None = None
    """HTTP status instead of the kind's."""
    transient: bool | None = None
    """Whether trying again may help, instead of the kind's answer."""
    severity: Severity | None = None
    category: str = ""
    """Free label for routing and statistics, such as `DATABASE`."""
    description: object = ""
    """When it happens, for the catalogue; may be translated as the title is."""
    advice: object = ""
    """What a caller can do about it, for the catalogue; empty: what its kind advises."""
    carries: Mapping[str, Detail] = field(default_factory=dict[str, Detail])
    """What its errors may carry in `details`, by name."""

    def __post_init__(self) -> None:
        if not isinstance(cast("object", self.kind), ErrorKind):
            raise TypeError(f"kind must be an ErrorKind, not {self.kind!r}")
        if self.status is not None and not is_failure(self.status):
            raise ValueError(f"status must be between 400 and 599, not {self.status!r}")
        for name, detail in cast("Mapping[object, object]", self.carries).items():
            if not isinstance(name, str) or _NAME.fullmatch(name) is None:
                raise ValueError(f"the name of a detail must be an identifier, not {name!r}")
            if not isinstance(detail, Detail):
                raise TypeError(f"detail {name!r} must be a Detail(type, description)")

    def facts(self, code: str) -> dict[str, object]:
        """Return every fact an error with this code has, overrides applied."""
        kind = self.kind
        return {
            "code": code,
            "kind": kind,
            "title": self.title,
            "status": kind.status if self.status is None else self.status,
            "transient": kind.transient if self.transient is None else self.transient,
            "severity": kind.severity if self.severity is None else self.severity,
            "category": self.category,
        }


@dataclass(frozen=True, slots=True)
class Declaration:
    """A code known to this process, and where it was declared."""

    code: str
    spec: CodeSpec
    source: str
    """Module and qualified name of the enumeration or class."""


class _Register:
    """The codes of this process, filled as enumerations and classes are defined."""

    def __init__(self) -> None:
        self.known: dict[str, Declaration] = {}
        self.clashes: list[tuple[Declaration, Declaration]] = []
        self.tell_clash: Callable[[Declaration, Declaration], None] | None = None
        """Told of each clash once there is a runtime, whose making would have refused it before."""

    def declare(self, declaration: Declaration) -> None:
        if _CODE.fullmatch(declaration.code) is None:
            raise ValueError(
                f"code {declaration.code!r} of {declaration.source} must be UPPER_SNAKE: "
                "capital letters, digits and underscores, at most 100"
            )
        known = self.known.setdefault(declaration.code, declaration)
        if known.source == declaration.source:
            self.known[declaration.code] = declaration  # a module that is loaded again
        else:
            self._note_clash(known, declaration)

    def _note_clash(self, known: Declaration, declaration: Declaration) -> None:
        is_new = all(
            (first.code, first.source, again.source)
            != (known.code, known.source, declaration.source)
            for first, again in self.clashes
        )
        self.clashes.append((known, declaration))
        if is_new and self.tell_clash is not None:
            self.tell_clash(known, declaration)


register = _Register()
"""Global on purpose: a code is part of the contract of the whole process, like its class."""


class ErrorCodes(Enum):
    """Parent of enumerations of codes: a member's name is the code, its value a `CodeSpec`.

    A member equals its name, so `error.code == ShopCode.OUT_OF_STOCK` holds although `error.code`
    is a string, and either may be a key of the same dictionary.

    Example:
        >>> class ShopCode(ErrorCodes):
        ...     OUT_OF_STOCK = CodeSpec(ErrorKind.CONFLICT, "Out of stock")
        >>> ShopCode.OUT_OF_STOCK == "OUT_OF_STOCK", ShopCode.OUT_OF_STOCK.status
        (True, 409)
    """

    def __init__(self, spec: object) -> None:
        if not isinstance(spec, CodeSpec):
            raise TypeError(
                f"{type(self).__qualname__}.{self.name} must be a CodeSpec(kind, title), "
                f"not {type(spec).__name__}"
            )
        owner = type(self)
        register.declare(Declaration(self.name, spec, f"{owner.__module__}.{owner.__qualname__}"))

    @property
    def spec(self) -> CodeSpec:
        """What the code says about its errors."""
        spec: CodeSpec = self._value_
        return spec

    @property
    def code(self) -> str:
        """The code as callers see it."""
        return self._name_

    @property
    def kind(self) -> ErrorKind:
        """The canonical category."""
        return self.spec.kind

    @property
    def title(self) -> object:
        """Short text for callers."""
        return self.spec.title

    @property
    def status(self) -> int:
        """HTTP status of the answer."""
        return self.spec.kind.status if self.spec.status is None else self.spec.status

    def __str__(self) -> str:
        return self._name_

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, str) and other == self._name_)

    def __hash__(self) -> int:
        return hash(self._name_)

    def __reduce_ex__(self, protocol: object) -> tuple[object, ...]:
        return getattr, (type(self), self._name_)


def declared() -> Iterator[Declaration]:
    """Yield every code of this process in alphabetical order."""
    yield from (register.known[code] for code in sorted(register.known))


def spec_of(code: str) -> CodeSpec | None:
    """Return the spec declared for a code, or None when nobody declared it."""
    declaration = register.known.get(code)
    return None if declaration is None else declaration.spec
