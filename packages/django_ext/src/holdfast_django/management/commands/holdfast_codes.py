"""`manage.py holdfast_codes`: the catalogue of the project."""

from importlib import import_module

from django.core.management.base import BaseCommand, CommandError, CommandParser

from holdfast.catalog import clashes
from holdfast.catalog.export import EXPORTERS, export


class Command(BaseCommand):
    """Write down every code that the project's modules declare."""

    help = "List every error code that callers may see."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the form, and modules that no app and no address imports."""
        parser.add_argument("--format", choices=sorted(EXPORTERS), default="text")
        parser.add_argument("modules", nargs="*", metavar="module", help="to import before")

    def handle(self, *, modules: list[str], format: str, **_: object) -> None:  # noqa: A002  # as on the command line
        """Write them.

        Raises:
            CommandError: When two places declare the same code.
        """
        for module in modules:
            import_module(module)
        self.stdout.write(export(format), ending="")
        if found := clashes():
            raise CommandError("; ".join(found))
