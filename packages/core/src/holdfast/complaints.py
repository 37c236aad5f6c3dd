"""What went wrong within the suite itself, and has nobody else to be told to."""

import contextlib
import sys


def complain(text: str) -> None:
    """Say on standard error what reporters cannot be told; it may be closed, or None."""
    with contextlib.suppress(Exception):
        sys.stderr.write(f"holdfast: {text}\n")
