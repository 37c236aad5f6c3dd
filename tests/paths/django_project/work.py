"""Tasks of `django.tasks`, which Django has since version 6.0; each ends in its own way."""

import sys

from django.tasks import task

from tests.paths.django_project.mishaps import fail


@task
def crash() -> None:
    """Fail as nobody expected."""
    fail()


@task
def leave() -> None:
    """Leave the process, which the backend does not let happen."""
    sys.exit(3)


@task
async def crash_later() -> None:
    """Fail in a coroutine."""
    fail()


@task
def succeed() -> str:
    """Do what was asked."""
    return "done"
