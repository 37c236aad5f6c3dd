"""What every test may count on: markers for services and optional libraries, and fixed chance."""

import gc
import importlib.util
import os
import signal
import socket
import sys
from functools import cache
from typing import NoReturn

import pytest
from hypothesis import settings

SERVICES = {"redis": 6379, "rabbitmq": 5672, "postgresql": 5432, "mariadb": 3306, "nats": 4222}

settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("dev", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Started in the background of a shell, which children would inherit: they are to be as usual.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Keep the cyclic collector from going through all modules and tests, which stay, time and again."""
    gc.collect()
    gc.freeze()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip, or where that is asked for fail, a test whose service or library is not there."""
    for marker in item.iter_markers("service"):
        for name in marker.args:
            if not is_listening(SERVICES[name]):
                turn_down(
                    f"{name} does not listen on 127.0.0.1:{SERVICES[name]}",
                    strict=is_set("HOLDFAST_REQUIRE_SERVICES"),
                )
    for marker in item.iter_markers("extra"):
        for name in marker.args:
            if not is_importable(name):
                turn_down(f"{name} is not installed", strict=is_set("HOLDFAST_REQUIRE_EXTRAS"))


def is_set(variable: str) -> bool:
    """Tell whether an environment variable asks for something."""
    return os.environ.get(variable, "0") not in {"", "0"}


@cache
def is_listening(port: int) -> bool:
    """Tell whether something accepts connections on a port of the loopback address."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=0.5).close()
    except OSError:
        return False
    return True


def is_importable(module: str) -> bool:
    """Tell whether a library is installed, without importing it."""
    return module in sys.modules or importlib.util.find_spec(module) is not None


def turn_down(reason: str, *, strict: bool) -> NoReturn:
    """Skip the test with its reason, or fail it."""
    if strict:
        pytest.fail(f"{reason}, and is required here", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run asynchronous tests on asyncio."""
    return "asyncio"


@pytest.fixture(autouse=True)
def _no_hooks_of_others() -> None:
    """Take out the hooks that an application made elsewhere in this process has put in place."""
    process = sys.modules.get("holdfast.hooks.process")
    if process is not None:
        process.detach_all()
