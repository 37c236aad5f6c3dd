"""dogpile.cache: a region in memory, and its decorator."""

from case import Case, Cases
from dogpile.cache import make_region


def cases(_: str) -> Cases:
    """Return what is in the cache."""
    region = make_region().configure("dogpile.cache.memory", expiration_time=3600)

    @region.cache_on_arguments()
    def price(sku: str) -> dict[str, object]:
        return {"sku": sku, "price": 881}

    return {"hit": Case(lambda: price("sku-81"))}
