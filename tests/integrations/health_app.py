"""A Celery application whose workers and beat are asked how they are; see `transport` for its environment."""

import os

from celery import Celery

from tests.integrations.celery_workers import transport

QUEUE = os.environ["TEST_QUEUE"]

app = Celery("health", set_as_current=False)
app.conf.update(
    **transport(os.environ),
    control_exchange=f"{QUEUE}.control",  # others use this broker as well
    worker_hijack_root_logger=False,
    beat_enable_remote_control=True,
    beat_schedule_filename=os.environ["TEST_SCHEDULE"],
    broker_connection_retry_on_startup=True,
)
