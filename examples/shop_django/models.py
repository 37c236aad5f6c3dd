"""Products and orders as Django keeps them."""

from django.db import models


class ProductRow(models.Model):
    """Something on sale."""

    sku = models.CharField(max_length=20, primary_key=True)
    name = models.CharField(max_length=100)
    price = models.PositiveIntegerField()
    stock = models.PositiveIntegerField()

    def __str__(self) -> str:
        return self.sku


class OrderRow(models.Model):
    """Some pieces of one product, sold to somebody."""

    product = models.ForeignKey(ProductRow, on_delete=models.PROTECT)
    quantity = models.PositiveIntegerField()
    total = models.PositiveIntegerField()
    status = models.CharField(max_length=20)

    def __str__(self) -> str:
        return f"order {self.pk}"
