"""An application whose monitor begins when it is loaded: by gunicorn's master, before it forks."""

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from holdfast.health.monitor import monitor as home
from holdfast.runtime import Runtime
from holdfast.settings import Settings, load_settings

home.SETTLING = 0.5
_FOLDER = Path(os.environ["HOLDFAST_TEST_FOLDER"])


def database() -> None:
    """Note who looks."""
    (_FOLDER / f"looked-{os.getpid()}").touch()


runtime = Runtime(
    load_settings(
        Settings,
        {
            "SERVICE": "shop",
            "REPORTERS": (),
            "HEALTH": {"MONITOR": {"ENABLED": True, "INTERVAL": 1.0, "STATE": str(_FOLDER)}},
        },
    )
)
runtime.health.register_check("database", database)
runtime.install()
LOADED_BY = os.getpid()


def app(_: object, start: Callable[[str, list[tuple[str, str]]], object]) -> Iterable[bytes]:
    """Tell who answers, and whether its monitor is up."""
    start("200 OK", [("Content-Type", "application/json")])
    facts = {
        "pid": os.getpid(),
        "master": LOADED_BY,
        "running": runtime.monitor.is_running,
        "monitors": runtime.monitor.monitors,
        "process": runtime.monitor.get_report().process,
    }
    return [json.dumps(facts).encode()]
