"""The Celery application: shops send tasks through it, workers take them from it.

SHOP_BROKER: such as `amqp://guest:guest@127.0.0.1:5672//` or `redis://127.0.0.1:6379/0`. Without a
broker every process that sends a task has a worker of its own, see `embedded`.
"""

import os

from celery import Celery

from examples.shop_worker import embedded
from examples.shop_worker.schedule import SCHEDULE
from holdfast.integrations.celery import instrument

BROKER = os.environ.get("SHOP_BROKER") or "memory://localhost/"
IN_MEMORY = BROKER.startswith("memory:")
QUEUE = os.environ.get("SHOP_QUEUE", "shop")
OPTIONS: dict[str, dict[str, object]] = {
    "memory": {"polling_interval": 0.05},
    "redis": {"global_keyprefix": f"{QUEUE}:"},
}
"""Options of the transport by the scheme of its address."""

app = instrument(
    Celery(
        "shop",
        broker=BROKER,
        include=["examples.shop_worker.tasks"],
        task_cls="holdfast.integrations.celery:ResilientTask",
    )
)
app.set_default()  # for threads too: what Celery makes current on its own is so in this thread alone
app.conf.update(
    beat_schedule=SCHEDULE,
    beat_scheduler="celery.beat:Scheduler",  # keeps nothing in a file
    beat_max_loop_interval=1,
    broker_connection_retry_on_startup=True,
    broker_transport_options=OPTIONS.get(BROKER.partition(":")[0], {}),
    task_default_queue=QUEUE,
    task_ignore_result=True,
    worker_enable_remote_control=False,
    worker_lost_wait=0.5,  # seconds in which a child that died may still have finished its task
    worker_redirect_stdouts=False,  # records go to standard error as they are written
)
if IN_MEMORY:
    embedded.serve(app)
