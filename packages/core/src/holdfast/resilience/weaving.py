"""Wrapping a function so that a call that succeeds costs next to nothing.

The wrapper is generated with the parameters of the function itself, since passing on `*args` and
`**kwargs` would be most of its cost. It asks one question, whether its gate is open, makes the call,
and counts the success; everything else is said in one place, by the flow of the policy's layers.
"""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from functools import update_wrapper
from typing import Any, NamedTuple, Protocol

from holdfast.callables import is_async
from holdfast.resilience.circuit.period import EVERY
from holdfast.resilience.outcome import Outcome
from holdfast.resilience.scope import UNBOUNDED, Scope, current_scope

_Kind = inspect.Parameter


class Shape(NamedTuple):
    """What a call on the short way has to do besides being made."""

    timed: bool = False
    """Set a deadline."""
    retried: bool = False
    """Say which attempt it is."""
    counted: bool = False
    """Count its success."""


class Gate:
    """Whether calls of one function may take the short way, and what they need on it.

    Attributes:
        period: None sends calls the long way; else what counts their successes.
        leave: Has the circuit leave the gate alone.
        seconds: The time limit.
        monotonic: The clock of the limit.
        scope: What a first attempt runs within, but for the time limit.
    """

    __slots__ = ("__weakref__", "leave", "monotonic", "period", "scope", "seconds")

    def __init__(self) -> None:
        self.period: object = None
        self.leave: Callable[[Gate], None] | None = None
        self.seconds = 0.0
        self.monotonic: Callable[[], float] = float
        self.scope: Scope = UNBOUNDED

    def shut(self) -> None:
        """Send calls the long way, whatever the circuit does."""
        if self.leave is not None:
            self.leave(self)
        self.period = None


class Ways(Protocol):
    """The long way of one function's calls."""

    def run(self, args: tuple[object, ...], kwargs: Mapping[str, Any]) -> object:
        """Make the call with all that belongs to it; an awaitable for a coroutine function."""
        ...

    def failed(
        self,
        error: BaseException,
        period: object,
        args: tuple[object, ...],
        kwargs: Mapping[str, Any],
    ) -> Outcome | Awaitable[Outcome]:
        """Go on after a first attempt on the short way that failed."""
        ...


def weave(
    function: Callable[..., object], shape: Shape, gate: Gate, ways: Ways
) -> Callable[..., object]:
    """Return a wrapper of a function, plain or asynchronous, with its name and its signature.

    Args:
        function: What is called.
        shape: What the short way does.
        gate: Opens and shuts it.
        ways: Everything else.

    Raises:
        TypeError: For a generator function: when its calls end, and how, only who iterates knows.
    """
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(
            f"{function!r} is a generator function; protect what it calls, or use `with policy.calling():`"
        )
    names: dict[str, object] = {
        "_h_function": function,
        "_h_gate": gate,
        "_h_run": ways.run,
        "_h_failed": ways.failed,
        "_h_get": current_scope.get,
        "_h_set": current_scope.set,
        "_h_reset": current_scope.reset,
        "_h_unbounded": UNBOUNDED,
    }
    source = _source(shape, _signature(function, names), is_asynchronous=is_async(function))
    exec(compile(source, f"<holdfast: {_name(function)}>", "exec"), names)  # noqa: S102  # made of parameter names alone
    return update_wrapper(names["guarded"], function)  # type: ignore[type-var]  # a function, made above


class _Signature(NamedTuple):
    parameters: str
    passed: str
    args: str
    kwargs: str


_GENERIC = _Signature("*args, **kwargs", "*args, **kwargs", "args", "kwargs")


def _signature(function: Callable[..., object], names: dict[str, object]) -> _Signature:
    """Return a function's parameters as source; defaults go among the names."""
    try:
        parameters = inspect.signature(function, follow_wrapped=False).parameters.values()
    except (TypeError, ValueError):  # built in, and says nothing
        return _GENERIC
    if any(not each.name.isidentifier() or each.name.startswith("_h_") for each in parameters):
        return _GENERIC
    declared, passed, args, kwargs = list[str](), list[str](), list[str](), list[str]()
    starred = False
    previous: object = None
    for each in parameters:
        if previous is _Kind.POSITIONAL_ONLY and each.kind is not _Kind.POSITIONAL_ONLY:
            declared.append("/")
        if each.kind is _Kind.KEYWORD_ONLY and not starred:
            declared.append("*")
            starred = True
        starred = starred or each.kind is _Kind.VAR_POSITIONAL
        declared.append(_declared(each, names))
        by_name = each.kind is _Kind.KEYWORD_ONLY
        mark = _MARKS.get(each.kind, "")
        passed.append(f"{each.name}={each.name}" if by_name else f"{mark}{each.name}")
        into = kwargs if by_name or mark == "**" else args
        into.append(f"{each.name!r}: {each.name}" if by_name else f"{mark}{each.name}")
        previous = each.kind
    if previous is _Kind.POSITIONAL_ONLY:
        declared.append("/")
    return _Signature(
        ", ".join(declared),
        ", ".join(passed),
        f"({''.join(f'{each}, ' for each in args)})",
        f"{{{', '.join(kwargs)}}}",
    )


_MARKS = {_Kind.VAR_POSITIONAL: "*", _Kind.VAR_KEYWORD: "**"}


def _declared(parameter: inspect.Parameter, names: dict[str, object]) -> str:
    if parameter.default is _Kind.empty:
        return f"{_MARKS.get(parameter.kind, '')}{parameter.name}"
    names[f"_h_default_{parameter.name}"] = parameter.default
    return f"{parameter.name}=_h_default_{parameter.name}"


def _source(shape: Shape, signature: _Signature, *, is_asynchronous: bool) -> str:
    waiting, defined = ("await ", "async def") if is_asynchronous else ("", "def")
    scoped = shape.timed or shape.retried
    scope = "_h_gate.scope"
    if shape.timed:
        scope = "(_h_gate.monotonic() + _h_gate.seconds, _h_gate.scope[1])"
    lines = [
        f"{defined} guarded({signature.parameters}):",
        " _h_period = _h_gate.period",
        " if _h_period is None or _h_get() is not _h_unbounded:",
        f"  return {waiting}_h_run({signature.args}, {signature.kwargs})",
        *([f" _h_token = _h_set({scope})"] if scoped else []),
        " try:",
        f"  _h_result = {waiting}_h_function({signature.passed})",
        " except BaseException as _h_error:",
        *(["  _h_reset(_h_token)"] if scoped else []),
        f"  _h_outcome = {waiting}_h_failed(_h_error, _h_period, {signature.args}, {signature.kwargs})",
        "  if _h_outcome.error is _h_error:",
        "   raise",
        "  if _h_outcome.error is not None:",
        "   raise _h_outcome.error",
        "  return _h_outcome.value",
        *([" _h_reset(_h_token)"] if scoped else []),
        *(
            [f" if not _h_period.succeeded() & {EVERY - 1}:", "  _h_period.tick()"]
            if shape.counted
            else []
        ),
        " return _h_result",
    ]
    return "\n".join(lines)


def _name(function: object) -> str:
    return str(getattr(function, "__qualname__", type(function).__qualname__))
