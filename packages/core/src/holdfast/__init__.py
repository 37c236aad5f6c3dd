"""Error handling and resilience for Django, Flask and every other Python process.

One place where every error of a system arrives, and one way to make every call that can fail.
Public names are loaded when they are first used, so that importing the package costs next to nothing.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.boundaries import (
        enhanced_error_handling,
        error_boundary,
        handle_errors,
        transaction_boundary,
    )
    from holdfast.classify import (
        Classification,
        Classifier,
        Explanation,
        Partial,
        Rule,
        determine_http_status,
    )
    from holdfast.codes import (
        CodeSpec,
        Detail,
        Effect,
        ErrorCode,
        ErrorCodes,
        ErrorKind,
        Fault,
        Severity,
    )
    from holdfast.context import bind, bind_request, current_trace_id, work_context
    from holdfast.errors import (
        AppError,
        AuthenticationError,
        AuthorizationError,
        BulkheadFullError,
        BusinessLogicError,
        CallRateError,
        CircuitOpenError,
        ClientClosedError,
        CommunicationError,
        DatabaseError,
        DeadlineExceededError,
        DependencyError,
        InternalServerError,
        RateLimitError,
        ResourceNotFoundError,
        ServiceUnavailableError,
        StateConflictError,
        UnexplainedResponseError,
        ValidationError,
        WorkflowError,
    )
    from holdfast.events import Event
    from holdfast.handler import Action, ErrorHandler, Recovered, Verdict
    from holdfast.health.current import health_check
    from holdfast.hooks.children import start_process
    from holdfast.hooks.consumers import (
        IncomingMessage,
        Settle,
        Settlement,
        consumer,
        trace_headers,
    )
    from holdfast.hooks.futures import WatchedExecutor, spawn, watch_future
    from holdfast.hooks.jobs.boundary import job
    from holdfast.hooks.loops import unwatch_loop, watch_loop
    from holdfast.origin import ErrorContext, Origin
    from holdfast.raising import raises
    from holdfast.record import ErrorHandled, ErrorRecord
    from holdfast.redact import Redactor
    from holdfast.resilience.backoff import Constant, Decorrelated, Exponential
    from holdfast.resilience.breaker import CircuitBreaker
    from holdfast.resilience.breaking import Breaker
    from holdfast.resilience.budget import Budget
    from holdfast.resilience.bulkhead import Bulkhead
    from holdfast.resilience.cache import Cache
    from holdfast.resilience.cached import Cached
    from holdfast.resilience.circuit.rules import AnyOf, Consecutive, CountWindow
    from holdfast.resilience.circuit.windows import SlowRate, TimeWindow
    from holdfast.resilience.deadline import deadline, remaining, split
    from holdfast.resilience.degraded import Degradation, collect_degradations
    from holdfast.resilience.fallback import Fallback
    from holdfast.resilience.headers import outbound_headers
    from holdfast.resilience.hedge import Hedge
    from holdfast.resilience.policy import Policy
    from holdfast.resilience.rate_limit import RateLimit
    from holdfast.resilience.retry import Retry
    from holdfast.resilience.scope import (
        current_attempt,
        current_idempotency_key,
        idempotency_key,
    )
    from holdfast.resilience.short import retry_with_circuit_breaker, with_circuit_breaker
    from holdfast.resilience.timeout import Deadline, Timeout
    from holdfast.runtime import Runtime, current_runtime
    from holdfast.settings import Settings, SettingsError
    from holdfast.starting import configure, init_error_system

__version__ = "0.1.0"

_HOMES = {
    "boundaries": "enhanced_error_handling error_boundary handle_errors transaction_boundary",
    "classify": "Classification Classifier Explanation Partial Rule determine_http_status",
    "codes": "CodeSpec Detail Effect ErrorCode ErrorCodes ErrorKind Fault Severity",
    "context": "bind bind_request current_trace_id work_context",
    "errors": (
        "AppError AuthenticationError AuthorizationError BulkheadFullError BusinessLogicError "
        "CallRateError CircuitOpenError ClientClosedError CommunicationError DatabaseError "
        "DeadlineExceededError DependencyError InternalServerError RateLimitError "
        "ResourceNotFoundError ServiceUnavailableError StateConflictError "
        "UnexplainedResponseError ValidationError WorkflowError"
    ),
    "events": "Event",
    "handler": "Action ErrorHandler Recovered Verdict",
    "health.current": "health_check",
    "hooks.children": "start_process",
    "hooks.consumers": "IncomingMessage Settle Settlement consumer trace_headers",
    "hooks.futures": "WatchedExecutor spawn watch_future",
    "hooks.jobs.boundary": "job",
    "hooks.loops": "unwatch_loop watch_loop",
    "origin": "ErrorContext Origin",
    "raising": "raises",
    "record": "ErrorHandled ErrorRecord",
    "redact": "Redactor",
    "resilience.backoff": "Constant Decorrelated Exponential",
    "resilience.breaker": "CircuitBreaker",
    "resilience.breaking": "Breaker",
    "resilience.budget": "Budget",
    "resilience.bulkhead": "Bulkhead",
    "resilience.cache": "Cache",
    "resilience.cached": "Cached",
    "resilience.circuit.rules": "AnyOf Consecutive CountWindow",
    "resilience.circuit.windows": "SlowRate TimeWindow",
    "resilience.deadline": "deadline remaining split",
    "resilience.degraded": "Degradation collect_degradations",
    "resilience.fallback": "Fallback",
    "resilience.headers": "outbound_headers",
    "resilience.hedge": "Hedge",
    "resilience.policy": "Policy",
    "resilience.rate_limit": "RateLimit",
    "resilience.retry": "Retry",
    "resilience.scope": "current_attempt current_idempotency_key idempotency_key",
    "resilience.short": "retry_with_circuit_breaker with_circuit_breaker",
    "resilience.timeout": "Deadline Timeout",
    "runtime": "Runtime current_runtime",
    "starting": "configure init_error_system",
    "settings": "Settings SettingsError",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = [
    "Action",
    "AnyOf",
    "AppError",
    "AuthenticationError",
    "AuthorizationError",
    "Breaker",
    "Budget",
    "Bulkhead",
    "BulkheadFullError",
    "BusinessLogicError",
    "Cache",
    "Cached",
    "CallRateError",
    "CircuitBreaker",
    "CircuitOpenError",
    "Classification",
    "Classifier",
    "ClientClosedError",
    "CodeSpec",
    "CommunicationError",
    "Consecutive",
    "Constant",
    "CountWindow",
    "DatabaseError",
    "Deadline",
    "DeadlineExceededError",
    "Decorrelated",
    "Degradation",
    "DependencyError",
    "Detail",
    "Effect",
    "ErrorCode",
    "ErrorCodes",
    "ErrorContext",
    "ErrorHandled",
    "ErrorHandler",
    "ErrorKind",
    "ErrorRecord",
    "Event",
    "Explanation",
    "Exponential",
    "Fallback",
    "Fault",
    "Hedge",
    "IncomingMessage",
    "InternalServerError",
    "Origin",
    "Partial",
    "Policy",
    "RateLimit",
    "RateLimitError",
    "Recovered",
    "Redactor",
    "ResourceNotFoundError",
    "Retry",
    "Rule",
    "Runtime",
    "ServiceUnavailableError",
    "Settings",
    "SettingsError",
    "Settle",
    "Settlement",
    "Severity",
    "SlowRate",
    "StateConflictError",
    "TimeWindow",
    "Timeout",
    "UnexplainedResponseError",
    "ValidationError",
    "Verdict",
    "WatchedExecutor",
    "WorkflowError",
    "bind",
    "bind_request",
    "collect_degradations",
    "configure",
    "consumer",
    "current_attempt",
    "current_idempotency_key",
    "current_runtime",
    "current_trace_id",
    "deadline",
    "determine_http_status",
    "enhanced_error_handling",
    "error_boundary",
    "handle_errors",
    "health_check",
    "idempotency_key",
    "init_error_system",
    "job",
    "outbound_headers",
    "raises",
    "remaining",
    "retry_with_circuit_breaker",
    "spawn",
    "split",
    "start_process",
    "trace_headers",
    "transaction_boundary",
    "unwatch_loop",
    "watch_future",
    "watch_loop",
    "with_circuit_breaker",
    "work_context",
]


def __getattr__(name: str) -> object:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *__all__]
