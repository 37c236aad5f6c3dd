"""The app: makes the runtime, listens for exceptions, and answers where Django would."""

from types import ModuleType

from django.apps import AppConfig
from django.conf import urls as default_handlers
from django.core.checks import register
from django.core.signals import setting_changed
from django.views import csrf

from holdfast_django import current, signals, startup, views
from holdfast_django.checks import CHECKS
from holdfast_django.commands import watch_commands
from holdfast_django.health.databases import register_databases
from holdfast_django.tasks import watch_tasks


class HoldfastConfig(AppConfig):
    """Starts holdfast when the apps are ready; settings are read here and nowhere else."""

    name = "holdfast_django"
    verbose_name = "holdfast"

    def __init__(self, app_name: str, app_module: ModuleType | None) -> None:
        super().__init__(app_name, app_module)
        startup.listen()

    def ready(self) -> None:
        """Make the runtime and attach it.

        Raises:
            SettingsError: With every mistake of `settings.HOLDFAST` at once.
        """
        runtime = current.rebuild()
        startup.end()
        told = current.project_settings().health
        register_databases(runtime.health, told.databases, told.migrations)
        for check in CHECKS:
            register(check)
        signals.connect()
        watch_commands()
        watch_tasks()
        install_error_views()
        setting_changed.connect(_on_setting, weak=False, dispatch_uid="holdfast_django")


def install_error_views() -> None:
    """Put our views where Django looks when the root urlconf defines none; the project's own win."""
    for name, view in (
        ("handler400", views.bad_request),
        ("handler403", views.permission_denied),
        ("handler404", views.page_not_found),
        ("handler500", views.server_error),
    ):
        setattr(default_handlers, name, view)
    # The default of CSRF_FAILURE_VIEW is the name of this function.
    setattr(csrf, "csrf_failure", views.csrf_failure)  # noqa: B010  # its declared type is closed


def _on_setting(*, setting: str, **_: object) -> None:
    if setting in {"HOLDFAST", "LANGUAGES", "LANGUAGE_CODE", "USE_I18N"}:  # what `conf.load` reads
        current.rebuild()
