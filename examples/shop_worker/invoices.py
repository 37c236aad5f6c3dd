"""The invoices of the day, written by night.

17 2 * * *  holdfast run --name nightly-invoices --within 3600 -- python -m examples.shop_worker.invoices invoices

With SHOP_DATABASE it is told where the orders are, as the shop with Flask is.
"""

import argparse
import os
from pathlib import Path
from threading import Event

import holdfast
from examples.shop import mistakes
from examples.shop.model import Order
from examples.shop_flask.store import SqliteStore


def main() -> None:
    """Write an invoice for everything that was paid."""
    parser = argparse.ArgumentParser(description="Write the invoices of the day.")
    parser.add_argument("folder", type=Path, help="where they go")
    parser.add_argument("--trouble", choices=("ledger", "printer"), help="what is to go wrong")
    told = parser.parse_args()
    holdfast.configure(
        service="invoices", logging={"format": "plain", "level": "WARNING"}
    ).install()
    told.folder.mkdir(exist_ok=True)
    for order in SqliteStore(os.environ.get("SHOP_DATABASE", "shop_flask.sqlite3")).paid():
        (told.folder / f"invoice-{order.id}.txt").write_text(invoice(order), encoding="utf-8")
    if told.trouble == "ledger":
        mistakes.connect()
    if told.trouble == "printer":
        print("Waiting for the printer", flush=True)
        Event().wait(60)


def invoice(order: Order) -> str:
    """Return the text of an invoice."""
    return f"Order {order.id}\n{order.quantity} x {order.sku}: {order.total / 100:.2f}\n"


if __name__ == "__main__":
    main()
