"""Products and orders in SQLite, by the standard library's own driver."""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager

from examples.shop.model import ON_SALE, Order, OrderStatus, Product

SCHEMA = """
CREATE TABLE IF NOT EXISTS product (
    sku TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    price INTEGER NOT NULL,
    stock INTEGER NOT NULL CHECK (stock >= 0)
);
CREATE TABLE IF NOT EXISTS purchase (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    sku TEXT NOT NULL REFERENCES product (sku),
    quantity INTEGER NOT NULL,
    total INTEGER NOT NULL,
    status TEXT NOT NULL
);
"""


class SqliteStore:
    """A store in one file; every call opens it anew, so that threads share nothing.

    Args:
        path: The file; made and filled with what is on sale when it is new.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        with self._transaction() as connection:
            connection.executescript(SCHEMA)
            connection.executemany(
                "INSERT OR IGNORE INTO product VALUES (?, ?, ?, ?)",
                [(item.sku, item.name, item.price, item.stock) for item in ON_SALE],
            )

    def products(self) -> list[Product]:
        """Return everything on sale, by SKU."""
        with self._transaction() as connection:
            rows = connection.execute("SELECT sku, name, price, stock FROM product ORDER BY sku")
            return [Product(*row) for row in rows]

    def product(self, sku: str) -> Product | None:
        """Return one product, or None when there is none."""
        with self._transaction() as connection:
            query = "SELECT sku, name, price, stock FROM product WHERE sku = ?"
            row = connection.execute(query, (sku,)).fetchone()
        return None if row is None else Product(*row)

    def place(self, product: Product, quantity: int) -> Order | None:
        """Take pieces from stock and keep an order; None, and nothing changed, when stock is short."""
        total = product.price * quantity
        with self._transaction() as connection:
            taken = connection.execute(
                "UPDATE product SET stock = stock - :n WHERE sku = :sku AND stock >= :n",
                {"n": quantity, "sku": product.sku},
            )
            if not taken.rowcount:
                return None
            added = connection.execute(
                "INSERT INTO purchase (sku, quantity, total, status) VALUES (?, ?, ?, ?)",
                (product.sku, quantity, total, OrderStatus.PENDING.value),
            )
        return Order(added.lastrowid or 0, product.sku, quantity, total)

    def order(self, order_id: int) -> Order | None:
        """Return one order, or None when there is none."""
        with self._transaction() as connection:
            query = "SELECT id, sku, quantity, total, status FROM purchase WHERE id = ?"
            row = connection.execute(query, (order_id,)).fetchone()
        return None if row is None else _order(*row)

    def mark(self, order_id: int, status: OrderStatus) -> None:
        """Remember how far an order is."""
        with self._transaction() as connection:
            values = (status.value, order_id)
            connection.execute("UPDATE purchase SET status = ? WHERE id = ?", values)

    def paid(self) -> list[Order]:
        """Return every order that somebody paid, given back or not."""
        with self._transaction() as connection:
            query = "SELECT id, sku, quantity, total, status FROM purchase WHERE status <> ?"
            return [_order(*row) for row in connection.execute(query, (OrderStatus.PENDING.value,))]

    def sales(self) -> int:
        """Return the total of all paid orders in cents."""
        with self._transaction() as connection:
            query = "SELECT COALESCE(SUM(total), 0) FROM purchase WHERE status = ?"
            return int(connection.execute(query, (OrderStatus.PAID.value,)).fetchone()[0])

    @contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection]:
        connection = sqlite3.connect(self._path, timeout=5)
        try:
            connection.execute("PRAGMA foreign_keys = ON")
            with connection:
                yield connection
        finally:
            connection.close()


def _order(order_id: int, sku: str, quantity: int, total: int, status: str) -> Order:
    return Order(order_id, sku, quantity, total, OrderStatus(status))
