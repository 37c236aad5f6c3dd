"""The catalogue: every code of the process, once, with what callers may rely on."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from holdfast import catalog
from holdfast.codes import CodeSpec, Detail, ErrorCode, ErrorCodes, ErrorKind, register
from holdfast.errors import AppError
from holdfast.runtime import Runtime
from holdfast.settings import Settings, SettingsError


class LanternCode(ErrorCodes):
    """Codes of a project."""

    LANTERN_OUT = CodeSpec(
        ErrorKind.CONFLICT, "Lantern out", status=423, transient=True, category="LIGHT"
    )


class WickTooShort(AppError):
    """The wick cannot be lit.

    It was cut by somebody in a hurry.
    """

    kind = ErrorKind.UNPROCESSABLE
    advice = "Trim the next one less."
    carries: ClassVar = {"length": Detail(float, "Of the wick, in millimetres")}


@pytest.fixture
def own_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget at the end of the test which codes and clashes it made."""
    monkeypatch.setattr(register, "known", dict(register.known))
    monkeypatch.setattr(register, "clashes", list(register.clashes))


def declare_twice() -> None:
    """Declare one code in an enumeration and again in a class."""

    class FirstCode(ErrorCodes):  # pyright: ignore[reportUnusedClass]
        DOUBLE_BOOKED = CodeSpec(ErrorKind.CONFLICT, "Double booked")

    class DoubleBooked(AppError):  # pyright: ignore[reportUnusedClass]
        kind = ErrorKind.CONFLICT


def test_entries_come_in_alphabetical_order_and_once() -> None:
    """The catalogue is sorted by code and has no code twice."""
    codes = [entry.code for entry in catalog.entries()]

    assert codes == sorted(set(codes))
    assert set(codes) >= set(ErrorCode.__members__)


def test_an_enumeration_lands_in_the_catalogue() -> None:
    """A code of a project's enumeration is listed with its facts, overrides applied."""
    assert catalog.find("LANTERN_OUT") == catalog.CatalogEntry(
        code="LANTERN_OUT",
        kind=ErrorKind.CONFLICT,
        status=423,
        type="StateConflictError",
        title="Lantern out",
        transient=True,
        category="LIGHT",
        description="",
        source=f"{__name__}.LanternCode",
        advice="Fetch the present state and decide again.",
    )


def test_a_class_lands_in_the_catalogue() -> None:
    """A code that a class declares is listed with the class's name and first line."""
    assert catalog.find("WICK_TOO_SHORT") == catalog.CatalogEntry(
        code="WICK_TOO_SHORT",
        kind=ErrorKind.UNPROCESSABLE,
        status=422,
        type="WickTooShort",
        title="Wick too short",
        transient=False,
        category="",
        description="The wick cannot be lit.",
        source=f"{__name__}.WickTooShort",
        advice="Trim the next one less.",
        details={"length": Detail(float, "Of the wick, in millimetres")},
    )


@pytest.mark.parametrize("code", ErrorCode)
def test_every_code_that_ships_says_when_it_happens_and_what_to_do(code: ErrorCode) -> None:
    """No code of the suite goes without description and advice of its own, in whole sentences."""
    for text in (str(code.spec.description), str(code.spec.advice)):
        assert text[:1].isupper()
        assert text.endswith(".")


@pytest.mark.parametrize("kind", ErrorKind)
@pytest.mark.usefixtures("own_codes")
def test_a_code_without_advice_gets_that_of_its_kind(kind: ErrorKind) -> None:
    """A caller is always told what to do, whatever a project leaves out."""

    class TerseCode(ErrorCodes):  # pyright: ignore[reportUnusedClass]
        SAYS_NOTHING = CodeSpec(kind, "Says nothing")

    entry = catalog.find("SAYS_NOTHING")

    assert entry is not None
    assert entry.advice.endswith(".")


@pytest.mark.parametrize("code", ErrorCode)
def test_what_is_listed_is_what_is_raised(code: ErrorCode) -> None:
    """The entry of a code agrees with an error raised with it."""
    error, entry = AppError(code), catalog.find(code.name)

    assert entry is not None
    assert (entry.kind, entry.status, entry.type) == (error.kind, error.status, error.type_name)
    assert (entry.title, entry.transient) == (error.title, error.transient)


def test_every_class_is_listed_under_its_default_code() -> None:
    """The type that the catalogue gives for a class's default code is that class."""
    listed = {
        cls.__name__: getattr(catalog.find(cls.code), "type", None)
        for cls in (*AppError.__subclasses__(), *deeper())
        if cls.__module__ == "holdfast.errors"
    }

    assert listed == {name: name for name in listed}
    assert "UnexplainedResponseError" in listed


def deeper() -> Iterator[type[AppError]]:
    """Yield the subclasses of subclasses."""
    for cls in AppError.__subclasses__():
        yield from cls.__subclasses__()


def test_an_unknown_code_is_not_found() -> None:
    """Looking up a code nobody declared gives None."""
    assert catalog.find("NOBODY_DECLARED_THIS") is None


@pytest.mark.usefixtures("own_codes")
def test_a_code_declared_twice_is_told_with_both_places() -> None:
    """A clash names the code and both declarations; the first one holds."""
    declare_twice()

    (sentence,) = catalog.clashes()
    entry = catalog.find("DOUBLE_BOOKED")

    assert sentence.startswith("code DOUBLE_BOOKED is declared by ")
    assert "FirstCode" in sentence
    assert "DoubleBooked" in sentence
    assert entry is not None
    assert "FirstCode" in entry.source


ENUMERATION = """
class {name}(ErrorCodes):
    SADDLE_LOST = CodeSpec(ErrorKind.CONFLICT, "Saddle lost")
"""
CLASS = """
class {name}(AppError):
    code = "SADDLE_LOST"
    kind = ErrorKind.CONFLICT
"""


@pytest.mark.usefixtures("own_codes")
@pytest.mark.parametrize("first", [ENUMERATION, CLASS])
@pytest.mark.parametrize("second", [ENUMERATION, CLASS])
def test_modules_clash_and_reloads_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: str, second: str
) -> None:
    """Two modules that declare one code are named, as often as either is loaded; one alone may be reloaded."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    opening = "from holdfast import AppError, CodeSpec, ErrorCodes, ErrorKind\n"
    folder = f"riding_{tmp_path.name}"
    (tmp_path / folder).mkdir()
    for module, text in (("early", first), ("late", second)):
        (tmp_path / folder / f"{module}.py").write_text(opening + text.format(name="Saddle"))

    early = importlib.import_module(f"{folder}.early")
    importlib.reload(early)
    alone = catalog.clashes()
    importlib.reload(importlib.import_module(f"{folder}.late"))

    assert alone == []
    assert catalog.clashes() == [
        f"code SADDLE_LOST is declared by {folder}.early.Saddle and again by {folder}.late.Saddle"
    ]


@pytest.mark.usefixtures("own_codes")
def test_a_clash_stops_the_start() -> None:
    """A runtime is not made while two places declare one code, and its complaint names both."""
    declare_twice()

    with pytest.raises(SettingsError) as caught:
        Runtime(Settings(reporters=()))

    assert "FirstCode" in str(caught.value)
    assert "DoubleBooked" in str(caught.value)


@pytest.mark.usefixtures("own_codes")
def test_a_clash_after_the_start_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Views are imported late, when no start can refuse them: standard error names both places."""
    Runtime(Settings(reporters=())).close()

    declare_twice()
    declare_twice()

    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"holdfast: {catalog.clashes()[0]}"


@pytest.mark.usefixtures("own_codes")
def test_a_clash_before_the_start_is_left_to_the_start(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While no runtime was made nothing is written: the making will refuse the clash."""
    monkeypatch.setattr(register, "tell_clash", None)

    declare_twice()

    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("own_codes")
def test_a_module_that_is_loaded_again_clashes_with_nothing() -> None:
    """Declaring a code again from the same place replaces it."""
    for title in ("First title", "Second title"):

        class ReloadedCode(ErrorCodes):  # pyright: ignore[reportUnusedClass]
            LOADED_AGAIN = CodeSpec(ErrorKind.CONFLICT, title)

    entry = catalog.find("LOADED_AGAIN")

    assert catalog.clashes() == []
    assert entry is not None
    assert entry.title == "Second title"


@pytest.mark.usefixtures("own_codes")
def test_naming_a_known_code_declares_nothing() -> None:
    """A class that takes a code from an enumeration clashes with nothing."""

    class LanternOut(AppError):  # pyright: ignore[reportUnusedClass]
        code = "LANTERN_OUT"

    class OtherLanternOut(AppError):  # pyright: ignore[reportUnusedClass]
        code = LanternCode.LANTERN_OUT  # type: ignore[assignment]  # becomes its name
        title = "Another lantern out"

    assert catalog.clashes() == []
