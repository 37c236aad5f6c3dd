"""The one runtime of this Django project; this module's one variable is global state.

Django has one set of settings per process, so it has one runtime, made when the apps are ready.
"""

import atexit

from holdfast import environment
from holdfast.context import current_context
from holdfast.runtime import Runtime
from holdfast_django.conf import DjangoSettings, load
from holdfast_django.health.surroundings import surround
from holdfast_django.languages import speak_through_django
from holdfast_django.rules import rules_of

BOUNDARY = "django.request"
COMMAND_BOUNDARY = "django.command"
TASK_BOUNDARY = "django.task"
_OWN = frozenset({BOUNDARY, COMMAND_BOUNDARY, TASK_BOUNDARY})
"""Boundaries of this project, whose work belongs to its runtime."""

_made: list[Runtime] = []


def project_runtime() -> Runtime:
    """Return the project's runtime, made from `settings.HOLDFAST` when missing."""
    return _made[0] if _made else rebuild()


def project_settings() -> DjangoSettings:
    """Return the settings of the project's runtime."""
    settings = project_runtime().settings
    return settings if isinstance(settings, DjangoSettings) else DjangoSettings()


def rebuild() -> Runtime:
    """Make the runtime from the present settings and put it in the place of the one before.

    It becomes the process's default unless something else is: within a request, a command or a task
    the project's own is found first, so another one (a script that called `init_error_system`, a
    test) may stay. Either
    way it is flushed when the process ends. Checks that were registered for health are kept.

    Raises:
        SettingsError: With every mistake at once.
    """
    settings = load()
    return replace(Runtime(settings, adapter_rules=rules_of(settings)))


def replace(runtime: Runtime) -> Runtime:
    """Put a runtime in the place of the project's, as a test does."""
    environment.add_resolver(_of_this_work)
    speak_through_django(runtime)
    surround(runtime.health)
    before = _made[0] if _made else None
    _made[:] = [runtime]
    if before is not None and before is not runtime:
        before.uninstall()  # which keeps it from being closed once more at the end
        before.close()
        runtime.health.take_over(before.health)
    if environment.default() is None:
        runtime.install()
    else:
        runtime.attach()
        atexit.register(runtime.close)
    return runtime


def _of_this_work() -> Runtime | None:
    work = current_context()
    return _made[0] if _made and work is not None and work.boundary in _OWN else None
