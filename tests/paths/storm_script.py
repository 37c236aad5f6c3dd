"""One process of a storm of errors: `python storm_script.py <settings as JSON>`.

Each line it reads is a command: `raise <count>` handles so many errors in two threads and answers with
a line of figures; `end` closes the runtime, and answers with what became of the messages.
"""

import json
import sys
import threading
from typing import TYPE_CHECKING, cast

from holdfast import AppError, CodeSpec, ErrorCodes, ErrorKind, Origin, Runtime, Settings
from holdfast.clock import SystemClock
from holdfast.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

THREADS = 2
CODES = 50
clock = SystemClock()
make = cast("Callable[..., Iterable[ErrorCodes]]", ErrorCodes)
specs = {f"STORM_{number:02}": CodeSpec(ErrorKind.INTERNAL, "Storm") for number in range(CODES)}
codes = list(make("StormCode", specs))


class Storm:
    """Handles errors, and measures how long each takes."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.raised = 0

    def run(self, count: int) -> dict[str, object]:
        """Handle errors in all threads, and return how long it took."""
        taken: list[list[float]] = [[] for _ in range(THREADS)]
        share = count // THREADS
        threads = [
            threading.Thread(target=self._share, args=(index * share, share, taken[index]))
            for index in range(THREADS)
        ]
        since = clock.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.raised += share * THREADS
        each = sorted(one for several in taken for one in several)
        return {
            "raised": share * THREADS,
            "seconds": clock.monotonic() - since,
            "median": each[len(each) // 2],
            "p99": each[len(each) * 99 // 100],
            "longest": each[-1],
        }

    def _share(self, first: int, count: int, taken: list[float]) -> None:
        origin = Origin(boundary="job", operation="storm")
        for number in range(first, first + count):
            try:
                raise AppError(codes[number % CODES], f"order {number}")
            except AppError as error:
                since = clock.monotonic()
                self.runtime.handle(error, origin)
                taken.append(clock.monotonic() - since)


def say(**facts: object) -> None:
    """Write one line."""
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def obey(runtime: Runtime, commands: "Iterable[str]") -> None:
    """Do as told, line by line."""
    storm = Storm(runtime)
    for command in commands:
        verb, _, count = command.strip().partition(" ")
        if verb == "raise":
            say(**storm.run(int(count)))
        elif verb == "end":
            runtime.close()
            deliveries = runtime.alerts.deliveries() if runtime.alerts is not None else ()
            lines = {line.reporter: line.outcomes() for line in deliveries}
            say(lines=lines)
            return


if __name__ == "__main__":
    made = Runtime(load_settings(Settings, json.loads(sys.argv[1])))
    made.install()
    say(ready=True)
    obey(made, sys.stdin)
