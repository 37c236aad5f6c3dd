"""cachetools: the decorator, with a lock, as it asks threads to use it."""

from threading import Lock

from cachetools import TTLCache, cached
from case import Case, Cases


def cases(_: str) -> Cases:
    """Return what is in the cache."""

    @cached(TTLCache(maxsize=1000, ttl=3600), lock=Lock())
    def price(sku: str) -> dict[str, object]:
        return {"sku": sku, "price": 881}

    return {"hit": Case(lambda: price("sku-81"))}
