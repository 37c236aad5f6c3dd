"""`manage.py holdfast`: the policies of the project and their circuits, and how it is."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from holdfast.health import inspection
from holdfast.resilience.inspection import AREAS, answer
from holdfast_django.commands import RefusedError
from holdfast_django.current import project_runtime
from holdfast_django.discovery import discover

HEALTH = "health"


class Command(BaseCommand):
    """Show policies, circuits and health, and override circuits of this process."""

    help = "Show the policies of this project and their circuits, and how it is."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take what it is about, and what to do, or whose checks to run."""
        words = "|".join([*AREAS, HEALTH])
        areas = parser.add_subparsers(dest="area", required=True, metavar=words)
        for area, actions in AREAS.items():
            known = areas.add_parser(area, help=", ".join(actions))
            known.add_argument("action", nargs="?", choices=actions, default=actions[0])
            known.add_argument("name", nargs="?", default="", help="of a policy")
        health = areas.add_parser(HEALTH, help="run health checks; exit status 1 when one fails")
        health.add_argument("group", nargs="?", default="", help="live, ready, startup, or own")
        forms, statuses = inspection.FORMS, inspection.FAIL_ON
        health.add_argument("--format", dest="form", choices=forms, default=forms[0])
        health.add_argument("--fail-on", choices=statuses, default=statuses[0])

    def handle(self, *, area: str, **options: Any) -> None:  # noqa: ANN401  # those of the area, and Django's own
        """Do it.

        Raises:
            RefusedError: When it cannot be done, or something is wrong.
            SystemExit: When the health that was asked for is not as it should be.
        """
        discover()
        if area == HEALTH:
            self._tell_health(options["group"], options["form"], options["fail_on"])
            return
        told = answer(project_runtime().policies, area, options["action"], options["name"])
        if told.status:
            raise RefusedError(told.text)
        self.stdout.write(told.text)

    def _tell_health(self, group: str, form: str, fail_on: str) -> None:
        told = inspection.answer(project_runtime().probes, group, form=form, fail_on=fail_on)
        if told.status == inspection.UNKNOWN:
            raise RefusedError(told.text, returncode=told.status)
        self.stdout.write(told.text)
        if told.status:
            sys.exit(told.status)  # what was found is no error of the command's
