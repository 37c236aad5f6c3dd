"""A worker in a thread, for where there is no broker: enough to try things out, and no more.

Celery's in-memory transport reaches no further than one process, so every process that sends a task
runs it itself, behind the back of whoever sent it.
"""

import threading

from celery import Celery, signals
from celery.worker import WorkController


def serve(app: Celery) -> None:
    """Start a worker with the first task that this process sends."""
    one_at_a_time = threading.Lock()
    started: list[threading.Thread] = []

    @signals.before_task_publish.connect(weak=False)
    def start(**_: object) -> None:
        with one_at_a_time:
            if not started:
                app.finalize()  # here: two threads at once would make every task twice
                started.append(threading.Thread(target=_work, args=(app,), daemon=True))
                started[0].start()


def _work(app: Celery) -> None:
    worker = WorkController(
        app=app,
        hostname="embedded",
        pool_cls="solo",
        concurrency=1,
        without_gossip=True,
        without_heartbeat=True,
        without_mingle=True,
    )
    worker.start()
