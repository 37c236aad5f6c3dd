"""The public names: which they are, that each is there, and what importing the package costs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import holdfast

PUBLIC = [
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

# Lists what importing has loaded: libraries of others, and of the standard ones those that cost.
PROGRAM = """
import sys
dear = {{"asyncio", "decimal", "email", "gettext", "http", "logging", "multiprocessing", "random",
        "smtplib", "socket", "sqlite3", "ssl", "subprocess", "tempfile", "unittest"}}
before = set(sys.modules)
{statement}
loaded = {{name.partition(".")[0] for name in set(sys.modules) - before}}
print(*loaded - sys.stdlib_module_names - {{"holdfast"}}, *loaded & dear)
"""


def loaded_by(statement: str) -> list[str]:
    """Return what a statement loads in a fresh interpreter that others would have to pay for."""
    program = PROGRAM.format(statement=statement)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30
    )
    return done.stdout.split()


def test_these_are_the_public_names() -> None:
    """The list of public names changes on purpose only, and is sorted."""
    assert holdfast.__all__ == PUBLIC
    assert sorted(set(PUBLIC)) == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_there(name: str) -> None:
    """Each public name leads to something that says what it is."""
    found: object = getattr(holdfast, name)

    assert getattr(holdfast, name) is found
    assert found.__doc__
    assert name in dir(holdfast)


def test_what_checkers_see_is_what_there_is() -> None:
    """The imports for type checkers name exactly the public names, from where they are found."""
    source = ast.parse(Path(str(holdfast.__file__)).read_text(encoding="utf-8"))
    declared = {
        alias.name: node.module
        for block in source.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }

    assert declared == {name: f"holdfast.{home}" for name, home in holdfast._HOME_OF.items()}
    assert sorted(declared) == sorted(PUBLIC)


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A misspelt name fails as on any module, and names the module."""
    with pytest.raises(AttributeError, match="'holdfast' has no attribute 'AppErorr'"):
        getattr(holdfast, "AppErorr")  # noqa: B009  # checkers know that it is not there


@pytest.mark.parametrize(
    "statement",
    [
        "import holdfast",
        "from holdfast import AppError, ErrorCode, ResourceNotFoundError",
        "from holdfast import handle_errors, error_boundary, transaction_boundary",
        "from holdfast import bind, current_trace_id, determine_http_status",
    ],
)
def test_raising_and_guarding_load_nothing_of_others(statement: str) -> None:
    """What any module may import loads no third-party library, no logging and no event loop."""
    assert loaded_by(statement) == []


def test_a_runtime_loads_nothing_of_others() -> None:
    """With default settings the standard library is all that the core needs, without asyncio."""
    assert loaded_by("import holdfast; holdfast.configure()") == ["logging"]
