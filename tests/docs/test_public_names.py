"""Every public name has an example that runs: in its docstring, or on a page of the documentation."""

import inspect
from functools import cache
from pathlib import Path

import pytest

import holdfast
import holdfast_flask
from tests.docs.blocks import blocks

ROOT = Path(__file__).parents[2]
NAMES = [
    *((holdfast, name) for name in holdfast.__all__),
    *((holdfast_flask, name) for name in holdfast_flask.__all__),
]
DJANGO = (
    "HoldfastMiddleware",
    "exception_handler",
    "holdfast_django.urls",
    "HOLDFAST",
    "INSTALLED_APPS",
)
"""What a Django project names in its settings and routes; the adapter exports nothing else."""


@cache
def shown_on_pages() -> frozenset[str]:
    """Return every name that a runnable example of the documentation mentions."""
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    return frozenset(name for page in pages for block in blocks(page) for name in block.names())


@cache
def text_of_examples() -> str:
    """Return the code of all runnable examples of the documentation."""
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    return "\n".join(block.code for page in pages for block in blocks(page))


@pytest.mark.parametrize(
    ("package", "name"), NAMES, ids=lambda value: str(getattr(value, "__name__", value))
)
def test_a_public_name_has_an_example(package: object, name: str) -> None:
    """A docstring's session, or a block on a page, shows the name at work."""
    documented = inspect.getdoc(getattr(package, name)) or ""

    assert ">>> " in documented or name in shown_on_pages()


@pytest.mark.parametrize("name", DJANGO)
def test_what_a_django_project_names_has_an_example(name: str) -> None:
    """Everything that goes into a project's settings and routes is shown at work."""
    assert name in text_of_examples()


@pytest.mark.parametrize(
    ("package", "name"), NAMES, ids=lambda value: str(getattr(value, "__name__", value))
)
def test_a_public_name_is_documented(package: object, name: str) -> None:
    """A docstring says what it is."""
    assert (inspect.getdoc(getattr(package, name)) or "").strip()
