"""Every example in README and documentation runs, and says what it is said to say."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import blocks

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in (
        "README.md",
        "examples/*.md",
        "docs/*.md",
        "docs/*/*.md",
        "packages/*/README.md",
    )
    for path in ROOT.glob(pattern)
)


def run(page: Path) -> "subprocess.CompletedProcess[str]":
    """Run a page's examples in a process of their own: they configure frameworks and declare codes."""
    return subprocess.run(
        [sys.executable, "-W", "error", str(ROOT / "tests" / "docs" / "blocks.py"), str(page)],
        capture_output=True,
        text=True,
        check=False,
        env={k: v for k, v in os.environ.items() if k != "DJANGO_SETTINGS_MODULE"},
    )


@pytest.mark.parametrize("page", [page for page in PAGES if list(blocks(ROOT / page))])
def test_the_examples_of_a_page_run(page: str) -> None:
    """Each block does what the page says it does."""
    done = run(ROOT / page)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("```python\nx = 1\nassert x == 2\n```\n", "line 3"),
        ("```pycon\n>>> 1 + 1\n3\n```\n", "Expected:"),
        ("```pycon\n>>> raise ValueError('no')\n```\n", "ValueError: no"),
        (
            "```python\n# shop/code.py\nX = 1\n```\n```pycon\n>>> from shop.code import Y\n```\n",
            "ImportError",
        ),
    ],
)
def test_an_example_that_is_wrong_is_noticed(tmp_path: Path, text: str, said: str) -> None:
    """A block that raises, or a session that prints something else, fails with its place."""
    page = tmp_path / "page.md"
    page.write_text(text)

    done = run(page)

    assert done.returncode == 1
    assert said in done.stdout + done.stderr
