"""Plain scripts that are asked to leave, by name; each says `ready` when a test may go on.

Run as `python -m tests.paths.leaving_script NAME`, with what it is told of crashes as JSON in the
environment.
"""

import atexit

atexit.register(print, "at last", flush=True)  # before anything of ours

import asyncio  # noqa: E402
import contextlib  # noqa: E402
import json  # noqa: E402
import multiprocessing  # noqa: E402
import os  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402
import threading  # noqa: E402
from collections.abc import Callable  # noqa: E402
from functools import partial  # noqa: E402

from holdfast.environment import current  # noqa: E402
from holdfast.hooks.leaving import is_leaving  # noqa: E402
from holdfast.origin import Origin  # noqa: E402
from holdfast.runtime import Runtime  # noqa: E402
from holdfast.settings import Settings, load_settings  # noqa: E402

FOREVER = 30.0


def say(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)  # noqa: T201  # what the test reads


def install() -> None:
    """Install the runtime."""
    told: object = json.loads(os.environ["HOLDFAST_TEST_CRASH"])
    reporters = ["tests.paths.leaving_reporter:reporter"]
    Runtime(load_settings(Settings, {"REPORTERS": reporters, "CRASH": told})).install()


def fail_in_thread() -> None:
    """Raise in a thread of its own."""

    def fail() -> None:
        raise KeyError("sku")

    threading.Thread(target=fail).start()


def thread() -> None:
    """Work while a thread dies of a bug."""
    install()
    atexit.register(say, "at exit")
    try:
        fail_in_thread()
        threading.Event().wait(FOREVER)
    finally:
        say("cleaned up")


def deaf() -> None:
    """Do not hear that it is time to leave."""
    install()
    fail_in_thread()
    while True:
        try:
            threading.Event().wait(FOREVER)
        except SystemExit:
            say("not yet")


def last() -> None:
    """Come to the end of the script as soon as the process is to leave."""
    install()
    fail_in_thread()
    while not is_leaving():
        threading.Event().wait(0.01)


def leaves_by(end: Callable[[], object]) -> Callable[[], None]:
    """Make a script that ends in a way of its own while the process leaves."""

    def script() -> None:
        install()
        current().handle(KeyError("sku"), Origin(boundary="consumer"))
        end()

    return script


def interrupt() -> None:
    """Do as Ctrl-C does."""
    raise KeyboardInterrupt


def catch() -> None:
    """Do not let `SystemExit` out, and come to the end."""
    with contextlib.suppress(SystemExit):
        sys.exit(3)


ENDS: dict[str, Callable[[], object]] = {
    "ends_by_0": sys.exit,
    "ends_by_3": partial(sys.exit, 3),
    "ends_by_text": partial(sys.exit, "the file is missing"),
    "ends_by_error": partial(int, "seven"),
    "ends_by_interrupt": interrupt,
    "ends_by_catching": catch,
}


def waits() -> None:
    """Record an error and wait."""
    install()
    current().handle(KeyError("sku"), Origin(boundary="job"))
    say("ready")
    threading.Event().wait(FOREVER)


def bare() -> None:
    """Wait, without anything of ours."""
    say("ready")
    threading.Event().wait(FOREVER)


def own_before() -> None:
    """Handle the signal itself, from before ours."""

    def mine(_: int, __: object) -> None:
        sys.exit(5)

    signal.signal(signal.SIGTERM, mine)
    install()
    say("ready")
    threading.Event().wait(FOREVER)


def own_after() -> None:
    """Handle the signal itself, and call whoever did before."""
    install()
    before = signal.getsignal(signal.SIGTERM)

    def mine(signum: int, frame: object) -> None:
        if callable(before):
            before(signum, None)
        sys.exit(5)

    signal.signal(signal.SIGTERM, mine)
    say("ready")
    threading.Event().wait(FOREVER)


async def wait_for_signal() -> None:
    """Wait until the event loop is told of the signal."""
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    install()
    say("ready")
    await over.wait()


def own_loop() -> None:
    """Handle the signal itself, in an event loop."""
    asyncio.run(wait_for_signal())


def ignores() -> None:
    """Ignore the signal, and end when its input does."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    install()
    say("ready")
    sys.stdin.read()


def uninstalled() -> None:
    """Have had a runtime."""
    install()
    runtime = current()
    assert isinstance(runtime, Runtime)
    runtime.uninstall()
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    say("ready")
    threading.Event().wait(FOREVER)


def forks() -> None:
    """End a forked child as `multiprocessing` does."""
    install()
    for _ in range(20):
        child = multiprocessing.get_context("fork").Process(target=threading.Event().wait)
        child.start()
        child.terminate()
        child.join()
        say(f"child ended with {child.exitcode}")


def within_work() -> None:
    """Leave while an error is handled in the main thread, whose answer is still to be given."""
    install()
    verdict = current().handle(KeyError("sku"), Origin(boundary="consumer"))
    say(f"{verdict.action.value} {verdict.answer is not None}")
    threading.Event().wait(FOREVER)


SCRIPTS: dict[str, Callable[[], None]] = {
    script.__name__: script
    for script in (
        thread,
        deaf,
        last,
        waits,
        bare,
        own_before,
        own_after,
        own_loop,
        ignores,
        uninstalled,
        forks,
        within_work,
    )
} | {name: leaves_by(end) for name, end in ENDS.items()}

if __name__ == "__main__":
    SCRIPTS[sys.argv[1]]()
