"""Where the errors of a project would escape, read from its source and from the running process.

Each rule is a function of one module's syntax tree. A rule only names what no hook can see: what is
dropped, swallowed, or taken out of our hands. A line with the comment `holdfast: ok` is passed over.
"""

import ast
import logging
import sys
import threading
import tokenize
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from holdfast.environment import Environment

OK: Final = "holdfast: ok"
"""Comment that says that somebody has looked."""

_ALL: Final = frozenset({"Exception", "BaseException"})
_LOGS: Final = frozenset({"warning", "error", "critical"})
_TELLS_NOBODY: Final = frozenset({"str", "repr", "type", "print"})
_HOOKS: Final = frozenset({"sys.excepthook", "threading.excepthook", "sys.unraisablehook"})
_TASKS: Final = frozenset({"asyncio.create_task", "asyncio.ensure_future", "create_task"})
_LOOPS: Final = frozenset({"loop", "_loop", "event_loop", "get_running_loop()", "get_event_loop()"})
_LEFT_OUT: Final = frozenset({"site-packages", "node_modules", "build", "dist", "tests", "test"})
_SWITCHES: Final = {
    "uncaught": "what nobody catches, in any thread, is printed and not handled",
    "logging": "an exception that is only logged is not handled",
    "processes": "what ends a child of multiprocessing is printed and not handled",
    "asyncio": "what comes up in callbacks of an event loop is logged and not handled",
}


class Finding(NamedTuple):
    """One place where an error would escape."""

    path: str
    """Empty for what is of the process, and of no file."""
    line: int
    rule: str
    """Short name: `swallowed`, `dropped`, …"""
    said: str
    """What happens there, and what to do."""

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}: " if self.path else ""
        return f"{place}{self.rule}: {self.said}"


Found: TypeAlias = Iterator[tuple[ast.AST, str, str]]
"""The node, the rule's name, and its sentence."""
Rule: TypeAlias = Callable[[ast.Module], Found]


def findings(paths: Iterable[Path]) -> Iterator[Finding]:
    """Yield what is found in files and folders of Python source.

    Tests, installed packages, hidden folders and virtual environments are left out of folders.

    Raises:
        FileNotFoundError: When a path is none.
    """
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"there is no {path}")
        for file in sorted(_files(path)):
            yield from _of_file(file)


def findings_in(source: str, path: str = "<string>") -> Iterator[Finding]:
    r"""Yield what is found in the source of one module, in order.

    Example:
        >>> for finding in findings_in("import os\nos.system('sync-stock')\n", "shop/stock.py"):
        ...     print(finding)
        shop/stock.py:2: dropped: the status of os.system() is thrown away; use subprocess.run(..., check=True)
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        yield Finding(path, line, "unreadable", "this is no Python: nothing was looked at")
        return
    looked_at = {number for number, line in enumerate(source.splitlines(), 1) if OK in line}
    found = {
        Finding(path, getattr(node, "lineno", 1), rule, said)
        for check in RULES
        for node, rule, said in check(tree)
    }
    yield from sorted(finding for finding in found if finding.line not in looked_at)


def findings_here(owner: Environment | None) -> Iterator[Finding]:
    """Yield what is found in this process, once the project's modules are loaded.

    Args:
        owner: The runtime that is in charge, if there is one.
    """
    if owner is None:
        said = "no runtime is installed: call holdfast.configure(...).install()"
        yield Finding("", 0, "runtime", said)
        return
    told: object = getattr(getattr(owner, "settings", None), "hooks", None)
    for name, unseen in _SWITCHES.items():
        if getattr(told, name, True) is False:
            yield Finding("", 0, "switched off", f"HOOKS.{name.upper()} is off: {unseen}")
    if getattr(told, "uncaught", False):
        yield from _replaced_here()
    if not logging.raiseExceptions:
        said = "logging.raiseExceptions is off: what goes wrong in a log handler is silent"
        yield Finding("", 0, "logging", said)


def _replaced_here() -> Iterator[Finding]:
    there = {"sys.excepthook": sys.excepthook, "threading.excepthook": threading.excepthook}
    for name, hook in there.items():
        if not str(getattr(hook, "__module__", "")).startswith("holdfast."):
            said = (
                f"{name} was replaced after the runtime was installed: call the hook that was there "
                "from the new one, or install the runtime later"
            )
            yield Finding("", 0, "replaced", said)


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    for child in path.iterdir():
        left_out = child.name in _LEFT_OUT or child.name.startswith(".")
        if child.is_dir() and not left_out and not (child / "pyvenv.cfg").exists():
            yield from _files(child)
        elif child.suffix == ".py" and child.is_file() and not child.name.startswith("test_"):
            yield child


def _of_file(file: Path) -> Iterator[Finding]:
    try:
        with tokenize.open(file) as opened:
            source = opened.read()
    except (SyntaxError, UnicodeDecodeError, OSError):
        yield Finding(str(file), 1, "unreadable", "this cannot be read: nothing was looked at")
        return
    yield from findings_in(source, str(file))


def swallowed(tree: ast.Module) -> Found:
    """Yield handlers of everything that do nothing, or do not even let the process end."""
    nothing = (
        "every error ends here and nobody learns of it; catch the class that is expected, or hand "
        "the error over with error_boundary(..., reraise=False)"
    )
    exits = "an interrupt, an exit and a cancellation end here, too; catch Exception"
    for handler in _handlers(tree):
        if _does_nothing(handler.body):
            yield handler, "swallowed", nothing
        elif _catches_exits(handler) and not _goes_on(handler):
            yield handler, "swallowed", exits


def suppressed(tree: ast.Module) -> Found:
    """Yield `contextlib.suppress` of everything."""
    said = "every error of the block ends here and nobody learns of it; name what is expected"
    for call in _calls(tree):
        if _method(call) == "suppress" and _names_all(call.args):
            yield call, "swallowed", said


def said_only(tree: ast.Module) -> Found:
    """Yield handlers of everything that log a sentence of their own, without the exception."""
    said = (
        "this line in the log is all that is left of the error; log it with .exception(), or with "
        "exc_info=True"
    )
    for handler in _handlers(tree):
        logs = [call for call in _calls(handler) if _is_log(call)]
        loud = [call for call in logs if _method(call) in _LOGS]
        told = any(_method(call) == "exception" or _given(call, "exc_info") for call in logs)
        if loud and not told and not _goes_on(handler):
            yield loud[0], "said only", said


def dropped(tree: ast.Module) -> Found:
    """Yield work whose outcome is thrown away."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Expr):
            continue
        value = node.value
        said = ""
        if isinstance(value, ast.Await) and isinstance(value.value, ast.Call):
            said = _dropped_result(value.value)
        elif isinstance(value, ast.Call):
            said = _dropped_work(value) or _dropped_command(value)
        if said:
            yield node, "dropped", said


def retried(tree: ast.Module) -> Found:
    """Yield tasks that try everything again, or take every error for an expected one."""
    says = {
        "autoretry_for": "autoretry_for=(Exception,) tries bugs and callers' mistakes again; let "
        "the task's class decide by the classification of the error",
        "throws": "throws=(Exception,) says of every error that it is expected: none is logged as "
        "one; name the classes that are",
    }
    for call in _calls(tree):
        for keyword in call.keywords:
            if keyword.arg in says and _names_all([keyword.value]):
                yield call, keyword.arg, says[keyword.arg]


def replaced(tree: ast.Module) -> Found:
    """Yield hooks of the interpreter and of event loops that are replaced."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            yield from _assigned(node)
        if isinstance(node, ast.Call) and _name(node.func).endswith(".set_exception_handler"):
            said = "the event loop's handler is replaced; call watch_loop(loop) after it"
            yield node, "replaced", said


def _assigned(node: ast.Assign) -> Found:
    for target in node.targets:
        name = _name(target)
        if name in _HOOKS and name != _name(node.value):
            said = f"{name} is replaced; call the hook that was there from the new one"
            yield node, "replaced", said
        elif name == "logging.raiseExceptions":
            yield node, "logging", "what goes wrong in a log handler may become silent"


def ended(tree: ast.Module) -> Found:
    """Yield ends of the process without any of its clearing up."""
    said = (
        "os._exit() ends the process with reports still waiting; call the runtime's flush() "
        "before it, or leave by sys.exit()"
    )
    for call in _calls(tree):
        if _name(call.func) == "os._exit":
            yield call, "ended", said


RULES: Final[tuple[Rule, ...]] = (
    swallowed,
    suppressed,
    said_only,
    dropped,
    retried,
    replaced,
    ended,
)
"""All rules; the documentation lists them."""


def _dropped_work(call: ast.Call) -> str:
    name = _name(call.func)
    owner, _, method = name.rpartition(".")
    if method == "submit" and owner:
        return (
            f"an error of what {name}() runs stays in the future that is thrown away; keep it and "
            "ask for its result(), or use a WatchedExecutor"
        )
    if name in _TASKS or (method == "create_task" and owner.rpartition(".")[2] in _LOOPS):
        return (
            f"the task of {name}() is thrown away: it may be freed before it has ended; keep it "
            "and await it, or use spawn()"
        )
    if name == "asyncio.run_coroutine_threadsafe":
        return f"an error stays in the future of {name}(); keep it and ask for its result()"
    return ""


def _dropped_command(call: ast.Call) -> str:
    name = _name(call.func)
    if name in {"os.system", "subprocess.call"}:
        return f"the status of {name}() is thrown away; use subprocess.run(..., check=True)"
    if name == "subprocess.run" and not _given(call, "check"):
        return "a command that fails goes unnoticed; say check=True"
    return ""


def _dropped_result(call: ast.Call) -> str:
    if _method(call) == "gather" and _given(call, "return_exceptions"):
        return (
            "errors that gather(return_exceptions=True) returns are thrown away; look at what it "
            "returns, or use a TaskGroup"
        )
    return ""


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def _handlers(tree: ast.AST) -> Iterator[ast.ExceptHandler]:
    """Yield the handlers of everything."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and (node.type is None or _names_all([node.type])):
            yield node


def _name(node: ast.AST) -> str:
    """Return a dotted name as it is written; of what is no name, as much as there is."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{_name(node.value)}.{node.attr}"
    return f"{_name(node.func)}()" if isinstance(node, ast.Call) else ""


def _method(call: ast.Call) -> str:
    return _name(call.func).rpartition(".")[2]


def _names_all(nodes: Iterable[ast.AST]) -> bool:
    """Tell whether `Exception` is among what is named, in a tuple or by itself."""
    for node in nodes:
        inner = node.elts if isinstance(node, ast.Tuple | ast.List) else [node]
        if any(_name(one).removeprefix("builtins.") in _ALL for one in inner):
            return True
    return False


def _catches_exits(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    return "BaseException" in {_name(node) for node in ast.walk(handler.type)}


def _goes_on(handler: ast.ExceptHandler) -> bool:
    """Tell whether the exception goes on: it is raised, kept, or given to something that may."""
    for node in ast.walk(handler):
        if isinstance(node, ast.Raise):
            return True
        if isinstance(node, ast.Return | ast.Assign | ast.Yield) and _is_bound(handler, node.value):
            return True
        if isinstance(node, ast.Call) and not (_is_log(node) or _name(node.func) in _TELLS_NOBODY):
            given = [*node.args, *(keyword.value for keyword in node.keywords)]
            if any(_is_bound(handler, one) for one in given):
                return True
    return False


def _is_bound(handler: ast.ExceptHandler, node: ast.AST | None) -> bool:
    return handler.name is not None and isinstance(node, ast.Name) and node.id == handler.name


def _does_nothing(body: Iterable[ast.stmt]) -> bool:
    return all(
        isinstance(statement, ast.Pass | ast.Continue)
        or (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
        for statement in body
    )


def _given(call: ast.Call, keyword: str) -> bool:
    """Tell whether a keyword is given, with anything but False or None."""
    for given in call.keywords:
        if given.arg == keyword:
            return not isinstance(given.value, ast.Constant) or bool(given.value.value)
    return False


def _is_log(call: ast.Call) -> bool:
    owner = _name(call.func).rpartition(".")[0].rpartition(".")[2].lower().removesuffix("()")
    return owner.strip("_") in {"log", "logger", "logging", "getlogger"}
