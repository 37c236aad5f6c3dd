"""Configuration of Sphinx. Everything is built offline: no page refers to another site's index."""

import sys
from pathlib import Path

import django
from django.conf import settings

sys.path.insert(0, str(Path(__file__).parents[1]))

from docs import generated
from holdfast import __version__
from holdfast_django.conf import DjangoSettings
from holdfast_flask import FlaskSettings

settings.configure(INSTALLED_APPS=["holdfast_django"])  # autodoc imports the adapter
django.setup()

project = "holdfast"
author = "The holdfast authors"
project_copyright = author
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
default_role = "code"  # docstrings quote code as Markdown does
html_theme = "furo"
html_title = f"holdfast {version}"

myst_enable_extensions = ["substitution", "deflist"]
myst_heading_anchors = 3
myst_substitutions = {
    "codes": generated.codes(),
    "shipped_codes": generated.shipped_codes(),
    "kinds": generated.kinds(),
    "settings": generated.settings(),
    "django_settings": generated.settings(DjangoSettings, own=True),
    "flask_settings": generated.settings(FlaskSettings, own=True),
    **{
        f"coverage_{name}": generated.coverage(name)
        for name in ("django", "flask", "celery", "python", "job")
    },
}

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
python_use_unqualified_type_names = True
suppress_warnings = ["ref.python"]  # `type` is a field of several classes, and a builtin
# A name from elsewhere is shown as it is written; only our own have to lead somewhere.
nitpick_ignore_regex = [
    (r"py:.*", r"(?!holdfast).*|holdfast\.strict\.problems\.Notation"),
    (r"py:class", r"holdfast\.hooks\.jobs\.boundary\.Job"),  # stands under its public name
    (r"py:class", r"holdfast\..*\._\w+"),  # type variables
]
