"""`CircuitBreaker`, pybreaker's without a lock around the call; the home of pybreaker.

`import holdfast.resilience.breaker as pybreaker` finds here all that pybreaker has.
"""

from pybreaker import (
    STATE_CLOSED,
    STATE_HALF_OPEN,
    STATE_OPEN,
    CircuitBreakerError,
    CircuitBreakerListener,
    CircuitBreakerState,
    CircuitBreakerStorage,
    CircuitClosedState,
    CircuitHalfOpenState,
    CircuitMemoryStorage,
    CircuitOpenState,
)

from holdfast.resilience.breaker.breaker import CircuitBreaker
from holdfast.resilience.breaker.policy import of_policy
from holdfast.resilience.breaker.refusal import CircuitOpenError, LastError
from holdfast.resilience.breaker.storing import CircuitRedisStorage

__all__ = [
    "STATE_CLOSED",
    "STATE_HALF_OPEN",
    "STATE_OPEN",
    "CircuitBreaker",
    "CircuitBreakerError",
    "CircuitBreakerListener",
    "CircuitBreakerState",
    "CircuitBreakerStorage",
    "CircuitClosedState",
    "CircuitHalfOpenState",
    "CircuitMemoryStorage",
    "CircuitOpenError",
    "CircuitOpenState",
    "CircuitRedisStorage",
    "LastError",
    "of_policy",
]
