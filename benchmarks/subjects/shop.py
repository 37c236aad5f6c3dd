"""The failing call: an order that goes through eleven frames of a small shop before it is refused.

Functions, methods, keyword arguments, two decorators and a `with` block, as in an application. It is
compiled once more for every error that must be new, so that nothing is known of its code.
"""

import functools
from collections.abc import Callable
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def audited(action: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Decorate as applications do; adds a frame to every call."""

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        @functools.wraps(function)
        def audit(*args: P.args, **kwargs: P.kwargs) -> T:
            audit.last = action  # type: ignore[attr-defined]  # a function may carry notes
            return function(*args, **kwargs)

        return audit

    return decorate


class Transaction:
    """Looks like a transaction: does nothing, and lets the exception go."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass


class Stock:
    """What is left."""

    def __init__(self, left: dict[str, int]) -> None:
        self.left = left

    @audited("reserve")
    def reserve(self, sku: str, *, quantity: int) -> int:
        """Take some of it."""
        return self._check(sku, quantity=quantity)

    def _check(self, sku: str, *, quantity: int) -> int:
        return require(self.left[sku] - quantity, sku=sku)


class Checkout:
    """Places orders."""

    def __init__(self, stock: Stock) -> None:
        self.stock = stock

    @audited("place")
    def place(self, order: dict[str, int], *, express: bool = False) -> int:
        """Place one order as a whole."""
        with Transaction():
            return self._lines(order, express=express)

    def _lines(self, order: dict[str, int], *, express: bool) -> int:
        total = 0
        for sku, quantity in order.items():
            total += self._line(sku, quantity=quantity, express=express)
        return total

    def _line(self, sku: str, *, quantity: int, express: bool) -> int:
        return self._priced(sku, quantity=quantity, price=100 if express else 80)

    def _priced(self, sku: str, *, quantity: int, price: int) -> int:
        return price * self.stock.reserve(sku, quantity=quantity)


def require(left: int, *, sku: str) -> int:
    """Refuse what cannot be."""
    if left < 0:
        return refuse(sku, left)
    return left


def refuse(sku: str, left: int) -> int:
    """Raise: the eleventh frame."""
    raise ValueError(f"{left} of SKU {sku} would be left")


def order(request: dict[str, int]) -> int:
    """Order: the first frame."""
    return checkout.place(request, express=True)


checkout = Checkout(Stock({"881": 1}))
