"""The parameters of a function as source text, for wrappers that declare the same ones."""

import inspect
import keyword
from collections.abc import Callable, Iterable
from inspect import Parameter
from typing import Final, NamedTuple

PREFIX: Final = "_h_"
"""Begins every name of ours in generated source; functions with parameters like that get the generic form."""

_STARS: Final[dict[object, str]] = {Parameter.VAR_POSITIONAL: "*", Parameter.VAR_KEYWORD: "**"}


class SignatureSource(NamedTuple):
    """A signature, as source text."""

    declared: str
    """For the `def`: `a, /, b=_h_default_b, *, c`."""
    passed: str
    """For a call with the same arguments: `a, b, c=c`."""
    args: str
    """Of the positional ones, as an expression of a tuple: `(a, b, )`."""
    kwargs: str
    """Of those by name, as an expression of a dictionary: `{'c': c}`."""


GENERIC: Final = SignatureSource("*args, **kwargs", "*args, **kwargs", "args", "kwargs")


def signature_source(
    function: Callable[..., object], defaults: dict[str, object]
) -> SignatureSource:
    """Return a function's parameters as source; one that hides them, or tells of others, takes any.

    Args:
        function: Whose parameters.
        defaults: Gets the default values, by the names that the source uses for them.

    Example:
        >>> def reserve(sku, /, count=1, *, urgent=False): ...
        >>> signature_source(reserve, {}).passed
        'sku, count, urgent=urgent'
    """
    try:
        parameters = tuple(inspect.signature(function, follow_wrapped=False).parameters.values())
    except (TypeError, ValueError):  # built in, and says nothing
        return GENERIC
    if hasattr(function, "__signature__") or not all(
        _can_be_written(each.name) for each in parameters
    ):
        return GENERIC
    defaults |= {
        f"{PREFIX}default_{each.name}": each.default
        for each in parameters
        if each.default is not Parameter.empty
    }
    by_name = [each for each in parameters if each.kind is Parameter.KEYWORD_ONLY]
    starred = [each for each in parameters if each.kind is Parameter.VAR_KEYWORD]
    in_order = [each for each in parameters if each not in (*by_name, *starred)]
    return SignatureSource(
        declared=", ".join(_declarations(parameters)),
        passed=_joined(
            *map(_starred, in_order),
            *(f"{e.name}={e.name}" for e in by_name),
            *map(_starred, starred),
        ),
        args=f"({''.join(f'{_starred(each)}, ' for each in in_order)})",
        kwargs=f"{{{_joined(*(f'{e.name!r}: {e.name}' for e in by_name), *map(_starred, starred))}}}",
    )


def _can_be_written(name: str) -> bool:
    return name.isidentifier() and not keyword.iskeyword(name) and not name.startswith(PREFIX)


def _declarations(parameters: Iterable[Parameter]) -> Iterable[str]:
    """Yield the parts of a parameter list, with the marks between its sections."""
    section: object = None
    for each in parameters:
        if section is Parameter.POSITIONAL_ONLY and each.kind is not Parameter.POSITIONAL_ONLY:
            yield "/"
        if each.kind is Parameter.KEYWORD_ONLY and section not in (
            Parameter.KEYWORD_ONLY,
            Parameter.VAR_POSITIONAL,
        ):
            yield "*"
        has_default = each.default is not Parameter.empty
        yield f"{each.name}={PREFIX}default_{each.name}" if has_default else _starred(each)
        section = each.kind
    if section is Parameter.POSITIONAL_ONLY:
        yield "/"


def _starred(parameter: Parameter) -> str:
    return f"{_STARS.get(parameter.kind, '')}{parameter.name}"


def _joined(*parts: str) -> str:
    return ", ".join(parts)
