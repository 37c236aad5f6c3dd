"""Products and orders as Django keeps them; the annotations are for type checkers without plugin."""

from django.db import models


class ProductRow(models.Model):
    """Something on sale."""

    sku: "models.CharField[str, str]" = models.CharField(max_length=20, primary_key=True)
    name: "models.CharField[str, str]" = models.CharField(max_length=100)
    price: "models.PositiveIntegerField[int, int]" = models.PositiveIntegerField()
    stock: "models.PositiveIntegerField[int, int]" = models.PositiveIntegerField()

    def __str__(self) -> str:
        return self.sku


class OrderRow(models.Model):
    """Some pieces of one product, sold to somebody."""

    product: "models.ForeignKey[ProductRow, ProductRow]" = models.ForeignKey(
        ProductRow, on_delete=models.PROTECT
    )
    quantity: "models.PositiveIntegerField[int, int]" = models.PositiveIntegerField()
    total: "models.PositiveIntegerField[int, int]" = models.PositiveIntegerField()
    status: "models.CharField[str, str]" = models.CharField(max_length=20)

    def __str__(self) -> str:
        return f"order {self.pk}"
