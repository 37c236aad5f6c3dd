"""What went wrong within the suite itself, and has nobody else to be told to."""

import contextlib
import sys

from holdfast.redact import Redactor

_REDACTOR = Redactor()


def complain(text: str) -> None:
    """Say on standard error what reporters cannot be told, without secrets; it may be closed, or None."""
    with contextlib.suppress(Exception):
        sys.stderr.write(f"holdfast: {_REDACTOR.text(text)}\n")
