"""Which errors an operation answers with, declared where the operation is.

A declaration is a note on the view and costs a call nothing. Documents are made of it; see `openapi`.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias, TypeVar, cast

from holdfast.catalog import CatalogEntry, find
from holdfast.codes import ErrorCodes, declared, is_failure, spec_of
from holdfast.errors import AppError
from holdfast.statuses import code_of

if TYPE_CHECKING:
    from types import CellType

_View = TypeVar("_View")
Raisable: TypeAlias = type[AppError] | ErrorCodes | str | int
"""An error class, a member of an enumeration of codes, a code, or the HTTP status of a code that ships."""

_NOTE: Final = "__holdfast_raises__"
_MAX_UNWRAPPED: Final = 100


class _Declared(NamedTuple):
    """One error as it was declared; its texts are read when they are asked for, and may be lazy."""

    code: str
    status: int
    type: str
    """Name of the class; empty: that of the code."""


def raises(*errors: Raisable) -> Callable[[_View], _View]:
    """Declare which errors an operation answers with.

    Takes functions, methods and classes, whose subclasses inherit it, and returns the same object.
    Several declarations add up, and decorators that use `functools.wraps` keep them. What any
    operation may answer (a server's error, an unknown address) needs no declaration.

    Args:
        errors: Error classes, codes as members or as text, and HTTP statuses, which stand for the
            codes that ship.

    Raises:
        ValueError: When nobody has declared a code, or a number is no status of an error.
        TypeError: When something else was given, or the view takes no attributes.

    Example:
        >>> from holdfast import ErrorCode, raises
        >>> @raises(ErrorCode.RESOURCE_NOT_FOUND, "RATE_LIMIT_EXCEEDED")
        ... def show(sku: str) -> str:
        ...     return sku
        >>> [(error.code, error.status) for error in declared_errors(show)]
        [('RESOURCE_NOT_FOUND', 404), ('RATE_LIMIT_EXCEEDED', 429)]
    """
    found = tuple(_declared(error) for error in errors)

    def note(view: _View) -> _View:
        try:
            for bearer in (view, *_class_behind(view)):
                setattr(bearer, _NOTE, (*_notes(bearer), *found))
        except (AttributeError, TypeError) as error:
            raise TypeError(
                f"raises() goes on a function, a method or a class, not {view!r}"
            ) from error
        return view

    return note


def declared_errors(view: object, method: str = "") -> tuple[CatalogEntry, ...]:
    """Return what a view declares by `raises`, each error once.

    Understands the functions that Django, Django REST framework and Flask make of classes.

    Args:
        view: A function, or a class of methods named like HTTP's.
        method: HTTP method of the operation; needed where the view is a class or was made of one.
    """
    notes: dict[tuple[str, int], _Declared] = {}
    for place in _places(view, method.lower()):
        for note in _notes(place):
            notes.setdefault((note.code, note.status), note)
    return tuple(_entry(note) for note in notes.values())


def _places(view: object, method: str) -> Iterator[object]:
    """Yield what may bear a declaration about an operation."""
    made_of = view if isinstance(view, type) else _class_of(view)
    if made_of is not view:
        yield from _unwrapped(view)
    if made_of is not None:
        yield from made_of.__mro__
        actions = cast("dict[str, str]", getattr(view, "actions", None) or {})
        yield from _unwrapped(getattr(made_of, actions.get(method, method), None))


def _class_of(view: object) -> type | None:
    """Return the class that `as_view` made a function of."""
    for name in ("view_class", "cls"):
        found = getattr(view, name, None)
        if isinstance(found, type):
            return found
    return None


def _unwrapped(function: object) -> Iterator[object]:
    """Yield a function and what it decorates, as far as it says so."""
    for _ in range(_MAX_UNWRAPPED):
        if function is None:
            return
        yield function
        yield from _in_handler(function)
        inner = (getattr(function, name, None) for name in ("__wrapped__", "__func__", "func"))
        function = next((found for found in inner if callable(found)), None)


def _class_behind(view: object) -> Iterator[type]:
    """Yield the class that `api_view` of Django REST framework has made of this one function."""
    found = getattr(view, "cls", None)
    if isinstance(found, type) and found.__qualname__ == "WrappedAPIView":
        yield found


def _in_handler(function: object) -> Iterator[object]:
    """Yield the function that a method of such a class calls; nothing else of it says which."""
    if getattr(function, "__qualname__", "") == "api_view.<locals>.decorator.<locals>.handler":
        cells = cast("tuple[CellType, ...]", getattr(function, "__closure__", None) or ())
        yield from (cell.cell_contents for cell in cells)


def _notes(place: object) -> tuple[_Declared, ...]:
    """Return what is declared right there, and not what a class inherits."""
    return cast("tuple[_Declared, ...]", getattr(place, "__dict__", {}).get(_NOTE, ()))


def _declared(error: object) -> _Declared:
    if isinstance(error, type) and issubclass(error, AppError):
        return _Declared(error.code, error.status, error.error_class)
    if isinstance(error, ErrorCodes):
        return _Declared(error.code, error.status, "")
    if isinstance(error, str):
        return _known(error)
    if isinstance(error, int) and not isinstance(error, bool):
        if not is_failure(error):
            raise ValueError(f"raises() takes statuses between 400 and 599, not {error}")
        return _Declared(code_of(error).code, int(error), "")
    raise TypeError(
        f"raises() takes error classes, codes and statuses, not {error!r}; "
        "what another library raises is declared by the code that its rule names"
    )


def _known(code: str) -> _Declared:
    spec = spec_of(code)
    if spec is None:
        import difflib  # noqa: PLC0415  # only for somebody's mistake

        near = difflib.get_close_matches(code.upper(), [known.code for known in declared()], n=1)
        meant = f"; did you mean {near[0]!r}?" if near else "."
        raise ValueError(
            f"raises() does not know the code {code!r}{meant} "
            "A code is known once the module that declares it is imported."
        )
    return _Declared(code, spec.kind.status if spec.status is None else spec.status, "")


def _entry(note: _Declared) -> CatalogEntry:
    entry = find(note.code)
    if entry is None:
        raise LookupError(f"code {note.code} is not in the catalogue any more")
    return replace(entry, status=note.status, type=note.type or entry.type)
