"""A cache that answers with what it has when the function that knows fails."""

from holdfast.resilience.cache.answer import Answer, Source
from holdfast.resilience.cache.cache import Cache
from holdfast.resilience.cache.codecs import Codec, Json, SignedPickle
from holdfast.resilience.cache.counting import CacheStatistics
from holdfast.resilience.cache.memory import MemoryStore
from holdfast.resilience.cache.store import Store, UnreadableError
from holdfast.resilience.cached import Cached

__all__ = [
    "Answer",
    "Cache",
    "CacheStatistics",
    "Cached",
    "Codec",
    "Json",
    "MemoryStore",
    "SignedPickle",
    "Source",
    "Store",
    "UnreadableError",
]
