"""What is wrong with settings, and how a developer is told: by path, without showing secrets."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

Case: TypeAlias = Literal["upper", "lower"]
"""How the names of fields are written as keys."""

_SHOWN_LINES = 50
_SHOWN_LENGTH = 40
_SHOWN_INTEGER = 10**15
_SENSITIVE = re.compile(
    r"pass|pwd|secret|token|key|credential|auth|bearer|cookie|session|dsn|private|signature|salt|pattern",
    re.IGNORECASE,
)
# An address, an assignment, or a long run of letters and digits may hold a credential.
_TELLING = re.compile(r"@|://|=|(?=\w*\d)\w{20,}")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with the settings."""

    path: str
    """Where, as a developer would write it: `HOLDFAST.REDACT.MAX_LENGTH`."""
    message: str
    """What is wrong and what it must be; never holds a secret."""
    suggestion: str = ""
    """The nearest valid name; empty when nothing comes close."""

    def __str__(self) -> str:
        hint = f"; did you mean {self.suggestion!r}?" if self.suggestion else ""
        return f"{self.path or 'settings'}: {self.message}{hint}"


class SettingsError(ValueError):
    """Settings cannot be used; a developer has to correct them before the process can start."""

    problems: tuple[Problem, ...]
    """Everything that is wrong, in the order it was found."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        lines = [f"  {problem}" for problem in self.problems[:_SHOWN_LINES]]
        if len(self.problems) > _SHOWN_LINES:
            lines.append(f"  and {len(self.problems) - _SHOWN_LINES} more")
        return "\n".join(["settings are wrong; correct each line and start again:", *lines])


@dataclass(frozen=True, slots=True)
class Notation:
    """How keys are written at one source of settings, and paths printed for it."""

    root: str = "HOLDFAST"
    """What stands before every key; empty for keyword arguments."""
    joint: str = "."
    """What joins root and first key: `_` where settings are flat."""
    case: Case = "upper"
    """Case of every key that is a field's name."""

    def spell(self, field: str) -> str:
        """Return the key under which a field is written."""
        return field.upper() if self.case == "upper" else field.lower()

    def path(self, *steps: str | int) -> str:
        """Return the path of a field, or of an item of it: `path("reporters", 0)`."""
        return self.join(*(self.spell(step) if isinstance(step, str) else step for step in steps))

    def join(self, *steps: str | int) -> str:
        """Return the path of keys that are already written as the source has them."""
        text = self.root
        for depth, step in enumerate(steps):
            if isinstance(step, int):
                text += f"[{step}]"
            elif len(step) <= _SHOWN_LENGTH and re.fullmatch(r"\w+", step):
                text += (("." if depth else self.joint) if text else "") + step
            else:
                text += f"[{_clipped(step)!r}]"
        return text


def nearest(name: str, names: Iterable[str]) -> str:
    """Return the one of several names that is most like another, or an empty string."""
    import difflib  # noqa: PLC0415  # only for somebody's mistake

    plain = {folded(candidate): candidate for candidate in names}
    found = difflib.get_close_matches(folded(name[:_SHOWN_LENGTH]), plain, n=1)
    return plain[found[0]] if found else ""


def folded(name: str) -> str:
    """Return a name as it compares with others that differ in case and separators only."""
    return name.casefold().replace("-", "_").replace(" ", "_")


def is_sensitive(*steps: str | int) -> bool:
    """Return whether one of the keys on a path sounds like that of a secret."""
    return any(isinstance(step, str) and _SENSITIVE.search(step) for step in steps)


def shown(value: object, *, secret: bool) -> str:
    """Return a value for an error message: in full if it is short and harmless, else its type."""
    name = type(value).__name__
    if value is None or isinstance(value, bool):
        return repr(value)
    if secret or not _is_harmless(value):
        return f"{'an' if name[:1].lower() in set('aeiou') else 'a'} {name}"
    return f"{value!r} ({name})"


def _is_harmless(value: object) -> bool:
    if type(value) is str:
        telling = _TELLING.search(value) or _SENSITIVE.search(value)
        return len(value) <= _SHOWN_LENGTH and not telling
    # A huge int cannot even be printed.
    return type(value) is float or (type(value) is int and abs(value) < _SHOWN_INTEGER)


def _clipped(text: str) -> str:
    return text if len(text) <= _SHOWN_LENGTH else f"{text[: _SHOWN_LENGTH - 1]}…"
