"""What went wrong within the suite itself, and has nobody else to be told to."""

import contextlib
import sys


def complain(text: str) -> None:
    """Say on standard error what reporters cannot be told, without secrets; it may be closed, or None."""
    with contextlib.suppress(Exception):
        from holdfast.redact import Redactor  # noqa: PLC0415  # seldom, and raising needs it not

        sys.stderr.write(f"holdfast: {Redactor().text(text)}\n")
