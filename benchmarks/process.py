"""The processes of subjects, and rounds over them: the part that runs in the process of `run.py`."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self, cast

_FOLDER = Path(__file__).parent


class Subject(NamedTuple):
    """One case of one process."""

    module: str
    flavour: str
    case: str

    @property
    def process(self) -> tuple[str, str]:
        """Which process measures it."""
        return self.module, self.flavour


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured."""

    generations: int
    """Fresh processes of each subject."""
    rounds: int
    """Samples of each case and generation."""
    seconds: float
    """Length of one sample."""
    errors: int
    """Errors handled to see memory grow."""
    requests: int
    """Requests timed one by one to see latency."""
    imports: int
    """Fresh interpreters for each import."""

    @property
    def samples(self) -> int:
        """Samples of each case."""
        return self.generations * self.rounds


class Worker:
    """A process that measures on demand; ends with the block."""

    def __init__(self, module: str, flavour: str) -> None:
        command = [sys.executable, str(_FOLDER / "worker.py"), module, flavour]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.cases = cast("list[str]", self._read())

    def ask(self, case: str, what: str, **how: float) -> object:
        """Return what the process measured."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"what": what, "case": case, **how}) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> object:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args!r} ended early, see above")
        return cast("object", json.loads(line))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()


def sampled(
    subjects: Iterable[Subject], effort: Effort
) -> Iterator[tuple[int, dict[Subject, float]]]:
    """Yield the number of each round with one sample of every subject, in seconds per call.

    The subjects of a round are measured one after another, each round beginning with the next.
    """
    wanted = list(dict.fromkeys(subjects))
    for generation in range(effort.generations):
        with ExitStack() as stack:
            workers = {
                process: stack.enter_context(Worker(*process))
                for process in dict.fromkeys(one.process for one in wanted)
            }
            for number in range(effort.rounds):
                first = number % len(wanted)
                taken = {
                    one: workers[one.process].ask(one.case, "sample", seconds=effort.seconds)
                    for one in wanted[first:] + wanted[:first]
                }
                yield generation * effort.rounds + number, cast("dict[Subject, float]", taken)


def asked(subject: Subject, what: str, **how: float) -> dict[str, object]:
    """Return what a process of its own says about one case."""
    with Worker(*subject.process) as worker:
        return cast("dict[str, object]", worker.ask(subject.case, what, **how))


def imported(before: str, what: str) -> tuple[float, float]:
    """Return the seconds and bytes that an import costs on top of another, in a fresh interpreter."""
    command = [sys.executable, str(_FOLDER / "imports.py"), before, what]
    # A service finds its modules compiled; so has this, from the second time on.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    seconds, size = json.loads(done.stdout)
    return seconds, size
