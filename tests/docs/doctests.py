"""Runs the examples in the docstrings of one module: `python tests/docs/doctests.py holdfast.errors`."""

import doctest
import importlib
import os
import sys
import tempfile

OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def run(name: str) -> doctest.TestResults:
    """Run a module's examples, those of the Django adapter within a project."""
    os.environ["HOLDFAST_STATE"] = tempfile.mkdtemp()  # where the examples' jobs keep their state
    if name.startswith("holdfast_django"):
        os.environ["DJANGO_SETTINGS_MODULE"] = "examples.shop_django.settings"
        importlib.import_module("django").setup()
    module = importlib.import_module(name)
    return doctest.testmod(module, optionflags=OPTIONS, extraglobs=dict(vars(module)))


if __name__ == "__main__":
    sys.exit(1 if run(sys.argv[1]).failed else 0)
