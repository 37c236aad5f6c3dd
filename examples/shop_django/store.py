"""Products and orders through Django's ORM."""

from django.db import transaction
from django.db.models import F, Sum

from examples.shop.model import Order, OrderStatus, Product
from examples.shop_django.models import OrderRow, ProductRow


class DjangoStore:
    """A store in the project's database."""

    def products(self) -> list[Product]:
        """Return everything on sale, by SKU."""
        return [_product(row) for row in ProductRow.objects.order_by("sku")]

    def product(self, sku: str) -> Product | None:
        """Return one product, or None when there is none."""
        row = ProductRow.objects.filter(sku=sku).first()
        return None if row is None else _product(row)

    @transaction.atomic
    def place(self, product: Product, quantity: int) -> Order | None:
        """Take pieces from stock and keep an order; None, and nothing changed, when stock is short."""
        in_stock = ProductRow.objects.filter(sku=product.sku, stock__gte=quantity)
        if not in_stock.update(stock=F("stock") - quantity):
            return None
        row = OrderRow.objects.create(
            product_id=product.sku,
            quantity=quantity,
            total=product.price * quantity,
            status=OrderStatus.PENDING,
        )
        return _order(row)

    def order(self, order_id: int) -> Order | None:
        """Return one order, or None when there is none."""
        row = OrderRow.objects.filter(pk=order_id).first()
        return None if row is None else _order(row)

    def mark(self, order_id: int, status: OrderStatus) -> None:
        """Remember how far an order is."""
        OrderRow.objects.filter(pk=order_id).update(status=status)

    def sales(self) -> int:
        """Return the total of all paid orders in cents."""
        paid = OrderRow.objects.filter(status=OrderStatus.PAID)
        return paid.aggregate(total=Sum("total"))["total"] or 0


def _product(row: ProductRow) -> Product:
    return Product(row.sku, row.name, row.price, row.stock)


def _order(row: OrderRow) -> Order:
    return Order(row.pk, row.product.sku, row.quantity, row.total, OrderStatus(row.status))
