"""The test case of kata 11: two classifiers, a handler for databases, a middleware that logs.

Its `type` is our code, its `categorie` our category, its context the origin and the bound fields.
"""

import asyncio
from dataclasses import dataclass, field

from holdfast.classify import Classification, Partial
from holdfast.codes import Severity
from holdfast.handler import AsyncNext, Next, Verdict
from holdfast.origin import ErrorContext
from holdfast.runtime import Runtime

CLASSIFIERS = (f"{__name__}:of_database", f"{__name__}:of_api")


class DatabaseDown(Exception):
    """An error with a code in the way of a driver."""

    def __init__(self, code: str = "DB_GONE") -> None:
        super().__init__("connection lost, password=hunter2")
        self.code = code


class RemoteFailure(Exception):
    """An error with a status in the way of an HTTP client."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the other side answered {status}")
        self.status = status


def of_database(error: BaseException, context: ErrorContext) -> Partial | None:
    """Classify what a driver says by its code."""
    if not str(getattr(error, "code", "")).startswith("DB_"):
        return None
    return Partial(code="DATABASE_ERROR", severity=Severity.ERROR, transient=True)


def of_api(error: BaseException, context: ErrorContext) -> Partial | None:
    """Classify by the address of the request; what was said before holds."""
    if "/api/" not in context.origin.path:
        return None
    grave = getattr(error, "status", 0) >= 500
    severity = Severity.ERROR if grave else Severity.WARNING
    return Partial(code="API_ERROR", severity=severity, category="NETWORK")


@dataclass
class Operations:
    """What the handlers do, and what was done."""

    done: list[str] = field(default_factory=list[str])
    logged: list[tuple[str, str, str, object]] = field(
        default_factory=list[tuple[str, str, str, object]]
    )

    def reconnect(self) -> None:
        """Try to reach the database again."""
        self.done.append("reconnected")

    def notify(self, error: BaseException, context: ErrorContext) -> None:
        """Tell the team of the database."""
        user = context.fields.get("user", "somebody")
        self.done.append(f"notified of {type(error).__name__} by {user} in {context.trace_id}")

    def cached(self, context: ErrorContext) -> object:
        """Answer from the cache what was to be read; nothing else."""
        if context.origin.operation.startswith(("READ", "GET")):
            self.done.append("cached")
            return {"id": 123, "stale": True}
        return None

    def database_error(
        self, error: BaseException, context: ErrorContext, said: Classification
    ) -> object:
        """Reconnect, notify, fall back."""
        self.reconnect()
        self.notify(error, context)
        return self.cached(context)

    def log(self, error: BaseException, context: ErrorContext, following: Next) -> Verdict:
        """Log what was captured, and go on."""
        self.note(error, context)
        return following(error, context)

    def note(self, error: BaseException, context: ErrorContext) -> None:
        """Keep message, innermost function and context."""
        traceback, function = error.__traceback__, ""
        while traceback is not None:
            function, traceback = traceback.tb_frame.f_code.co_name, traceback.tb_next
        user = context.fields.get("user")
        self.logged.append((str(error), function, context.origin.path, user))


def installed(runtime: Runtime, *, asynchronous: bool) -> Operations:
    """Give a runtime the handler and the middleware, as functions or as coroutines."""
    operations = Operations()

    async def database_error(
        error: BaseException, context: ErrorContext, said: Classification
    ) -> object:
        await turn()
        return operations.database_error(error, context, said)

    async def log(error: BaseException, context: ErrorContext, following: AsyncNext) -> Verdict:
        await turn()
        operations.note(error, context)
        return await following(error, context)

    runtime.on("DATABASE_ERROR", database_error if asynchronous else operations.database_error)
    runtime.handler.add_middleware(log if asynchronous else operations.log)
    return operations


async def turn() -> None:
    """Let other tasks have a turn."""
    waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(waiting.set_result, None)
    await waiting
