"""Whether files can be written to a folder and read back."""

import os
import tempfile
from dataclasses import dataclass
from os import PathLike
from typing import Final

from holdfast.health.check import Finding
from holdfast.health.checks.verdict import failed

_CONTENT: Final = b"holdfast health check\n"


@dataclass(frozen=True, slots=True)
class FolderCheck:
    """Fails while a file cannot be written to a folder, brought to the disk and read back.

    The file has no name where the system allows that, and is gone with the check, even one that is
    killed.

    Raises:
        ValueError: When the path is empty.

    Example:
        >>> FolderCheck(tempfile.gettempdir())()
        {'bytes': 22}
    """

    path: str | PathLike[str]
    """The folder: storage of uploads, a spool, a shared volume."""

    def __post_init__(self) -> None:
        if not os.fspath(self.path):
            raise ValueError("path must name a folder: '.' is the present one")

    def __call__(self) -> dict[str, object] | Finding:
        """Write, synchronise, read back.

        Raises:
            OSError: When that cannot be done: no such folder, no leave, no room, read-only.
        """
        with tempfile.TemporaryFile(prefix=".holdfast-", dir=self.path) as file:
            file.write(_CONTENT)
            file.flush()
            os.fsync(file.fileno())
            file.seek(0)
            if file.read(len(_CONTENT) + 1) != _CONTENT:
                return failed("what is read back is not what was written")
        return {"bytes": len(_CONTENT)}
