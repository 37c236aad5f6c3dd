"""The shop as an app of a Django project."""

from django.apps import AppConfig
from django.conf import settings

from examples.shop.payments import Gateway
from holdfast import health_check


class ShopConfig(AppConfig):
    """Tells the project's health of what only the shop knows."""

    name = "examples.shop_django"

    def ready(self) -> None:
        """Register the gateway; without it one can still look around, so it is not critical."""
        gateway = payment_gateway()
        health_check.register_check("payment-gateway", gateway.answers, critical=False, timeout=1.0)


def payment_gateway() -> Gateway:
    """Return the gateway that the settings name."""
    return Gateway(settings.SHOP_GATEWAY)
