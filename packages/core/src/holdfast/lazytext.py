"""Text that translates itself when it is read: Django's, Flask-Babel's.

It is read twice: once in the source language, for operators, and once in the caller's, for the
answer. Which classes there are, and how a language is made the active one, the adapters say.
"""

from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from typing import Final, NamedTuple, TypeAlias, cast

DEFAULT: Final = "en"
"""The language that texts are written in."""
MAX_DEPTH: Final = 20
"""Levels of containers that are searched for texts."""

Speaking: TypeAlias = Callable[[str], AbstractContextManager[object]]


class Voice(NamedTuple):
    """How one framework translates."""

    lazy: str
    """Dotted name of the class of its texts; whoever has one has imported it."""
    speaking: Speaking
    """Makes a language, such as `fr`, the active one for a block."""


_voices: list[Voice] = []
"""Global on purpose: the texts of a framework are the same for the whole process, as its classes are."""


def add_voice(lazy: str, speaking: Speaking) -> None:
    """Let the texts of a framework be read in any language; a second time it does nothing.

    Args:
        lazy: Dotted name of the class of its texts.
        speaking: Takes a tag such as `pt-BR` and makes that language the active one for a block.
    """
    if all(voice.lazy != lazy for voice in _voices):
        _voices.append(Voice(lazy, speaking))


@contextmanager
def speaking(language: str) -> Generator[None, None, None]:
    """Make a language the active one of every framework there is; one that cannot stays as it was."""
    with ExitStack() as stack:
        for voice in _voices:
            with suppress(Exception):
                stack.enter_context(voice.speaking(language))
        yield


class Said(str):
    """A text in the source language that keeps the one which translates itself.

    It is a `str` like any other; pickled, it is nothing more.
    """

    __slots__ = ("again",)
    again: Callable[[], str]
    """Reads it once more, in the language that is active."""

    def __reduce_ex__(self, protocol: object) -> tuple[object, ...]:
        return str, (str.__str__(self),)

    def __copy__(self) -> "Said":
        return self

    def __deepcopy__(self, memo: object) -> "Said":
        return self


def is_lazy(thing: object) -> bool:
    """Tell whether something is a framework's text that translates itself."""
    if not _voices or _is_plain(thing):
        return False
    names = {f"{cls.__module__}.{cls.__qualname__}" for cls in type(thing).__mro__}
    return any(voice.lazy in names for voice in _voices)


def sentence(text: object) -> str:
    """Return a text in the source language; one that translates itself can be read again."""
    if isinstance(text, str):
        return text
    return _said(lambda: str(text)) if is_lazy(text) else str(text)


def labelled(label: str, text: str) -> str:
    """Return `label: text`, which can be read again if the text can."""
    if not isinstance(text, Said):
        return f"{label}: {text}"
    again = text.again
    return _said(lambda: f"{label}: {again()}")


def _said(again: Callable[[], str]) -> Said:
    with speaking(DEFAULT):
        made = Said(again())
    made.again = again
    return made


def in_source_language(thing: object) -> str:
    """Return `str(thing)`, with texts that translate themselves read in the source language."""
    if not _voices or (isinstance(thing, BaseException) and all(map(_is_plain, thing.args))):
        return str(thing)
    with speaking(DEFAULT):
        return str(thing)


def _is_plain(thing: object) -> bool:
    return thing is None or isinstance(thing, (str, int, float))


def in_active_language(text: str) -> str:
    """Return a text in the language that is active, if it can be read again; else as it is."""
    if not isinstance(text, Said):
        return text
    try:
        return text.again()
    except Exception:  # noqa: BLE001  # a text that cannot be translated must not hide the error
        return str.__str__(text)


def can_be_read_again(value: object, depth: int = MAX_DEPTH) -> bool:
    """Tell whether there is a text within a value that translates itself."""
    if type(value) is str or not _voices or depth < 0:
        return False
    return (
        isinstance(value, Said)
        or any(can_be_read_again(inner, depth - 1) for inner in _inside(value))
        or is_lazy(value)
    )


def read_again(value: object, depth: int = MAX_DEPTH) -> object:
    """Return a value with the texts in it read in the language that is active."""
    if isinstance(value, str):
        return in_active_language(value)
    if depth < 0:
        return value
    if isinstance(value, Mapping):
        found = cast("Mapping[object, object]", value)
        return {key: read_again(inner, depth - 1) for key, inner in found.items()}
    if isinstance(value, (list, tuple)):
        return [read_again(inner, depth - 1) for inner in _inside(cast("object", value))]
    return value


def _inside(value: object) -> Iterable[object]:
    if isinstance(value, Mapping):
        return cast("Mapping[object, object]", value).values()
    return cast("Iterable[object]", value) if isinstance(value, (list, tuple)) else ()
