"""Runs the examples of one Markdown page: `python tests/docs/blocks.py README.md`.

Blocks run in order and share their names. A `python` block that begins with the name of a file is
written to that file, and may be imported by what follows; a `settings.py` among them is Django's.
A `pycon` block is a session whose output has to be as shown. All other blocks are left alone.
"""

import ast
import doctest
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

FENCE = re.compile(r"^```(python|pycon)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE_NAME = re.compile(r"# ((?:\w+/)*\w+\.py)\n")
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


class Block(NamedTuple):
    """One example."""

    language: str
    code: str
    line: int
    """Where its code begins on the page, from 1."""

    def names(self) -> set[str]:
        """Return every name and attribute the example mentions."""
        code = self.code if self.language == "python" else _input_of(self.code)
        nodes = [*ast.walk(ast.parse(code))]
        found = {node.id for node in nodes if isinstance(node, ast.Name)}
        return found | {node.attr for node in nodes if isinstance(node, ast.Attribute)}


def _input_of(session: str) -> str:
    return "".join(example.source for example in doctest.DocTestParser().get_examples(session))


def blocks(page: Path) -> Iterator[Block]:
    """Yield the runnable examples of a page."""
    text = page.read_text(encoding="utf-8")
    for match in FENCE.finditer(text):
        yield Block(match[1], match[2], text.count("\n", 0, match.start(2)) + 1)


def run(page: Path) -> int:
    """Run a page's examples in an empty folder and return how many failed."""
    found = list(blocks(page))
    names: dict[str, object] = {"__name__": "example"}
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        sys.path.insert(0, folder)
        for block in found:
            failed += _run_session(block, names, page) if block.language == "pycon" else 0
            if block.language == "python" and not _written(block, Path(folder)):
                # Newlines before it, so that tracebacks show the line on the page.
                exec(compile("\n" * (block.line - 1) + block.code, page, "exec"), names)  # noqa: S102  # our own pages
        os.chdir("/")
    return failed


def _written(block: Block, folder: Path) -> bool:
    match = FILE_NAME.match(block.code)
    if match is None:
        return False
    file = folder / match[1]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(block.code, encoding="utf-8")
    if file.name == "settings.py":
        os.environ["DJANGO_SETTINGS_MODULE"] = match[1].removesuffix(".py").replace("/", ".")
    return True


def _run_session(block: Block, names: dict[str, object], page: Path) -> int:
    session = doctest.DocTestParser().get_doctest(
        block.code, names, f"line {block.line}", str(page), block.line - 1
    )
    result = doctest.DocTestRunner(optionflags=OPTIONS).run(session, clear_globs=False)
    names.update(session.globs)
    return result.failed


if __name__ == "__main__":
    sys.exit(1 if run(Path(sys.argv[1]).resolve()) else 0)
