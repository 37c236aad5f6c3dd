"""Parts of a runtime that its settings say how to make."""

import importlib
import os
from typing import Protocol, cast

from holdfast.codes import Severity
from holdfast.redact import Redactor
from holdfast.reporting.dispatcher import Reporter
from holdfast.reporting.logging import LoggingReporter
from holdfast.settings import Settings


class Owner(Protocol):
    """The runtime that a part belongs to."""

    @property
    def settings(self) -> Settings:
        """What it was told."""
        ...

    @property
    def redactor(self) -> Redactor:
        """Cleans what is told beside records, which are clean."""
        ...


def logging_reporter(runtime: Owner) -> Reporter:
    """Make the reporter that writes log lines, with the handler the settings ask for."""
    told = runtime.settings
    settings = told.logging
    if settings.format != "none":
        attach = importlib.import_module("holdfast.integrations.jsonlogger").attach_handler
        attach(settings.logger, settings.format, settings.level)
    return LoggingReporter(
        logger=settings.logger,
        traceback=settings.traceback,
        level=Severity[settings.level],
        labels={
            "service": told.service,
            "environment": told.environment,
            "release": told.release,
        },
        redactor=runtime.redactor,
    )


def notes() -> list[Reporter]:
    """Return who tells `holdfast run`, if that started this process, what was recorded already."""
    if not os.environ.get("HOLDFAST_RUN"):
        return []
    told = importlib.import_module("holdfast.hooks.jobs.told")
    return cast("list[Reporter]", told.notes())


def make_redactor(settings: Settings) -> Redactor:
    """Return what cleans everything that leaves the process."""
    wanted = settings.redact
    return Redactor(
        keys=wanted.keys,
        allowed_keys=wanted.allowed_keys,
        patterns=wanted.patterns,
        mask=wanted.mask,
        max_depth=wanted.max_depth,
        max_items=wanted.max_items,
        max_length=wanted.max_length,
    )
