"""What `holdfast check` finds in source, what it leaves alone, and what it sees of the process."""

import logging
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.hooks.audit import Finding, findings, findings_here, findings_in
from holdfast.settings import HooksSettings, Settings
from holdfast.testing import RecordingRuntime

FOUND = [
    ("try:\n    pay()\nexcept Exception:\n    pass", 3, "swallowed"),
    ("try:\n    pay()\nexcept:\n    ...", 3, "swallowed"),
    ("for o in all:\n  try:\n    pay()\n  except (KeyError, Exception):\n    continue", 4, "swallowed"),
    ("try:\n    pay()\nexcept BaseException:\n    count += 1", 3, "swallowed"),
    ("try:\n    pay()\nexcept BaseException as error:\n    text = str(error)", 3, "swallowed"),
    ("with contextlib.suppress(Exception):\n    pay()", 1, "swallowed"),
    ("with suppress(KeyError, BaseException):\n    pay()", 1, "swallowed"),
    ("try:\n    pay()\nexcept Exception as e:\n    log.error('no: %s', e)", 4, "said only"),
    ("try:\n    pay()\nexcept Exception:\n    logging.getLogger('x').warning('no')", 4, "said only"),
    ("try:\n    pay()\nexcept Exception:\n    self.logger.info('x')\n    self.logger.critical('no')",
     5, "said only"),
    ("pool.submit(pay, order)", 1, "dropped"),
    ("asyncio.create_task(pay())", 1, "dropped"),
    ("asyncio.get_running_loop().create_task(pay())", 1, "dropped"),
    ("self.loop.create_task(pay())", 1, "dropped"),
    ("asyncio.run_coroutine_threadsafe(pay(), loop)", 1, "dropped"),
    ("async def all_of():\n    await asyncio.gather(a(), b(), return_exceptions=True)", 2, "dropped"),
    ("os.system('sync-stock')", 1, "dropped"),
    ("subprocess.run(['sync-stock'])", 1, "dropped"),
    ("subprocess.run(['sync-stock'], check=False)", 1, "dropped"),
    ("@app.task(autoretry_for=(Exception,))\ndef pay(): ...", 1, "autoretry_for"),
    ("@shared_task(throws=(KeyError, Exception))\ndef pay(): ...", 1, "throws"),
    ("sys.excepthook = mine", 1, "replaced"),
    ("threading.excepthook = mine", 1, "replaced"),
    ("loop.set_exception_handler(mine)", 1, "replaced"),
    ("logging.raiseExceptions = False", 1, "logging"),
    ("os._exit(1)", 1, "ended"),
    ("def pay(:", 1, "unreadable"),
]  # fmt: skip
LEFT_ALONE = [
    "try:\n    pay()\nexcept KeyError:\n    pass",
    "try:\n    pay()\nexcept Exception:\n    undo()",
    "try:\n    pay()\nexcept Exception:\n    log.exception('no')",
    "try:\n    pay()\nexcept Exception:\n    log.error('no', exc_info=True)",
    "try:\n    pay()\nexcept Exception as e:\n    log.error('no')\n    raise Refused from e",
    "try:\n    pay()\nexcept Exception as e:\n    log.error('no')\n    runtime.handle(e, origin)",
    "try:\n    pay()\nexcept BaseException:\n    undo()\n    raise",
    "try:\n    pay()\nexcept BaseException as error:\n    future.set_exception(error)",
    "try:\n    pay()\nexcept BaseException as error:\n    failure = error",
    "with suppress(KeyError):\n    pay()",
    "future = pool.submit(pay)",
    "pool.submit(pay).result()",
    "form.submit",
    "submit(form)",
    "async def f():\n    async with asyncio.TaskGroup() as group:\n        group.create_task(pay())",
    "task = asyncio.create_task(pay())",
    "async def one():\n    await asyncio.create_task(pay())",
    "async def all_of():\n    await asyncio.gather(a(), b())",
    "async def all_of():\n    found = await asyncio.gather(a(), return_exceptions=True)",
    "subprocess.run(['sync-stock'], check=True)",
    "done = subprocess.run(['sync-stock'])",
    "@app.task(autoretry_for=(ConnectionError,), throws=(KeyError,))\ndef pay(): ...",
    "sys.stdout = mine",
    "threading.excepthook = threading.excepthook",
    "sys.exit(1)",
    "os._exit(1)  # holdfast: ok, in a forked child",
]


@pytest.mark.parametrize(("source", "line", "rule"), FOUND)
def test_where_an_error_escapes_is_found(source: str, line: int, rule: str) -> None:
    """One finding, at its line, that says what to do."""
    (found,) = findings_in(source, "shop/pay.py")

    assert (found.path, found.line, found.rule) == ("shop/pay.py", line, rule)
    assert str(found).startswith(f"shop/pay.py:{line}: {rule}: ")


@pytest.mark.parametrize("source", LEFT_ALONE)
def test_what_escapes_nowhere_is_left_alone(source: str) -> None:
    """An error that goes on, or that somebody expects, is no finding."""
    assert list(findings_in(source)) == []


@given(st.text(max_size=200))
def test_any_text_can_be_looked_at(source: str) -> None:
    """What is no Python is one finding, and nothing raises."""
    assert all(isinstance(found, Finding) for found in findings_in(source))


def test_findings_come_in_the_order_of_the_source() -> None:
    """By line, each once."""
    source = "os._exit(1)\ntry:\n    pay()\nexcept:\n    pass\nos._exit(2)\n"

    assert [found.line for found in findings_in(source)] == [1, 4, 6]


def test_folders_are_searched_without_what_is_not_the_projects(tmp_path: Path) -> None:
    """Tests, installed packages, environments and hidden folders are left out; a named file is not."""
    for name in (
        "shop/pay.py",
        "shop/test_pay.py",
        "tests/pay.py",
        ".venv/lib/pay.py",
        "env/pay.py",
        "lib/site-packages/pay.py",
        "notes.txt",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("import os\nos._exit(1)\n")
    (tmp_path / "env" / "pyvenv.cfg").touch()

    searched = [found.path for found in findings([tmp_path])]
    named = [found.path for found in findings([tmp_path / "tests" / "pay.py"])]

    assert searched == [str(tmp_path / "shop" / "pay.py")]
    assert named == [str(tmp_path / "tests" / "pay.py")]


def test_a_file_that_cannot_be_read_is_a_finding(tmp_path: Path) -> None:
    """An unknown encoding is told, and the other files are looked at."""
    (tmp_path / "a.py").write_bytes(b"# coding: klingon\n")
    (tmp_path / "b.py").write_text("import os\nos._exit(1)\n")

    assert [found.rule for found in findings([tmp_path])] == ["unreadable", "ended"]


def test_a_path_that_is_not_there_is_told(tmp_path: Path) -> None:
    """A misspelt folder does not pass for one without findings."""
    with pytest.raises(FileNotFoundError, match="nowhere"):
        list(findings([tmp_path / "nowhere"]))


def test_a_process_without_a_runtime_is_told() -> None:
    """Nothing is handled where nothing was installed."""
    assert [found.rule for found in findings_here(None)] == ["runtime"]


def test_hooks_that_are_switched_off_are_told() -> None:
    """Each with what is not seen because of it."""
    runtime = RecordingRuntime(
        replace(Settings(reporters=()), hooks=HooksSettings(logging=False, uncaught=False))
    )

    said = [found.said for found in findings_here(runtime)]

    assert [sentence.split()[0] for sentence in said] == ["HOOKS.UNCAUGHT", "HOOKS.LOGGING"]


def test_hooks_that_were_replaced_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed runtime has its hooks in front; one that somebody put before it is named."""
    for name in ("sys", "threading"):
        monkeypatch.setattr(f"{name}.excepthook", getattr(sys.modules[name], "excepthook"))  # noqa: B009
    runtime = RecordingRuntime().install()
    try:
        before = list(findings_here(runtime))
        monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
        after = list(findings_here(runtime))
    finally:
        runtime.uninstall()

    assert before == []
    assert [found.said.split()[0] for found in after] == ["sys.excepthook"]


def test_silent_log_handlers_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """`logging.raiseExceptions` decides whether a failing handler says so."""
    monkeypatch.setattr(logging, "raiseExceptions", False)
    hooks = HooksSettings(uncaught=False)
    runtime = RecordingRuntime(replace(Settings(reporters=()), hooks=hooks))

    assert [found.rule for found in findings_here(runtime)] == ["switched off", "logging"]
