"""Health of a Django project: its endpoints, its own checks, and those of django-health-check.

Names are loaded when they are first used: an app that registers checks in its `ready` shall not pay
for django-health-check, which loads a client for DNS.
"""

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from holdfast_django.health.caches import CacheCheck
    from holdfast_django.health.databases import DatabaseCheck, MigrationsCheck
    from holdfast_django.health.ours import RegistryCheck
    from holdfast_django.health.storages import StorageCheck
    from holdfast_django.health.theirs import from_health_check, register_health_checks
    from holdfast_django.health.views import HealthView

__all__ = [
    "CacheCheck",
    "DatabaseCheck",
    "HealthView",
    "MigrationsCheck",
    "RegistryCheck",
    "StorageCheck",
    "from_health_check",
    "register_health_checks",
]

_HOMES: Final = {
    "CacheCheck": "caches",
    "DatabaseCheck": "databases",
    "HealthView": "views",
    "MigrationsCheck": "databases",
    "RegistryCheck": "ours",
    "StorageCheck": "storages",
    "from_health_check": "theirs",
    "register_health_checks": "theirs",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
