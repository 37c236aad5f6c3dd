"""What tests of the core share: every protected call is tried on a thread and on an event loop."""

import asyncio
from collections.abc import Callable, Generator
from typing import Protocol, TypeVar, cast

import pytest

from holdfast import environment
from holdfast.resilience.policy import Policy
from holdfast.testing import RecordingRuntime

_Result = TypeVar("_Result")


class Way(Protocol):
    """Makes protected calls; the same test runs with plain functions and with coroutine functions."""

    def call(
        self, policy: Policy, function: Callable[..., _Result], *args: object, **kwargs: object
    ) -> _Result:
        """Call a plain function through a policy, as it is or as a coroutine function."""
        ...

    def decorate(self, policy: Policy, function: Callable[..., _Result]) -> Callable[..., _Result]:
        """Decorate a plain function, as it is or as a coroutine function; what is returned is plain."""
        ...


class OnThread:
    """Calls plain functions."""

    def call(
        self, policy: Policy, function: Callable[..., _Result], *args: object, **kwargs: object
    ) -> _Result:
        """Call it."""
        return policy.call(function, *args, **kwargs)

    def decorate(self, policy: Policy, function: Callable[..., _Result]) -> Callable[..., _Result]:
        """Decorate it."""
        return policy(function)


class OnLoop:
    """Calls coroutine functions, each on an event loop of its own."""

    def call(
        self, policy: Policy, function: Callable[..., _Result], *args: object, **kwargs: object
    ) -> _Result:
        """Call it as a coroutine function."""
        return asyncio.run(policy.acall(_as_coroutine(function), *args, **kwargs))

    def decorate(self, policy: Policy, function: Callable[..., _Result]) -> Callable[..., _Result]:
        """Decorate it as a coroutine function."""
        decorated = policy(_as_coroutine(function))

        def run(*args: object, **kwargs: object) -> _Result:
            return asyncio.run(decorated(*args, **kwargs))

        return run


def _as_coroutine(function: Callable[..., _Result]):  # type: ignore[no-untyped-def]  # noqa: ANN202
    async def asynchronous(*args: object, **kwargs: object) -> _Result:
        return function(*args, **kwargs)

    return asynchronous


@pytest.fixture(params=[OnThread, OnLoop], ids=["thread", "loop"])
def way(request: pytest.FixtureRequest) -> Way:
    """Make protected calls on a thread, then on an event loop."""
    return cast("Way", request.param())


@pytest.fixture
def runtime() -> Generator[RecordingRuntime, None, None]:
    """Give every call of a test one fresh runtime, with a clock that stands still."""
    made = RecordingRuntime()
    with environment.activated(made):
        yield made
