"""Lines on standard output, whatever reads them."""

import io
import os
import sys
from collections.abc import Iterable
from typing import cast


def print_lines(lines: Iterable[object]) -> None:
    """Print lines; letters that a terminal does not have are written as Python does."""
    out = cast("object", sys.stdout)
    if isinstance(out, io.TextIOWrapper):
        out.reconfigure(errors="backslashreplace")
    try:
        for line in lines:
            print(line)
        sys.stdout.flush()
    except BrokenPipeError:  # `| head` has seen enough; nothing is to be flushed at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
