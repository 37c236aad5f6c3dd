"""The warehouse and the supplier as the shop sees them."""

from dataclasses import dataclass

from examples.shop.neighbours import OK, Neighbour


@dataclass(frozen=True, slots=True)
class Warehouse(Neighbour):
    """Where pieces are set aside while somebody makes up their mind."""

    name: str = "The warehouse"

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
