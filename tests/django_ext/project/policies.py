"""Policies of the project, found by name."""

from holdfast.resilience.breaking import Breaker
from holdfast.resilience.policy import Policy
from holdfast.resilience.retry import Retry

PAYMENTS = Policy("payment-gateway", Retry(2), Breaker())
