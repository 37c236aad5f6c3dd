"""The settings of a Flask application: the `HOLDFAST_*` keys of its config."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from flask import Flask

from holdfast.settings import Settings, load_flat_settings
from holdfast.strict import Matches


@dataclass(frozen=True, slots=True, kw_only=True)
class FlaskSettings(Settings):
    """What the core can be told, and what only Flask knows; read once, by `init_app`."""

    framework_log: bool = False
    """Whether Flask's own log line with its traceback stays for errors that are reported here
    already. It is not redacted. Default: it is dropped."""

    health_prefix: (
        Annotated[
            str,
            Matches(
                r"(/[A-Za-z0-9._~-]+)+", "a path such as '/health', without a slash at its end"
            ),
        ]
        | None
    ) = "/health"
    """Where the health endpoints are; None turns them off."""

    catalog_prefix: (
        Annotated[
            str,
            Matches(
                r"(/[A-Za-z0-9._~-]+)+", "a path such as '/errors', without a slash at its end"
            ),
        ]
        | None
    ) = None
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
