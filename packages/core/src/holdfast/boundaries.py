"""Boundaries for code of one's own: a block, a transaction, a function.

None of them logs or reports; an error that leaves them reaches the handler at the next boundary.
"""

import inspect
import uuid
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from functools import wraps
from typing import Literal, ParamSpec, TypedDict, TypeVar, cast, overload

from holdfast.codes import ErrorCode, ErrorCodes
from holdfast.environment import current
from holdfast.errors import AppError
from holdfast.handler import Action
from holdfast.origin import Origin
from holdfast.record import text_of

_Params = ParamSpec("_Params")
_Result = TypeVar("_Result")


class BoundaryState:
    """What `error_boundary` yields.

    Attributes:
        error: What was handed to the handler, if anything.
        recovered: Whether the handler went on from it.
        value: What it went on with.
    """

    __slots__ = ("error", "name", "recovered", "value")

    def __init__(self, name: str) -> None:
        self.name = name
        self.error: AppError | None = None
        self.recovered = False
        self.value: object = None


class Transaction(TypedDict):
    """What `transaction_boundary` yields; a dictionary, so that progress may be kept in it."""

    id: str
    data: dict[str, object]
    status: str
    """`active`, then `committed` or `rolled_back`."""


@overload
def error_boundary(
    name: str, *, error_code: ErrorCodes = ..., reraise: Literal[True] = ...
) -> "AbstractContextManager[BoundaryState, None]": ...
@overload
def error_boundary(
    name: str, *, error_code: ErrorCodes = ..., reraise: Literal[False]
) -> "AbstractContextManager[BoundaryState, bool]": ...
def error_boundary(
    name: str, *, error_code: ErrorCodes = ErrorCode.INTERNAL_ERROR, reraise: bool = True
) -> "AbstractContextManager[BoundaryState, bool | None]":
    """Let every error leave a block as an `AppError` that names the block.

    An `AppError` passes untouched; anything else comes out as `AppError(error_code)` from it, with
    the name in `details["boundary"]`. The text of the other is in the log as its cause, and not in
    the message, which a caller may see. Works in `def` and in `async def`.

    Args:
        name: What the block does, for the details.
        error_code: Code of errors that had none.
        reraise: False hands the error to the handler and goes on after the block; the error, and
            the value of a handler that recovered from it, are kept on the yielded object.

    Example:
        >>> with error_boundary("import", error_code=ErrorCode.VALIDATION_FAILED):
        ...     int("x")
        Traceback (most recent call last):
        ...
        holdfast.errors.AppError: Validation failed
    """
    return _error_boundary(name, error_code, reraise=reraise)


@contextmanager
def _error_boundary(
    name: str, error_code: ErrorCodes, *, reraise: bool
) -> Generator[BoundaryState, None, None]:
    state = BoundaryState(name)
    try:
        yield state
    except Exception as error:
        coded = _coded(error, error_code, boundary=name)
        if reraise:
            if coded is error:
                raise
            raise coded from error
        if coded is not error:
            coded.__cause__ = error
            coded.__traceback__ = error.__traceback__
        state.error = coded
        verdict = current().handle(coded, Origin(boundary="block", operation=name))
        state.recovered, state.value = verdict.action is Action.RECOVERED, verdict.value


@contextmanager
def transaction_boundary(
    name: str, *, on_error_callback: Callable[[BaseException], object] | None = None
) -> Generator[Transaction, None, None]:
    """Undo a block that fails: call back once, then let the error go on.

    Args:
        name: What the block does; a note on the error says so when undoing fails.
        on_error_callback: A plain function, which takes the error. What it raises is noted on the
            original error, which comes out all the same. Also called for exits and cancellations:
            the work is undone.

    Example:
        >>> with transaction_boundary("booking", on_error_callback=print) as tx:
        ...     tx["data"]["progress"] = 50
        >>> tx["status"]
        'committed'
    """
    tx = Transaction(id=uuid.uuid4().hex, data={}, status="active")
    try:
        yield tx
    except BaseException as error:
        tx["status"] = "rolled_back"
        _undo(name, error, on_error_callback)
        raise
    tx["status"] = "committed"


def _undo(
    name: str, error: BaseException, callback: Callable[[BaseException], object] | None
) -> None:
    if callback is None:
        return
    try:
        done = callback(error)
        if inspect.iscoroutine(done):
            done.close()
            raise TypeError("on_error_callback must not be a coroutine function: nothing awaits it")  # noqa: TRY301  # noted like all that goes wrong
    except Exception as failure:  # noqa: BLE001  # the original error must come out
        said = f"{type(failure).__name__}: {text_of(failure)}"
        error.add_note(f"rollback of {name!r} failed: {said}")


def handle_errors(
    *, error_code: ErrorCodes = ErrorCode.INTERNAL_ERROR
) -> Callable[[Callable[_Params, _Result]], Callable[_Params, _Result]]:
    """Let a function, `def` or `async def`, raise nothing but `AppError`.

    An `AppError` passes untouched; anything else comes out as `AppError(error_code)` from it.
    Of a generator only the call is guarded, not what is raised while it is iterated over.

    Example:
        >>> @handle_errors(error_code=ErrorCode.VALIDATION_FAILED)
        ... def parse(text: str) -> int:
        ...     return int(text)
        >>> parse("7")
        7
    """

    def decorate(function: Callable[_Params, _Result]) -> Callable[_Params, _Result]:
        if inspect.iscoroutinefunction(function):
            return cast("Callable[_Params, _Result]", _guarded_coroutine(function, error_code))

        @wraps(function)
        def guarded(*args: _Params.args, **kwargs: _Params.kwargs) -> _Result:
            try:
                return function(*args, **kwargs)
            except AppError:
                raise
            except Exception as error:
                raise _coded(error, error_code) from error

        return guarded

    return decorate


def _guarded_coroutine(function: Callable[..., object], error_code: ErrorCodes) -> object:
    @wraps(function)
    async def guarded(*args: object, **kwargs: object) -> object:
        try:
            return await function(*args, **kwargs)  # type: ignore[misc]  # a coroutine function, asked above
        except AppError:
            raise
        except Exception as error:
            raise _coded(error, error_code) from error

    return guarded


enhanced_error_handling = handle_errors
"""Another name of `handle_errors`."""


def _coded(error: Exception, error_code: ErrorCodes, **details: object) -> AppError:
    return error if isinstance(error, AppError) else AppError(error_code, details=details)
