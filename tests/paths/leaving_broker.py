"""A Celery application whose broker and results are folders, for workers and for the test."""

from pathlib import Path

from celery import Celery


def application(folder: Path) -> Celery:
    """Make the application; all that name the same folder belong together."""
    for part in ("queue", "control", "results"):
        (folder / part).mkdir(exist_ok=True)
    app = Celery("leaving", broker="filesystem://", backend=f"file://{folder / 'results'}")
    app.conf.update(
        broker_transport_options={
            "data_folder_in": str(folder / "queue"),
            "data_folder_out": str(folder / "queue"),
            "polling_interval": 0.1,
            "control_folder": str(folder / "control"),
        },
        worker_lost_wait=0.5,
        worker_prefetch_multiplier=1,
    )
    return app
