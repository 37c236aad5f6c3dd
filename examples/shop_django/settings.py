"""Settings of the shop; the three lines that bring in holdfast say so."""

import os

from examples.shop.alerts import ALERTS
from examples.shop.health import HEALTH

SECRET_KEY = "not-a-secret-but-an-example"  # noqa: S105  # it protects nothing here
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
USE_TZ = True

INSTALLED_APPS = ["holdfast_django", "examples.shop_django"]  # holdfast 1
MIDDLEWARE = ["holdfast_django.middleware.HoldfastMiddleware"]  # holdfast 2, always first
HOLDFAST = {  # holdfast 3
    "SERVICE": "shop",
    "REPORTERS": ["logging", "prometheus"],
    "LOGGING": {"FORMAT": "json"},
    "HANDLERS": {"CARRIER_AWAY": "examples.shop.delivery:said_last"},
    "ALERTS": ALERTS,
    "HEALTH": HEALTH,
}

ROOT_URLCONF = "examples.shop_django.urls"
WSGI_APPLICATION = "examples.shop_django.wsgi.application"
ASGI_APPLICATION = "examples.shop_django.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("SHOP_DATABASE", "shop_django.sqlite3"),
    }
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 10_000
SHOP_GATEWAY = os.environ.get("SHOP_GATEWAY", "http://127.0.0.1:9000")
