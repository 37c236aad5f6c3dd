"""Errors of a Celery system: tasks, workers and beat. Extra: `pip install "holdfast[celery]"`."""

from holdfast.integrations.celery.capture import instrument, uninstrument
from holdfast.integrations.celery.tasks import ResilientTask

__all__ = ["ResilientTask", "instrument", "uninstrument"]
