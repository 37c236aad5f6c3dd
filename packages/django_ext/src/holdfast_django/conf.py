"""What `settings.HOLDFAST` may hold: the core's settings, and those that only Django has."""

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

from django.conf import settings

from holdfast.language import best_language
from holdfast.settings import Settings
from holdfast.strict import Items, load_settings


@dataclass(frozen=True, slots=True, kw_only=True)
class DjangoSettings(Settings):
    """The settings of a Django project; keys of `settings.HOLDFAST` in upper case."""

    mailer: ClassVar[str] = "holdfast_django.mail:channel"

    in_debug: bool = False
    """Whether callers get our answers although `DEBUG` is on. Default: Django's technical pages."""

    does_not_exist_is_not_found: bool = False
    """Whether `Model.DoesNotExist` is answered with 404. Default: 500, as it may hide a bug."""

    framework_log: bool = False
    """Whether Django writes its own log line for an answer of ours as well."""

    health_databases: Annotated[tuple[str, ...], Items(most=50)] = ("default",)
    """Aliases of the databases that readiness asks, at most 50; unknown ones are passed over."""


def load() -> DjangoSettings:
    """Return the project's settings; `LANGUAGE` is by default that of the project, if it is spoken.

    Raises:
        SettingsError: With every mistake at once.
    """
    given = getattr(settings, "HOLDFAST", {})
    found = load_settings(DjangoSettings, given)
    if "LANGUAGE" in given or not settings.USE_I18N:
        return found
    spoken = best_language(settings.LANGUAGE_CODE, (found.language, *found.languages))
    return replace(found, language=spoken)
