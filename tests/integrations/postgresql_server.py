"""A PostgreSQL of one's own on a free port, which a test may kill and start again."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psutil

from holdfast.clock import SystemClock
from tests.conftest import is_set, turn_down

_PLACES: Final = (
    "/usr/lib/postgresql/*/bin",
    "/usr/local/pgsql/bin",
    "/opt/homebrew/opt/postgresql*/bin",
)
_PATIENCE: Final = 30.0


class PostgresqlServer:
    """One cluster, found by its port; takes whoever comes as the user `postgres`."""

    def __init__(self, folder: Path, binaries: Path) -> None:
        self._folder = folder
        self._binaries = binaries
        # It refuses to be run by root.
        self._user = "postgres" if os.geteuid() == 0 else None
        if self._user is not None:
            shutil.chown(folder, self._user)
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.port: int = found.getsockname()[1]
        self.url = f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/postgres"
        self._process: subprocess.Popen[bytes] | None = None
        options = "--auth=trust --username=postgres --encoding=UTF8 --no-locale --no-sync"
        try:
            assert self._begun("initdb", *options.split()).wait(_PATIENCE) == 0, self._said()
        finally:
            self.kill()

    def start(self) -> None:
        """Start it, with what it had, and wait until it answers."""
        options = f"-p {self.port} -h 127.0.0.1 -c fsync=off -c unix_socket_directories="
        until = SystemClock().monotonic() + _PATIENCE
        while not self._answers():
            assert SystemClock().monotonic() < until, self._said()
            if self._process is None or self._process.poll() is not None:
                # Those that a killed one has left may hold its memory for a moment.
                self._begun("postgres", *options.split())

    def kill(self) -> None:
        """Kill it with all its processes, as by the lack of memory."""
        process, self._process = self._process, None
        if process is None:
            return
        everything: list[psutil.Process] = []
        with contextlib.suppress(psutil.NoSuchProcess):
            everything = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        for each in everything:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
        process.wait(_PATIENCE)

    def _begun(self, program: str, *arguments: str) -> "subprocess.Popen[bytes]":
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._binaries / program, "-D", self._folder / "data", *arguments],
                cwd=self._folder,
                user=self._user,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        return self._process

    def _answers(self) -> bool:
        asked = [str(self._binaries / "pg_isready"), "--host=127.0.0.1", f"--port={self.port}"]
        return subprocess.run(asked, capture_output=True, check=False).returncode == 0

    @property
    def _log(self) -> Path:
        return self._folder / "log"

    def _said(self) -> str:
        return f"PostgreSQL does not run: {self._log.read_text()[-2000:]}"


@contextmanager
def own_postgresql() -> Generator[PostgresqlServer]:
    """Give a server that runs, and let nothing of it stay.

    Where there is no program for one, skip, or fail where services are required.
    """
    binaries = _binaries()
    if binaries is None:
        turn_down(
            "there is no initdb, to make a PostgreSQL of one's own",
            strict=is_set("HOLDFAST_REQUIRE_SERVICES"),
        )
    # Not in pytest's folders, which no other user may enter.
    with tempfile.TemporaryDirectory(prefix="holdfast-postgresql-") as folder:
        server = PostgresqlServer(Path(folder), binaries)
        try:
            server.start()
            yield server
        finally:
            server.kill()


def _binaries() -> Path | None:
    found = shutil.which("initdb")
    places = [Path(found).resolve().parent] if found else []
    for pattern in _PLACES:
        places += sorted(Path("/").glob(pattern.lstrip("/")), reverse=True)
    return next((place for place in places if (place / "postgres").exists()), None)
