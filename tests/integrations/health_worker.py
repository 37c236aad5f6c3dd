"""A Celery application whose workers answer probes, as `docs/howto/health-workers.md` has it.

Told by its environment where messages and results are (see `transport`), and `TEST_NOTES`, a folder: the
worker writes there at which port it answers, and its task that it has begun; it ends when it finds `end`.
"""

import os
import threading
from pathlib import Path

from celery import Celery, signals

from holdfast import health_check, init_error_system
from holdfast.health.serving import serve
from holdfast.integrations.celery import instrument
from holdfast.integrations.kombu_health import RabbitCheck
from tests.integrations.celery_workers import transport

NOTES = Path(os.environ["TEST_NOTES"])

init_error_system(service="shop-worker", reporters=[], health={"details": "always", "own": []})
app = instrument(Celery("shop"))
app.conf.update(
    **transport(os.environ),
    worker_enable_remote_control=False,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
)
health_check.register_check("broker", RabbitCheck(os.environ["TEST_BROKER"], timeout=1.0))


@signals.worker_init.connect  # pyright: ignore[reportUnknownMemberType]  # Celery says nothing of it
def answer_probes(**_: object) -> None:
    """Serve from the process that takes the messages, before its children are forked."""
    (NOTES / "port").write_text(str(serve(0).port))


@app.task(name="work")
def work() -> None:
    """Work until it is enough."""
    (NOTES / "begun").touch()
    pause = threading.Event()
    while not (NOTES / "end").exists():
        pause.wait(0.02)
