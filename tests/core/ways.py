"""The two ways of a protected call, for tests that run with both."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

from holdfast.resilience.policy import Policy

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


def _as_coroutine(
    function: Callable[..., _Result],
) -> Callable[..., Coroutine[Any, Any, _Result]]:
    async def asynchronous(*args: object, **kwargs: object) -> _Result:
        return function(*args, **kwargs)

    return asynchronous
