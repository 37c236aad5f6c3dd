"""What `settings.HOLDFAST` may hold: the core's settings, and those that only Django has."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar, Final, cast

from django.conf import settings

from holdfast.language import best_language
from holdfast.settings import HealthSettings, Settings
from holdfast.strict import Items, load_settings

MOST_LANGUAGES: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class DjangoHealthSettings(HealthSettings):
    """How the health endpoints of a Django project answer."""

    databases: Annotated[tuple[str, ...], Items(most=50)] = ("default",)
    """Aliases of the databases that readiness asks, at most 50; unknown ones are passed over."""

    migrations: Annotated[tuple[str, ...], Items(most=50)] = ()
    """Aliases of the databases whose missing migrations fail `startup`, at most 50. Default: none, as
    migrations may be applied after the new code is out."""


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

    health: DjangoHealthSettings = field(default_factory=DjangoHealthSettings)


def load() -> DjangoSettings:
    """Return the project's settings, by default with its languages, and its `LANGUAGE` if that is spoken.

    Raises:
        SettingsError: With every mistake at once.
    """
    given = _with_languages(getattr(settings, "HOLDFAST", {}))
    found = load_settings(DjangoSettings, given)
    if "LANGUAGE" in given or not settings.USE_I18N:
        return found
    spoken = best_language(settings.LANGUAGE_CODE, (found.language, *found.languages))
    return replace(found, language=spoken)


def _with_languages(given: Mapping[str, object]) -> Mapping[str, object]:
    """Return what is given with the languages that the site offers beside those that ship.

    Not those of Django's own default, a hundred that nobody chose.
    """
    told = not isinstance(cast("object", given), Mapping) or "LANGUAGES" in given
    if told or not settings.USE_I18N or not settings.is_overridden("LANGUAGES"):
        return given
    offered = dict.fromkeys((*Settings().languages, *(tag for tag, _ in settings.LANGUAGES)))
    return {**given, "LANGUAGES": list(offered)[:MOST_LANGUAGES]}
