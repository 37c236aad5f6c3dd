"""Settings of the project of the rows: those of the adapter's tests, and what the rows need beside."""

import os

from tests.django_ext.project import settings as shared

TASKS_DATABASE = os.environ.get("HOLDFAST_TEST_DATABASE")
"""File of the database of a worker; without one, tasks run at once."""

globals().update({name: value for name, value in vars(shared).items() if name.isupper()})
INSTALLED_APPS = [*shared.INSTALLED_APPS, "tests.paths.django_project"]
MIDDLEWARE = [*shared.MIDDLEWARE, "tests.paths.django_project.middleware.Mishaps"]
ROOT_URLCONF = "tests.paths.django_project.urls"
DEBUG_PROPAGATE_EXCEPTIONS = "HOLDFAST_TEST_PROPAGATE" in os.environ
HOLDFAST = {"SERVICE": "shop", "REPORTERS": ["tests.paths.filing:reporter"]}
TASKS = {"default": {"BACKEND": "django.tasks.backends.immediate.ImmediateBackend"}}
"""For Django 6.0 and later; those before do not know the setting."""
if TASKS_DATABASE:
    INSTALLED_APPS.append("django_tasks_db")
    TASKS["default"]["BACKEND"] = "django_tasks_db.DatabaseBackend"
    DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": TASKS_DATABASE}}
