"""`manage.py holdfast`: the policies of the project and their circuits."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from holdfast.resilience.inspection import AREAS, answer
from holdfast_django.commands import RefusedError
from holdfast_django.current import project_runtime
from holdfast_django.discovery import discover


class Command(BaseCommand):
    """Show policies and circuits, and override circuits of this process."""

    help = "Show the policies of this project and their circuits."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take what it is about, what to do, and of which policy."""
        areas = parser.add_subparsers(dest="area", required=True, metavar="|".join(AREAS))
        for area, actions in AREAS.items():
            words = areas.add_parser(area, help=", ".join(actions))
            words.add_argument("action", nargs="?", choices=actions, default=actions[0])
            words.add_argument("name", nargs="?", default="", help="of a policy")

    def handle(self, *, area: str, action: str, name: str, **_: Any) -> None:  # noqa: ANN401  # options of Django's own
        """Do it.

        Raises:
            RefusedError: When it cannot be done, or something is wrong.
        """
        discover()
        told = answer(project_runtime().policies, area, action, name)
        if told.status:
            raise RefusedError(told.text)
        self.stdout.write(told.text)
