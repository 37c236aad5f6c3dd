"""The warehouse and the supplier as the shop sees them."""

from dataclasses import dataclass
from urllib.parse import quote

from examples.shop.neighbours import OK, Neighbour
from holdfast import Breaker, Exponential, Policy, Retry, Timeout

asking_the_warehouse = Policy(
    "warehouse",
    Timeout(0.5),
    Retry(attempts=2, backoff=Exponential(base=0.02, ceiling=2.0)),
    Breaker(failure_threshold=2, recovery_timeout=30.0),
)
"""Tried twice; left alone for half a minute after two failures in a row."""


@dataclass(frozen=True, slots=True)
class Warehouse(Neighbour):
    """Where pieces are set aside while somebody makes up their mind."""

    name: str = "The warehouse"

    @asking_the_warehouse
    def pieces(self, sku: str, mode: str = "ok") -> int:
        """Return how many pieces there are.

        Args:
            sku: Of which product.
            mode: How the warehouse is to behave; it is there to be tried out.

        Raises:
            CircuitOpenError: When it failed too often to be asked now.
        """
        reply = self.ask("GET", f"/stock?sku={quote(sku)}&mode={quote(mode)}")
        if reply.status != OK:
            raise self.failed(reply)
        return int(str(reply.data["pieces"]))

    def release_reservations(self) -> int:
        """Put back what nobody came for in time, and return how many pieces that were."""
        reply = self.ask("POST", "/reservations/release")
        if reply.status != OK:
            raise self.failed(reply)
        return int(str(reply.data["released"]))


@dataclass(frozen=True, slots=True)
class Supplier(Neighbour):
    """Who says what things cost."""

    name: str = "The supplier"

    def prices(self) -> dict[str, int]:
        """Return the supplier's prices in cents by SKU."""
        reply = self.ask("GET", "/prices")
        if reply.status != OK:
            raise self.failed(reply)
        return {sku: _cents(str(price)) for sku, price in reply.data.items()}


def _cents(price: str) -> int:
    return round(float(price) * 100)
