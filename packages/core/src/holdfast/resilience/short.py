"""The short forms of a protected call: a circuit by name, alone or with retries through it."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from holdfast.resilience.breaking import Breaker
from holdfast.resilience.policy import Policy
from holdfast.resilience.retry import MOST_ATTEMPTS, Retry
from holdfast.resilience.validity import check_count

_Params = ParamSpec("_Params")
_Result = TypeVar("_Result")


class ShortForm(Policy):
    """A policy of a short form: any number may have one name, and share its circuit.

    The circuit is that of the `Policy` of this name, where there is one with a `Breaker`; else one
    with the defaults of `Breaker`. Settings tune it by its name, as any policy.
    """

    __slots__ = ()

    def __hash__(self) -> int:
        return hash(self.name)


def with_circuit_breaker(
    name: str,
) -> Callable[[Callable[_Params, _Result]], Callable[_Params, _Result]]:
    """Decorate a function, plain or asynchronous, to stop calling it for a while when it keeps failing.

    There is one circuit for each name and runtime, shared by all functions that name it, by
    `retry_with_circuit_breaker` and by the `Policy` of that name, whose `Breaker` it then is; without
    one it has the defaults of `Breaker`.

    Args:
        name: Of the circuit, such as that of the service that is called.

    Raises:
        TypeError: When it is used without a name, or on a generator function.
        ValueError: For an empty name.

    Example:
        >>> @with_circuit_breaker(name="external-api")
        ... def ask(sku: str) -> int:
        ...     return len(sku)
        >>> ask("881")
        3
    """
    _check_name("with_circuit_breaker", name)
    return ShortForm(name, Breaker())


def retry_with_circuit_breaker(
    name: str, *, max_retries: int = 3
) -> Callable[[Callable[_Params, _Result]], Callable[_Params, _Result]]:
    """Decorate a function, plain or asynchronous, to be called again when it fails, through a circuit.

    Every `Exception` is retried, after an exponential backoff with full jitter; a refusal of the open
    circuit comes out at once, unless a deadline allows to wait for it. The last error comes out. Within
    another policy's retry it makes one attempt, and the budget of `Retry` bounds all of them together.

    Args:
        name: Of the circuit; see `with_circuit_breaker`.
        max_retries: Further attempts at most, 0 to 999: a call makes one more than that.

    Raises:
        TypeError: When it is used without a name, or on a generator function.
        ValueError: For an empty name, or a number out of range.

    Example:
        >>> @retry_with_circuit_breaker(name="database", max_retries=3)
        ... def rows() -> list[str]:
        ...     return ["881"]
        >>> rows()
        ['881']
    """
    _check_name("retry_with_circuit_breaker", name)
    where = "retry_with_circuit_breaker() max_retries"
    check_count(where, max_retries, least=0, most=MOST_ATTEMPTS - 1)
    return ShortForm(name, Retry(attempts=max_retries + 1, on=(Exception,)), Breaker())


def _check_name(decorator: str, name: object) -> None:
    if callable(name):
        raise TypeError(
            f"{decorator} needs a name: write @{decorator}(name=...) above {name!r:.100}"
        )
    if not isinstance(name, str):
        raise TypeError(f"{decorator}() takes the name of a circuit, not {name!r:.100}")
    if not name:
        raise ValueError(f"{decorator}() needs the name of a circuit, not an empty text")
