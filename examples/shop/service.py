"""What the shop does. Its errors are raised here, where their meaning is known."""

from dataclasses import dataclass

from examples.shop.delivery import Carrier
from examples.shop.errors import OutOfStock, ShopCode
from examples.shop.model import Order, OrderStatus, Product, Store
from examples.shop.payments import Gateway
from examples.shop.supplies import Warehouse
from holdfast import BusinessLogicError, ResourceNotFoundError, WorkflowError

LARGEST_ORDER = 10
NEXT = {
    OrderStatus.PENDING: (OrderStatus.PAID,),
    OrderStatus.PAID: (OrderStatus.REFUNDING,),
}
"""Where an order can go from each status."""


@dataclass(frozen=True, slots=True)
class Shop:
    """The shop over some database, some payment gateway, some carrier and some warehouse."""

    store: Store
    gateway: Gateway
    carrier: Carrier
    warehouse: Warehouse

    def products(self) -> list[Product]:
        """Return everything on sale."""
        return self.store.products()

    def product(self, sku: str) -> Product:
        """Return one product."""
        found = self.store.product(sku)
        if found is None:
            raise ResourceNotFoundError(f"Product {sku} not found", details={"sku": sku})
        return found

    def delivery(self, sku: str, mode: str) -> dict[str, object]:
        """Return how long a product takes to its buyer."""
        return self.carrier.delivery(self.product(sku).sku, mode)

    def stock(self, sku: str, mode: str) -> dict[str, object]:
        """Return how many pieces the warehouse has of a product."""
        return {"sku": sku, "pieces": self.warehouse.pieces(self.product(sku).sku, mode)}

    def place_order(self, sku: str, quantity: int) -> Order:
        """Reserve pieces of a product."""
        product = self.product(sku)
        if quantity > LARGEST_ORDER:
            raise BusinessLogicError(
                ShopCode.ORDER_TOO_LARGE,
                f"One order takes at most {LARGEST_ORDER} pieces",
                details={"quantity": quantity, "most": LARGEST_ORDER},
            )
        order = self.store.place(product, quantity)
        if order is None:
            raise OutOfStock(
                f"{product.stock} left of {sku}", details={"sku": sku, "left": product.stock}
            )
        return order

    def order(self, order_id: int) -> Order:
        """Return one order."""
        found = self.store.order(order_id)
        if found is None:
            raise ResourceNotFoundError(f"Order {order_id} not found", details={"id": order_id})
        return found

    def pay(self, order_id: int, card: str, mode: str) -> str:
        """Pay an order and return the gateway's receipt."""
        order = self.order(order_id)
        _allow(order, OrderStatus.PAID)
        receipt = self.gateway.charge(order, card, mode)
        self.store.mark(order_id, OrderStatus.PAID)
        return receipt

    def take_back(self, order_id: int) -> Order:
        """Promise the money of a paid order back, and return the order; somebody has to send it."""
        order = self.order(order_id)
        _allow(order, OrderStatus.REFUNDING)
        self.store.mark(order_id, OrderStatus.REFUNDING)
        return self.order(order_id)

    def sales(self) -> int:
        """Return the total of all paid orders in cents."""
        return self.store.sales()


def _allow(order: Order, wanted: OrderStatus) -> None:
    """Let an order go only where it can go from its status."""
    allowed = NEXT.get(order.status, ())
    if wanted not in allowed:
        raise WorkflowError(
            f"Order {order.id} is {order.status} and cannot become {wanted}",
            details={
                "current_state": order.status.value,
                "requested_state": wanted.value,
                "allowed_transitions": [status.value for status in allowed],
            },
        )
