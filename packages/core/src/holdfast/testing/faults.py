"""Making calls fail, and circuits refuse them, for as long as a test wants."""

from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from itertools import count
from types import TracebackType
from typing import ParamSpec, Self, TypeVar, cast

from holdfast.callables import is_async
from holdfast.resilience.chaos import Chaos, FaultMade
from holdfast.resilience.host import current_host
from holdfast.resilience.policy import Spec

_Params = ParamSpec("_Params")
_Result = TypeVar("_Result")


def fail_times(times: int, error: FaultMade, *, policy: str | None = None) -> "Failing":
    """Make the next calls of a policy, or of a function, fail; those after them are made as ever.

    Args:
        times: How many.
        error: What they fail with: an exception, its class, or a function that makes one.
        policy: Name of the policy whose calls fail as long as the block lasts, below all of its
            layers, in the current runtime. Without it what is returned wraps a function.

    Example:
        >>> count_of = fail_times(1, TimeoutError)(len)
        >>> try:
        ...     count_of("881")
        ... except TimeoutError:
        ...     count_of("881")
        3
    """
    return Failing(times, error, policy)


@dataclass(slots=True)
class Failing:
    """What fails so often: the calls of a policy inside a block, or those of a function it wraps."""

    times: int
    error: FaultMade
    policy: str | None = None
    _before: Spec | None = field(default=None, init=False)

    def __call__(self, function: Callable[_Params, _Result]) -> Callable[_Params, _Result]:
        """Return a function, plain or asynchronous, that fails so often before it does its work."""
        taken = count()

        def fail() -> None:
            if next(taken) < self.times:
                raise self._made()

        @wraps(function)
        def plain(*args: _Params.args, **kwargs: _Params.kwargs) -> _Result:
            fail()
            return function(*args, **kwargs)

        @wraps(function)
        async def awaited(*args: _Params.args, **kwargs: _Params.kwargs) -> object:
            fail()
            return await cast("Callable[_Params, Awaitable[object]]", function)(*args, **kwargs)

        return cast("Callable[_Params, _Result]", awaited if is_async(function) else plain)

    def __enter__(self) -> Self:
        if self.policy is None:
            raise ValueError("fail_times() needs the name of a policy to be used in a `with`")
        chaos = Chaos(fault=self.error, times=self.times)
        self._before = current_host().policies.put_inside(self.policy, chaos)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.policy is not None:
            current_host().policies.put_inside(self.policy, self._before)

    def _made(self) -> BaseException:
        if isinstance(self.error, BaseException):
            return self.error
        return self.error()


@contextmanager
def force_open(policy: str) -> Generator[None, None, None]:
    """Have the circuit of a policy refuse every call inside a block, in the current runtime.

    Args:
        policy: Its name; it has to be defined by then.

    Raises:
        LookupError: When there is no such policy, or it has no circuit.
    """
    circuit = current_host().policies.circuit(policy)
    circuit.force_open()
    try:
        yield
    finally:
        circuit.normal()
