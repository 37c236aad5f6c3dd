"""Settings of the project that the tests serve; `HOLDFAST_TEST_RECORDS` names the file for records."""

import os
from pathlib import Path

HERE = Path(__file__).parent
RECORDS = os.environ.get("HOLDFAST_TEST_RECORDS", "")

DEBUG = False
SECRET_KEY = "made-up"
ALLOWED_HOSTS = ["127.0.0.1", "testserver"]
ROOT_URLCONF = "tests.django_ext.project.urls"
USE_TZ = True
DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "holdfast_django",
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "rest_framework",
    "tests.django_ext.project",
]
MIDDLEWARE = [
    "holdfast_django.middleware.HoldfastMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "tests.django_ext.project.middleware.failing",
]
TEMPLATES = [
    {"BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": [HERE / "templates"]}
]
REST_FRAMEWORK = {
    "EXCEPTION_HANDLER": "holdfast_django.rest_framework.exception_handler",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.BasicAuthentication"],
    "DEFAULT_SCHEMA_CLASS": "holdfast_django.openapi.AutoSchema",
}
HOLDFAST = {
    "SERVICE": "shop",
    "REPORTERS": ["tests.django_ext.project.reporter:lines"] if RECORDS else [],
}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
}
