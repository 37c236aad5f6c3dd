"""A command that ends as its argument says."""

import sys
from argparse import ArgumentParser

from django.core.management.base import BaseCommand, CommandError

from holdfast.boundaries import error_boundary


class Command(BaseCommand):
    """Ends in every way a command can end."""

    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the way to end."""
        parser.add_argument("ending", choices=sorted(ENDINGS))

    def handle(self, *_: object, **options: str) -> None:
        """End so."""
        ENDINGS[options["ending"]]()


def crash() -> None:
    """Fail as nobody expected."""
    raise KeyError("the command broke")


def error() -> None:
    """Fail as commands do."""
    raise CommandError("nothing to import", returncode=4)


def leave() -> None:
    """Say by a status alone that something failed."""
    sys.exit(7)


def leave_with_words() -> None:
    """Say so on standard error."""
    sys.exit("the file is missing")


def leave_explained() -> None:
    """Handle what failed, and say by the status that it did."""
    with error_boundary("import", reraise=False):
        crash()
    sys.exit(1)


def succeed() -> None:
    """Leave when all is done."""
    sys.exit(0)


def interrupt() -> None:
    """Be stopped from the keyboard."""
    raise KeyboardInterrupt


ENDINGS = {
    "crash": crash,
    "error": error,
    "exit": leave,
    "exit-with-words": leave_with_words,
    "exit-explained": leave_explained,
    "done": succeed,
    "interrupt": interrupt,
}
