"""Tasks whose retry follows the classification of their error: for `--include`."""

from typing import NoReturn

from holdfast import AppError, ErrorCode
from holdfast.integrations.celery import ResilientTask
from tests.paths.celery_app.app import app


@app.task(name="away", base=ResilientTask, max_retries=2, retry_base=0.01)
def away() -> NoReturn:
    """Need what is away."""
    raise AppError(ErrorCode.SERVICE_UNAVAILABLE, "The bank is away", retry_after=0.01)


@app.task(name="back", base=ResilientTask, bind=True, retry_base=0.01)
def back(self: ResilientTask) -> str:
    """Need what is back at the third attempt."""
    if self.request.retries < 2:  # the third
        raise ConnectionRefusedError("not yet")
    return "paid"


@app.task(name="wrong", base=ResilientTask, retry_base=0.01)
def wrong() -> NoReturn:
    """Be wrong, however often it is tried."""
    raise TypeError("a bug")
