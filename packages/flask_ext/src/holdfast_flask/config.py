"""The settings of a Flask application: the `HOLDFAST_*` keys of its config."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, TypeAlias

from flask import Flask

from holdfast.settings import HealthSettings, Settings, load_flat_settings
from holdfast.strict import Matches

_Prefix: TypeAlias = Annotated[
    str,
    Matches(r"(/[A-Za-z0-9._~-]+)+", "a path such as '/internal', without a slash at its end"),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class FlaskHealthSettings(HealthSettings):
    """How the health endpoints answer, and where they are.

    Example:
        >>> FlaskHealthSettings(prefix="/internal/up").prefix
        '/internal/up'
    """

    prefix: _Prefix | None = "/health"
    """Where the health endpoints are; None turns them off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlaskSettings(Settings):
    """What the core can be told, and what only Flask knows; read once, by `init_app`."""

    framework_log: bool = False
    """Whether Flask's own log line with its traceback stays for errors that are reported here
    already. It is not redacted. Default: it is dropped."""

    health: FlaskHealthSettings = field(default_factory=FlaskHealthSettings)

    catalog_prefix: _Prefix | None = None
    """Where a page for each error code is, which the member `type` of a problem then leads to.
    Default: there are none."""


def settings_of(app: Flask) -> FlaskSettings:
    """Read the settings of an application.

    Raises:
        SettingsError: With every mistake at once, each with its key and the nearest valid name.
    """
    found = load_flat_settings(FlaskSettings, app.config)
    # As Flask-Babel reads its folders: an application may be started from anywhere.
    return replace(found, locale=tuple(str(Path(app.root_path, given)) for given in found.locale))
