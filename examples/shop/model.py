"""The shop's things, and what it asks of a database."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Product:
    """Something on sale."""

    sku: str
    name: str
    price: int
    """Cents."""
    stock: int

    def as_json(self) -> dict[str, object]:
        """Return the fields by name."""
        return asdict(self)


class OrderStatus(StrEnum):
    """How far an order is."""

    PENDING = "pending"
    PAID = "paid"
    REFUNDING = "refunding"


@dataclass(frozen=True, slots=True)
class Order:
    """Some pieces of one product, sold to somebody."""

    id: int
    sku: str
    quantity: int
    total: int
    """Cents."""
    status: OrderStatus = OrderStatus.PENDING

    def as_json(self) -> dict[str, object]:
        """Return the fields by name."""
        return asdict(self)


ON_SALE = (
    Product("SKU-881", "Kettle", 3900, 5),
    Product("SKU-882", "Teapot", 2450, 20),
    Product("SKU-883", "Cup", 690, 100),
)
"""What a new shop has on its shelves."""


class Store(Protocol):
    """Where products and orders are kept. It answers with facts; the domain decides what they mean."""

    def products(self) -> list[Product]:
        """Return everything on sale, by SKU."""
        ...

    def product(self, sku: str) -> Product | None:
        """Return one product, or None when there is none."""
        ...

    def place(self, product: Product, quantity: int) -> Order | None:
        """Take pieces from stock and keep an order; None, and nothing changed, when stock is short."""
        ...

    def order(self, order_id: int) -> Order | None:
        """Return one order, or None when there is none."""
        ...

    def mark(self, order_id: int, status: OrderStatus) -> None:
        """Remember how far an order is."""
        ...

    def sales(self) -> int:
        """Return the total of all paid orders in cents."""
        ...
