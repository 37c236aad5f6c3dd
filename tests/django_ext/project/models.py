"""One model, to see what its validation becomes."""

from django.core.exceptions import ValidationError
from django.db import models


class Order(models.Model):
    """An order line."""

    sku: "models.CharField[str, str]" = models.CharField(max_length=5)
    quantity: "models.IntegerField[int, int]" = models.IntegerField()

    class Meta:
        app_label = "project"

    def __str__(self) -> str:
        return self.sku

    def clean(self) -> None:
        """Refuse more than there is."""
        if self.quantity > 10:
            raise ValidationError({"quantity": "more than in stock"})
        if self.sku == "none":
            raise ValidationError("nothing to order")
