"""The tasks. None catches anything: what an error means is known, and so is whether to try again."""

import os
import signal
from collections.abc import Collection

from examples.shop.mail import MailService
from examples.shop.payments import Gateway
from examples.shop.supplies import Supplier, Warehouse
from examples.shop_worker.app import IN_MEMORY, app
from holdfast import ServiceUnavailableError

NEIGHBOURS = os.environ.get("SHOP_GATEWAY", "http://127.0.0.1:9000")


@app.task(name="shop.confirm_order", retry_base=0.5)
def confirm_order(order_id: int, mode: str = "ok") -> None:
    """Write to whoever placed an order."""
    MailService(NEIGHBOURS).send(order_id, f"Your order {order_id}", mode)


@app.task(name="shop.refund", max_retries=2, retry_base=0.5)
def refund(order_id: int, amount: int, mode: str = "ok") -> None:
    """Give back the money of an order; the gateway takes a second request for the first."""
    Gateway(NEIGHBOURS).refund(order_id, amount, mode)


@app.task(name="shop.print_catalogue")
def print_catalogue() -> None:
    """Take more memory than there is, and get what the kernel has for those who do."""
    if IN_MEMORY:
        raise ServiceUnavailableError("The catalogue takes a worker with processes of its own")
    os.kill(os.getpid(), signal.SIGKILL)


@app.task(name="shop.release_reservations")
def release_reservations() -> int:
    """Put back what nobody came for in time."""
    return Warehouse(NEIGHBOURS).release_reservations()


@app.task(name="shop.import_prices")
def import_prices(skus: Collection[str] = ()) -> dict[str, int]:
    """Take over what the supplier asks for some products, or for all."""
    prices = Supplier(NEIGHBOURS).prices()
    return {sku: price for sku, price in prices.items() if not skus or sku in skus}
