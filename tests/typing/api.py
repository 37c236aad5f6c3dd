"""The typing contract, checked by mypy and pyright and never run: what users' code may rely on."""

from typing import TYPE_CHECKING, Any, assert_type

from holdfast import (
    Action,
    AppError,
    Classification,
    Classifier,
    CodeSpec,
    DependencyError,
    Effect,
    ErrorCode,
    ErrorCodes,
    ErrorKind,
    ErrorRecord,
    Event,
    Fault,
    Origin,
    Partial,
    RateLimitError,
    Redactor,
    Rule,
    Runtime,
    Settings,
    Severity,
    ValidationError,
    Verdict,
    bind,
    bind_request,
    configure,
    current_runtime,
    current_trace_id,
    determine_http_status,
    enhanced_error_handling,
    error_boundary,
    handle_errors,
    health_check,
    init_error_system,
    transaction_boundary,
    work_context,
)
from holdfast.clock import Clock, SystemClock
from holdfast.context import WorkContext
from holdfast.handler import Middleware, Next
from holdfast.health import HealthReport
from holdfast.origin import ErrorContext
from holdfast.testing import FakeClock, RecordingReporter

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from holdfast.classify import ClassifierFunction
    from holdfast.environment import Environment
    from holdfast.reporting.dispatcher import Reporter


class ShopCode(ErrorCodes):
    """Codes of a project."""

    OUT_OF_STOCK = CodeSpec(ErrorKind.CONFLICT, "Out of stock", severity=Severity.WARNING)


class OutOfStock(AppError):
    """A class of a project, by its code's name."""

    code = "ORDER_OUT_OF_STOCK"
    kind = ErrorKind.CONFLICT
    title = "Out of stock"


def codes_and_errors() -> None:
    """Codes are members, errors take codes, messages and keywords, and their facts are typed."""
    assert_type(ShopCode.OUT_OF_STOCK.kind, ErrorKind)
    assert_type(ErrorCode.TOKEN_EXPIRED.status, int)
    error = OutOfStock("2 left", details={"left": 2}, errors=["2 left"], retry_after=1.5)
    assert_type(error.code, str)
    assert_type(error.status, int)
    assert_type(error.fault, Fault)
    assert_type(error.effect, Effect | None)
    assert_type(error.details, dict[str, object])
    assert_type(error.errors, tuple[str, ...])
    assert_type(error.retry_after, float | None)
    AppError(ShopCode.OUT_OF_STOCK, "2 left")
    AppError("OUT_OF_STOCK", "2 left")
    AppError("2 left", code=ShopCode.OUT_OF_STOCK, headers={"Allow": "GET"})
    ValidationError("wrong", field_errors={"a": ["b"]})
    DependencyError("no", upstream_status=503, upstream_code="X")
    RateLimitError(retry_after=3)
    AppError("2 left", 409)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    AppError(details=[])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    AppError(ErrorKind.CONFLICT, detail={})  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


@handle_errors(error_code=ErrorCode.VALIDATION_FAILED)
def parse(text: str, *, base: int = 10) -> int:
    """Keep a plain function's signature."""
    return int(text, base)


@enhanced_error_handling()
async def load(number: int) -> bytes:
    """Keep a coroutine function's signature."""
    return bytes(number)


async def decorated() -> None:
    """A decorated function is called as it was written."""
    assert_type(parse("7", base=8), int)
    assert_type(await load(7), bytes)
    parse(7)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    parse("7", bas=8)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await load("7")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    plain: Callable[[str], int] = parse
    coroutine: Callable[[int], Coroutine[Any, Any, bytes]] = load
    awaitable: Awaitable[bytes] = load(1)
    handle_errors(error_code="VALIDATION_FAILED")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    del plain, coroutine, awaitable


class Shop:
    """Methods are decorated like functions."""

    @handle_errors()
    def left(self, taken: int) -> int:
        """Keep a method's signature."""
        return taken


def methods(shop: Shop) -> None:
    """A decorated method is bound as usual."""
    assert_type(shop.left(1), int)


def rollback(error: BaseException) -> None:
    """Undo."""
    del error


def blocks() -> int:
    """What boundaries yield is typed, and code after a block that keeps errors is reachable."""
    with error_boundary("import", error_code=ShopCode.OUT_OF_STOCK, reraise=False) as state:
        assert_type(state.name, str)
    assert_type(state.error, AppError | None)
    with transaction_boundary("booking", on_error_callback=rollback) as tx:
        tx["data"]["progress"] = 50
        assert_type(tx["id"], str)
        assert_type(tx["status"], str)
        del tx["dat"]  # type: ignore[misc]  # pyright: ignore[reportTypedDictNotRequiredAccess]
    with work_context("job-1", boundary="job") as current, bind(order=1):
        assert_type(current, WorkContext)
    bind_request(user=7)
    assert_type(current_trace_id(), str)
    return 0


def returns_from_a_block() -> int:
    """A block that raises needs no return after it."""
    with error_boundary("import", error_code=ShopCode.OUT_OF_STOCK):
        return 1


def by_own_classifier(
    error: BaseException, context: ErrorContext
) -> Classification | Partial | None:
    """Decide as a project does, whole or in part."""
    if "/api/" in context.origin.path:
        return Partial(category="NETWORK", severity=Severity.ERROR)
    return Classifier().classify(error)


def by_own_middleware(error: BaseException, context: ErrorContext, step: Next) -> Verdict:
    """Stop or go on."""
    if isinstance(error, KeyError):
        return Verdict(action=Action.RECOVERED, value=[])
    return step(error, context)


class Pager:
    """A reporter of a project."""

    name = "pager"

    def report(self, event: Event) -> None:
        """Tell somebody."""
        del event


def protocols() -> None:
    """What a project writes fits what the suite takes."""
    function: ClassifierFunction = by_own_classifier
    middleware: Middleware = by_own_middleware
    reporter: Reporter = Pager()
    recording: Reporter = RecordingReporter()
    clock: Clock = FakeClock()
    system: Clock = SystemClock()
    environment: Environment = Runtime(clock=clock, reporters=[reporter, recording])
    Classifier([Rule(match=KeyError, code=ShopCode.OUT_OF_STOCK)], [function])
    Rule(match="a.B", translate=lambda error: AppError(str(error)), when=bool)
    del middleware, system, environment


def runtimes() -> None:
    """Runtimes, verdicts, records and health are typed through and through."""
    assert_type(init_error_system(service="shop"), Runtime)
    assert_type(current_runtime(), Runtime)
    assert_type(determine_http_status(KeyError()), int)
    runtime = configure(service="shop").install()
    assert_type(runtime, Runtime)
    assert_type(runtime.settings, Settings)
    assert_type(runtime.redactor, Redactor)
    verdict = runtime.handle(KeyError(), Origin(boundary="job", operation="nightly"))
    assert_type(verdict.record, ErrorRecord | None)
    if verdict.answer is not None:
        rendered = runtime.render(verdict.answer, accept="*/*", language="fr")
        assert_type(rendered.body, bytes)
        assert_type(rendered.headers, tuple[tuple[str, str], ...])
    health_check.register_check("db", lambda: True, critical=False, timeout=2.0)
    assert_type(health_check.get_health_status(), HealthReport)
    assert_type(health_check.run_all_checks()["db"].output, str)
