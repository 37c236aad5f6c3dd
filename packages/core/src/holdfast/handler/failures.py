"""Which failures of user code are told, and which end the work around them."""

import sys


def is_failure(failure: BaseException) -> bool:
    """Tell whether user code failed, and nobody ends the work around it by an exit or a cancellation."""
    if isinstance(failure, Exception):
        return True
    # By name, so that importing the suite does not import asyncio.
    return type(failure).__name__ == "CancelledError" and not _is_being_cancelled()


def _is_being_cancelled() -> bool:
    asyncio = sys.modules.get("asyncio")
    try:
        task = None if asyncio is None else asyncio.current_task()
    except RuntimeError:  # no loop runs here
        return False
    return task is not None and task.cancelling() > 0
