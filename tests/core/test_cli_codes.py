"""The commands `holdfast codes` and `holdfast codes compare`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast.catalog.compare import load
from holdfast.cli import main

CODE: dict[str, object] = {
    "code": "OUT_OF_STOCK",
    "kind": "CONFLICT",
    "status": 409,
    "type": "OutOfStock",
    "title": "Out of stock",
    "transient": True,
    "category": "",
    "description": "",
    "advice": "",
    "details": {"left": {"type": "integer"}},
}
ERRORS = """
from holdfast import AppError, Detail, ErrorKind

class OutOfStock(AppError):
    '''An order line cannot be met from stock.'''
    kind = ErrorKind.CONFLICT
    title = "Épuisé"
    advice = "Order fewer."
    carries = {"left": Detail(int, "Units left")}
"""


def codes(folder: Path, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[bytes]":
    """Run `holdfast codes` in a folder."""
    return subprocess.run(
        [sys.executable, "-m", "holdfast", "codes", *arguments],
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        check=False,
        timeout=30,
    )


def export(path: Path, *entries: object) -> str:
    """Write an export and return its name."""
    path.write_text(json.dumps({"format": "holdfast-codes", "version": 1, "codes": entries}))
    return str(path)


@pytest.mark.parametrize(
    "arguments",
    [("shop.errors", "--format", "json"), ("--format", "json", "shop.errors")],
)
def test_a_project_exports_what_its_modules_declare(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """Modules of the folder one is in are imported, and the export can be compared."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/errors.py").write_text(ERRORS, "utf-8")

    done = codes(tmp_path, *arguments)

    assert (done.returncode, done.stderr) == (0, b"")
    exported = load(done.stdout)
    assert exported["OUT_OF_STOCK"].details == {"left": '{"type": "integer"}'}
    assert exported["TOKEN_EXPIRED"].status == 401


def test_an_export_does_not_depend_on_the_terminal(tmp_path: Path) -> None:
    """What goes into a file is the same whatever the encoding of the terminal."""
    (tmp_path / "shop.py").write_text(ERRORS, "utf-8")

    plain, other = (
        codes(tmp_path, "shop", "--format", "json", PYTHONIOENCODING=encoding).stdout
        for encoding in ("utf-8", "ascii")
    )

    assert plain == other
    assert b"OUT_OF_STOCK" in plain


@pytest.mark.parametrize("form", ["text", "typescript", "markdown"])
def test_a_letter_that_the_terminal_does_not_have_is_escaped(tmp_path: Path, form: str) -> None:
    """Titles may be in any language."""
    (tmp_path / "shop.py").write_text(ERRORS, "utf-8")

    done = codes(tmp_path, "shop", "--format", form, PYTHONIOENCODING="ascii")

    assert (done.returncode, done.stderr) == (0, b"")
    assert rb"\xc9puis\xe9" in done.stdout


def test_a_code_that_two_places_declare_fails(tmp_path: Path) -> None:
    """The command says which, and where, and leaves with status 1."""
    (tmp_path / "shop.py").write_text(ERRORS, "utf-8")
    (tmp_path / "stock.py").write_text(ERRORS, "utf-8")

    done = codes(tmp_path, "shop", "stock")

    assert done.returncode == 1
    assert done.stderr.decode().splitlines() == [
        "code OUT_OF_STOCK is declared by shop.OutOfStock and again by stock.OutOfStock"
    ]


@pytest.mark.parametrize("form", ["json", "typescript", "markdown", "text"])
def test_every_form_is_written(capsys: pytest.CaptureFixture[str], form: str) -> None:
    """Each holds the codes, and ends with one line break."""
    assert main(["codes", "--format", form]) == 0

    printed = capsys.readouterr().out
    assert "TOKEN_EXPIRED" in printed
    assert printed.endswith("\n")
    assert not printed.endswith("\n\n")


def test_a_new_catalogue_that_keeps_its_word_passes(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """What is new is told, and is no failure."""
    old = export(tmp_path / "old.json", CODE)
    more = {**CODE, "details": {"left": {"type": "integer"}, "sku": {"type": "string"}}}
    new = export(tmp_path / "new.json", more, {**CODE, "code": "SOLD"})

    assert main(["codes", "compare", old, new]) == 0
    assert capsys.readouterr().out == ("OUT_OF_STOCK: detail sku is new\nSOLD: is new\n")


def test_a_catalogue_that_stayed_as_it_was_passes(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """One sentence, for whoever reads the log."""
    same = export(tmp_path / "old.json", CODE)

    assert main(["codes", "compare", same, same]) == 0
    assert capsys.readouterr().out == "nothing that callers rely on has changed\n"


def test_what_breaks_callers_fails(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Status 1, and what breaks them comes first."""
    old = export(tmp_path / "old.json", CODE, {**CODE, "code": "SOLD"})
    changed: dict[str, object] = {**CODE, "status": 422, "transient": False, "details": {}}
    new = export(tmp_path / "new.json", {**CODE, "code": "ADDED"}, changed)

    assert main(["codes", "compare", old, new]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "breaks callers: OUT_OF_STOCK: status was 409 and is 422",
        "breaks callers: OUT_OF_STOCK: transient was true and is false",
        "breaks callers: OUT_OF_STOCK: detail left is gone",
        "breaks callers: SOLD: is gone",
        "ADDED: is new",
    ]


def test_a_program_reads_the_changes_as_json(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The same as JSON, with what was and what is."""
    old = export(tmp_path / "old.json", CODE)
    new = export(tmp_path / "new.json", {**CODE, "status": 422})

    assert main(["codes", "compare", old, new, "--format", "json"]) == 1
    assert json.loads(capsys.readouterr().out) == {
        "breaking": True,
        "changes": [
            {"code": "OUT_OF_STOCK", "what": "status", "was": 409, "now": 422, "breaking": True}
        ],
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("compare",), "takes two exports"),
        (("compare", "old.json"), "takes two exports"),
        (("compare", "a", "b", "c"), "takes two exports"),
        (("compare", "old.json", "old.json", "--format", "markdown"), "--format text or json"),
        (("compare", "old.json", "nowhere.json"), "nowhere.json cannot be read: No such file"),
        (("compare", ".", "old.json"), ". cannot be read: Is a directory"),
        (("compare", "old.json", "bad.json"), "bad.json is not JSON"),
        (("compare", "empty.json", "old.json"), "empty.json is not an export of codes"),
        (("no_such_module",), "No module named 'no_such_module'"),
        (("--format", "yaml"), "invalid choice: 'yaml'"),
    ],
)
def test_what_cannot_be_done_is_refused(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    said: str,
) -> None:
    """Status 2, and one sentence that says what is wrong with which file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    export(tmp_path / "old.json", CODE)
    (tmp_path / "bad.json").write_text("{")
    (tmp_path / "empty.json").write_text("{}")

    with pytest.raises(SystemExit) as left:
        main(["codes", *arguments])

    printed = capsys.readouterr()
    assert left.value.code == 2
    assert said in printed.err
    assert printed.out == ""
