"""Celery tasks of a worker whose processes leave when one of them has a bug."""

import json
import os
import threading
from pathlib import Path
from typing import NoReturn

from holdfast.codes import Severity
from holdfast.events import Event
from holdfast.integrations.celery import instrument
from holdfast.runtime import Runtime
from holdfast.settings import Settings, load_settings
from tests.paths.leaving_broker import application

app = instrument(application(Path(os.environ["HOLDFAST_TEST_FOLDER"])))


@app.task(name="bug")
def bug() -> NoReturn:
    """Fail as a bug does."""
    raise KeyError("sku")


@app.task(name="pid")
def pid(seconds: float = 0.0) -> int:
    """Tell which process runs it, after a while; say so when it is a long one."""
    if seconds > LONG:
        runtime.emit(Event(name="begun", severity=Severity.DEBUG, time=runtime.clock.now()))
    threading.Event().wait(seconds)
    return os.getpid()


LONG = 0.5
told: object = json.loads(os.environ["HOLDFAST_TEST_CRASH"])
reporters = ["tests.paths.leaving_reporter:reporter"]
runtime = Runtime(load_settings(Settings, {"REPORTERS": reporters, "CRASH": told})).install()
