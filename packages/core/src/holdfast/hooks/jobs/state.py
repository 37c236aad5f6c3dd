"""What became of a job's last runs, kept in a file: by it `late` knows, and the next run's reader.

The folder also holds the locks of jobs. It is, first found first taken: what the job names, the
environment variable `HOLDFAST_STATE`, the setting `JOBS.STATE`, `$XDG_STATE_HOME/holdfast/jobs`,
`~/.local/state/holdfast/jobs`, and where there is no home to write to, a folder of the user's own
under that for temporary files.
"""

import contextlib
import json
import os
import stat
import tempfile
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Final, cast

from holdfast.hooks.jobs.outcome import JobReport, Outcome, checked_name

VARIABLE: Final = "HOLDFAST_STATE"
_PRIVATE: Final = 0o700


@dataclass(frozen=True, slots=True, kw_only=True)
class JobState:
    """The last runs of one job. Times are aware."""

    started: datetime | None = None
    """Start of the last run, ended or not."""
    succeeded: datetime | None = None
    """Start of the last run that did what it should."""
    failed: datetime | None = None
    """Start of the last run that did not."""
    outcome: str = ""
    """Of the last run that ended."""
    duration: float = 0.0
    """Seconds it took."""
    exit_status: int | None = None
    code: str = ""
    """Code of its error; empty when it succeeded."""
    run_id: str = ""
    """Of the last run."""


class StateFolder:
    """One file for each job, replaced as a whole, so that a reader never sees half of it.

    Args:
        path: The folder; made, for its user alone, when somebody writes to it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, job: str) -> JobState:
        """Return what is known of a job; nothing when there is no file.

        Raises:
            ValueError: When the file is no state.
            OSError: When it cannot be read.
        """
        file = self._file(job)
        try:
            return _parsed(file.read_bytes())
        except FileNotFoundError:
            return JobState()
        except (ValueError, TypeError) as error:
            raise ValueError(f"{file} is no state of a job; remove it: {error}") from error

    def write(self, job: str, state: JobState, *, lasting: bool = True) -> None:
        """Replace what is known of a job.

        Args:
            job: Its name.
            state: What is known.
            lasting: Wait until it is on the disk.

        Raises:
            OSError: When it cannot be written.
        """
        self.make()
        facts = json.dumps(asdict(state), default=datetime.isoformat, indent=1)
        descriptor, draft = tempfile.mkstemp(prefix=f".{job}.", dir=self.path)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(facts + "\n")
                file.flush()
                if lasting:
                    os.fsync(file.fileno())
            Path(draft).chmod(0o644)
            Path(draft).replace(self._file(job))
        except BaseException:
            with contextlib.suppress(OSError):
                Path(draft).unlink()
            raise

    def note(self, report: JobReport) -> None:
        """Write down how a run stands."""
        known = after(self._before(report.job), report)
        # A start is soon followed by an end, and a job that does little should not wait for the disk.
        self.write(report.job, known, lasting=report.outcome is not None)

    def watched(self, job: str, now: datetime) -> datetime:
        """Return since when somebody looks whether a job runs: since now, unless that is known.

        In a file of its own, because whoever looks and the job itself know nothing of each other.

        Raises:
            OSError: When that can be neither read nor written.
        """
        file = self.path / f"{checked_name(job)}.watched"
        with contextlib.suppress(FileNotFoundError, ValueError):
            return _moment(file.read_text(encoding="ascii").strip())
        self.make()
        file.write_text(f"{now.isoformat()}\n", encoding="ascii")
        return now

    def make(self) -> None:
        """Make the folder.

        Raises:
            OSError: When it cannot be made.
        """
        self.path.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)

    def _before(self, job: str) -> JobState:
        try:
            return self.read(job)
        except ValueError:  # the new one replaces it
            return JobState()

    def _file(self, job: str) -> Path:
        return self.path / f"{checked_name(job)}.json"


def after(state: JobState, report: JobReport) -> JobState:
    """Return what is known of a job after one more report of a run."""
    known = asdict(state)
    known |= {"started": report.started, "run_id": report.run_id}
    if report.outcome is not None:
        ended = "succeeded" if report.outcome is Outcome.SUCCEEDED else "failed"
        known |= {
            ended: report.started,
            "outcome": str(report.outcome),
            "duration": round(report.duration, 3),
            "exit_status": report.exit_status,
            "code": report.code,
        }
    return JobState(**known)


def configured_folder(named: Path | str | None, environment: object) -> StateFolder:
    """Return the folder that a job names, else the one of its runtime, else that of this process.

    Args:
        named: What the job names.
        environment: The runtime, if there is one.
    """
    if named is not None:
        return StateFolder(Path(named).expanduser())
    settings: object = getattr(environment, "settings", None)
    return find_folder(str(getattr(getattr(settings, "jobs", None), "state", "")))


def find_folder(configured: str = "") -> StateFolder:
    """Return the folder that holds for this process; see the module.

    Args:
        configured: The setting `JOBS.STATE`.
    """
    named = os.environ.get(VARIABLE) or configured
    return StateFolder(Path(named).expanduser() if named else _own_folder())


def _own_folder() -> Path:
    """Return a folder that this user can write to, whatever cron left of the environment."""
    for folder in _homes():
        with contextlib.suppress(OSError):
            folder.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
            if os.access(folder, os.W_OK | os.X_OK):
                return folder
    return _temporary_folder()


def _homes() -> list[Path]:
    state = os.environ.get("XDG_STATE_HOME", "")
    # A relative path is to be ignored, says the specification of these variables.
    homes = [Path(state)] if Path(state).is_absolute() else []
    with contextlib.suppress(RuntimeError):  # a user without a home
        homes.append(Path.home() / ".local" / "state")
    return [home / "holdfast" / "jobs" for home in homes]


def _temporary_folder() -> Path:
    user = os.getuid() if hasattr(os, "getuid") else 0
    folder = Path(tempfile.gettempdir()) / f"holdfast-jobs-{user}"
    folder.mkdir(mode=_PRIVATE, exist_ok=True)
    found = folder.lstat()
    # Anybody may have made it before us.
    if hasattr(os, "getuid") and (found.st_uid != user or not stat.S_ISDIR(found.st_mode)):
        raise PermissionError(
            f"{folder} belongs to somebody else; set {VARIABLE} to a folder of this user's"
        )
    return folder


def _parsed(text: bytes) -> JobState:
    facts = cast("object", json.loads(text))
    if not isinstance(facts, dict):
        raise TypeError("it holds no object")
    known = cast("dict[str, object]", facts)
    kept = {
        field.name: _value(field.name, known[field.name])
        for field in fields(JobState)
        if field.name in known
    }
    return JobState(**kept)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # checked below


_TIMES = frozenset({"started", "succeeded", "failed"})
_TEXTS = frozenset({"outcome", "code", "run_id"})


def _value(name: str, value: object) -> object:
    if name in _TIMES:
        return None if value is None else _moment(value)
    expected = str if name in _TEXTS else (int, float, type(None))
    if not isinstance(value, expected):
        raise TypeError(f"its {name!r} is {value!r:.100}")
    return value


def _moment(value: object) -> datetime:
    moment = datetime.fromisoformat(str(value))
    if moment.tzinfo is None:
        raise ValueError(f"its time {value!r:.100} has no zone")
    return moment
