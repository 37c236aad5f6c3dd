"""The applications whose errors are captured: signals are the process's, and others may send them too."""

import os
import weakref
from typing import TYPE_CHECKING

from holdfast.integrations.celery.storms import Storms

if TYPE_CHECKING:
    from celery import Celery

_FRESH_INTERPRETER = "FORKED_BY_MULTIPROCESSING"
"""Variable that Celery sets in children which were not forked."""


class Applications:
    """Instrumented applications, each with what counts its retries; they may be garbage-collected."""

    def __init__(self) -> None:
        self._storms: weakref.WeakKeyDictionary[Celery, Storms] = weakref.WeakKeyDictionary()

    def __bool__(self) -> bool:
        return bool(self._storms)

    def __contains__(self, app: "Celery") -> bool:
        return self.storms_of(app) is not None

    def add(self, app: "Celery", storms: Storms) -> None:
        """Capture the errors of an application; what was there before stays."""
        self._storms.setdefault(app, storms)

    def remove(self, app: "Celery") -> None:
        """Leave an application alone; harmless when it was."""
        self._storms.pop(app, None)

    def storms_of(self, app: "Celery") -> Storms | None:
        """Return what counts an application's retries, or None when it is not instrumented."""
        found = self._storms.get(app)
        if found is None and _FRESH_INTERPRETER in os.environ:
            # Such a child gets a copy of the application, beside the one its module makes.
            same = (storms for known, storms in self._storms.items() if known.main == app.main)
            found = next(same, None)
        return found
