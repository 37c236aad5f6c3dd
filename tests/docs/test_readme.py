"""What README.md says is so: its commands, its table of settings, the places it points to."""

import ast
import re
from pathlib import Path

import pytest

from docs import generated

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *ROOT.glob("packages/*/README.md")]
COMMANDS = re.findall(r"python3 noxfile\.py (\w+)", README)
PATHS = re.findall(r"`((?:tests|packages|docs|examples|benchmarks)[\w/.-]*)`", README)


def sessions() -> set[str]:
    """Return the names of what noxfile.py can run."""
    tree = ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_the_readme_opens_with_what_it_is_and_two_commands() -> None:
    """Before anything else a reader is told what it is, how to see it, and how to test it."""
    opening, _, rest = README.partition("```sh\n")

    assert opening.startswith("# holdfast\n")
    assert len(opening.splitlines()) < 15
    assert rest.startswith("python3 noxfile.py demo\npython3 noxfile.py tests\n```")


@pytest.mark.parametrize("command", sorted(set(COMMANDS)))
def test_every_command_is_there(command: str) -> None:
    """What the README says to run can be run."""
    assert command in sessions()


def test_the_table_of_settings_is_that_of_the_source() -> None:
    """`python -m docs.generated` prints the table between the marks."""
    table = README.partition("<!-- settings -->\n")[2].partition("<!-- /settings -->")[0]

    assert table.strip() == generated.settings()


@pytest.mark.parametrize("path", sorted(set(PATHS)))
def test_every_place_is_there(path: str) -> None:
    """A file or folder that the README names exists."""
    assert (ROOT / path).exists()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    """A relative link on a page names a file that exists."""
    text = page.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#\s]+)", text) if "://" not in link]

    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_language_is_plain(page: Path) -> None:
    """No exclamation marks, and nothing is said to be simple."""
    prose = re.sub(r"```.*?```|`[^`]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    prose = re.sub(r"<!--.*?-->", "", prose)

    assert re.findall(r"!(?!\[)|\b(?:simply|just|easily|obviously)\b", prose, re.IGNORECASE) == []


def test_a_part_of_the_documentation_says_how_to_compile_the_french_texts() -> None:
    """Whoever changes the catalogue finds the command."""
    assert "babel.messages.frontend compile" in (ROOT / "docs/howto/languages.md").read_text()
