"""What was seen before, in a file that the processes of one host share."""

import json
import os
import sys
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import cast

from holdfast.reporting.alerts.seen import Seen

if sys.platform != "win32":
    import fcntl


class SeenInFile:
    """A memory that outlasts the process; what cannot be read or written is remembered here alone.

    Args:
        folder: Where the file stands; made when it is missing.
        service: Processes with the same name share it.

    Raises:
        OSError: When there can be no such folder.
        NotImplementedError: On a system without `flock`.
    """

    def __init__(self, folder: Path, service: str) -> None:
        if sys.platform == "win32":
            raise NotImplementedError(
                "a folder of state needs flock(), which Windows does not have"
            )
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = blake2b(service.encode("utf-8", "replace"), digest_size=8).hexdigest()
        self._path = folder / f"alerts-{name}.json"
        self._seen = Seen()

    def note(self, keys: Iterable[str], release: str) -> dict[str, tuple[bool, bool]]:
        """Remember keys; return of each whether it is seen for the first time, and new in the release."""
        asked = list(dict.fromkeys(keys))
        if all(self._seen.knows(key, release) for key in asked):
            return dict.fromkeys(asked, (False, False))
        with suppress(OSError), self._locked():
            self._seen = self._read() or self._seen
            told = self._seen.note(asked, release)
            self._write()
            return told
        return self._seen.note(asked, release)

    @contextmanager
    def _locked(self) -> Generator[None]:
        # Beside the file, which is replaced. Closing frees it, as does the end of the process.
        descriptor = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if sys.platform != "win32":
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _read(self) -> Seen | None:
        """Return what the file says; None when it says nothing that makes sense."""
        with suppress(FileNotFoundError, ValueError):
            told: object = json.loads(self._path.read_text(encoding="utf-8"))
            if isinstance(told, dict):
                said = cast("dict[str, object]", told)
                releases, keys = said.get("releases"), said.get("keys")
                if isinstance(releases, list) and isinstance(keys, dict):
                    return Seen(
                        [str(one) for one in cast("list[object]", releases)],
                        {str(k): str(v) for k, v in cast("dict[object, object]", keys).items()},
                    )
        return None

    def _write(self) -> None:
        written = self._path.with_suffix(f".{os.getpid()}")
        text = json.dumps({"releases": self._seen.releases, "keys": self._seen.keys})
        written.write_text(text, encoding="utf-8")
        written.replace(self._path)
