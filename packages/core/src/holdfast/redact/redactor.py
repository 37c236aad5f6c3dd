"""The one place that decides what may be shown: a text, or any value."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Final, TypeVar

from holdfast.redact.database import DATABASE_ROOTS, hide_database_values
from holdfast.redact.fields import hide_fields
from holdfast.redact.keys import KEY_ROOTS, SensitiveKeys
from holdfast.redact.patterns import SHAPE_ROOTS, has_number, hide_shapes, hide_urls
from holdfast.redact.spans import HIDDEN, compiled, one_of, settled
from holdfast.redact.walk import JsonValue, Walk

__all__ = ["Redactor"]

_BEYOND: Final = 4096
"""Characters read beyond the longest text kept, so that no secret is cut before it is recognised."""
_MARK: Final = r"…(?:\[cut [0-9]{1,12} characters\])?\Z"
_ENCODED: Final = r"(?:%[0-9A-Fa-f]{2})++"
_DECODINGS: Final = 3
_ROUNDS: Final = 4
"""Rules run until there is nothing left to hide: one may uncover what another looks for."""
_MOST_KNOWN: Final = 1024
_LONGEST_KNOWN: Final = 200
"""Texts in which there is nothing to hide, by number and length: the same few messages come again and again."""
_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Redactor:
    """Takes secrets out of texts and values, by their names and by their shapes.

    A secret is what OWASP wants kept out of logs (ASVS 5.0 V16.2.5 and the logging cheat sheet):
    credentials, tokens, session identifiers, keys, connection strings, payment and bank data,
    e-mail addresses. What comes out is bounded and safe for JSON. Never raises once it is made;
    safe for threads. The work grows with the length of a text, and beyond `max_length` not at all.

    Not found: a secret in prose without a name next to it that says so, in an encoding other than
    percent or base64 after "Basic", or split over several texts.

    Raises:
        ValueError: a name is empty, a pattern is no regular expression, or a bound is not positive.
    """

    keys: Iterable[str] = ()
    """Further names of secrets; found anywhere in a key, case and separators ignored."""
    allowed_keys: Iterable[str] = ()
    """Names that are never secret, compared as a whole, case and separators ignored.

    What such a name holds is still searched for what looks like a secret.
    """
    patterns: Iterable[str | re.Pattern[str]] = ()
    """Further regular expressions; what they match is replaced as a whole."""
    mask: str = "[redacted]"
    """What stands in a secret's place."""
    max_depth: int = 8
    """Levels of nested values that are kept."""
    max_items: int = 100
    """Items kept of each container; of a whole value, twenty times as many."""
    max_length: int = 8192
    """Characters kept of each text; of a whole value, nine times as many."""

    _sensitive: SensitiveKeys = field(init=False, repr=False)
    _patterns: tuple[re.Pattern[str], ...] = field(init=False, repr=False)
    _harmless: dict[str, None] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("max_depth", "max_items", "max_length"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if not self.mask or "\n" in self.mask:
            raise ValueError(f"mask must be some text on one line, not {self.mask!r}")
        keys = frozenset(_several("keys", self.keys))
        allowed_keys = frozenset(_several("allowed_keys", self.allowed_keys))
        patterns = tuple(map(_pattern, _several("patterns", self.patterns)))
        values: dict[str, object] = {
            "keys": keys,
            "allowed_keys": allowed_keys,
            "patterns": patterns,
            "_sensitive": SensitiveKeys(keys, allowed_keys),
            "_patterns": patterns,
            "_harmless": {},
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def is_sensitive(self, key: str) -> bool:
        """Tell whether a value is hidden because of its name alone."""
        return self._sensitive(key)

    @property
    def searches_numbers(self) -> bool:
        """Whether every number is searched as text, because of patterns of one's own."""
        return bool(self._patterns)

    def text(self, text: str) -> str:
        """Return a text without the secrets in it, and cut after `max_length` characters.

        What is cut was searched before, so the end of the text is never the start of a secret.
        """
        plain = type(text) is str  # what hashes as it likes is searched each time
        if plain and text in self._harmless:
            return text
        if len(text) > self.max_length:
            return self._cut(text)
        if not self._suspicious(text):
            if plain and len(text) <= _LONGEST_KNOWN:
                self._remember(text)
            return text
        mark = compiled(_MARK).search(text)  # of an earlier cut; no secret goes on behind it
        body, end = (text, "") if mark is None else (text[: mark.start()], mark.group())
        shown = self._without_secrets(body)
        if len(shown) + len(end) > self.max_length:
            return self._shortened(shown, len(end))
        return shown + end

    def value(self, value: object, key: str = "") -> JsonValue:
        """Return what may be shown of any object, as JSON has it.

        Texts are searched, mappings, sequences, sets, dataclasses and named tuples opened; dates,
        UUIDs and decimals become text, enumerations their value if it is text and else their name,
        bytes their number, every other object the name of its type and never its repr.

        Args:
            value: Anything, cyclic and hostile objects included.
            key: The name of the value, if it has one.
        """
        return Walk(self).value(value, key)

    def mapping(self, fields: Mapping[str, object]) -> dict[str, JsonValue]:
        """Return what may be shown of named values."""
        shown = self.value(fields)
        return shown if isinstance(shown, dict) else {"…": shown}

    def _remember(self, text: str) -> None:
        # Only what is shown anyway: no secret stays in memory for being known.
        if len(self._harmless) >= _MOST_KNOWN:
            self._harmless.clear()
        self._harmless[text] = None

    def _suspicious(self, text: str) -> bool:
        """Tell quickly whether to search a text at all; most errors have nothing to hide."""
        lowered = text.lower()
        if _roots().search(lowered):
            return True
        quotes = "'" in text or "(" in text or '"' in text or "[" in text
        if quotes and _database_roots().search(lowered):
            return True
        hint = self._sensitive.hint
        if hint is not None and hint.search(lowered):
            return True
        if has_number(text):
            return True
        return bool(self._patterns) and any(pattern.search(text) for pattern in self._patterns)

    def _without_secrets(self, text: str) -> str:
        return self._hidden(text).replace(HIDDEN, self.mask)

    def _hidden(self, text: str) -> str:
        """Put `HIDDEN` in the place of every secret, and of every mask that is there already."""
        text = text.replace(HIDDEN, "\ufffd")
        if _is_recognisable(self.mask):
            text = text.replace(self.mask, HIDDEN)
        return settled(text, self._round, _ROUNDS)

    def _round(self, text: str) -> str:
        text = self._apply_rules(text)
        return compiled(r"[^\s]++").sub(self._decoded, text) if "%" in text else text

    def _apply_rules(self, text: str) -> str:
        for pattern in self._patterns:
            text = pattern.sub(_hide, text)
        if "://" in text and "@" in text:
            text = hide_urls(text)
        if _database_roots().search(text.lower()):
            text = hide_database_values(text)
        return hide_shapes(hide_fields(text, self._sensitive))

    def _decoded(self, match: re.Match[str]) -> str:
        """Look into what is percent-encoded; it is shown decoded if there was a secret in it."""
        encoded = shown = match.group()
        found = False
        for _ in range(_DECODINGS):
            # Level by level: what is encoded once more may decode to white space, and a name on
            # this level has all of its value only on this level.
            decoded = compiled(_ENCODED).sub(_decode, shown)
            if decoded == shown:
                break
            shown = self._apply_rules(decoded)
            found = found or shown != decoded
        return shown if found else encoded

    def _cut(self, text: str) -> str:
        seen = text[: self.max_length + _BEYOND]
        shown = self._hidden(seen) if self._suspicious(seen) else seen
        lost = len(text) - len(seen)
        if lost and not shown.endswith(HIDDEN):
            # A secret may go on behind what was read; what there is of it is at the very end.
            lost += min(_BEYOND, len(shown))
            shown = shown[:-_BEYOND]
        return self._shortened(shown.replace(HIDDEN, self.mask), lost)

    def _shortened(self, shown: str, lost: int) -> str:
        """Cut a text that has no secrets; search it again, for the cut may have made it another."""
        if not lost and len(shown) <= self.max_length:
            return shown
        longest = lost + len(shown)

        def again(body: str) -> str:
            return self._start_of(self._without_secrets(body), longest)

        body = settled(self._start_of(shown, longest), again, _ROUNDS)
        return body + self._mark(longest - len(body))

    def _start_of(self, text: str, longest: int) -> str:
        end = max(0, self.max_length - len(self._mark(longest)))
        masked = text.rfind(self.mask, 0, end + len(self.mask) - 1)
        if masked >= 0 and masked + len(self.mask) > end:
            end = masked
        return text[:end]

    def _mark(self, lost: int) -> str:
        mark = f"…[cut {lost} characters]"
        return mark if len(mark) * 2 < self.max_length else "…"


def _several(parameter: str, given: Iterable[_Item]) -> tuple[_Item, ...]:
    if isinstance(given, str):
        raise ValueError(f"{parameter} takes several; write [{given!r}] for one")  # noqa: TRY004
    return tuple(given)


def _pattern(given: str | re.Pattern[str]) -> re.Pattern[str]:
    try:
        pattern = re.compile(given)
        pattern.search("")  # refuses one for bytes
    except (re.error, TypeError, OverflowError, RecursionError) as error:
        raise ValueError(f"pattern {given!r} cannot search texts: {error}") from error
    return pattern


def _is_recognisable(mask: str) -> bool:
    """Tell whether a mask that is found in a text can only have been put there as a mask."""
    return compiled(r"(?=...)(?=.*[^\w.\-]).*").fullmatch(mask) is not None


# Functions without arguments: to look a pattern up by its words would take as long as to use it.
@cache
def _roots() -> re.Pattern[str]:
    return one_of((*KEY_ROOTS, *SHAPE_ROOTS))


@cache
def _database_roots() -> re.Pattern[str]:
    return one_of(DATABASE_ROOTS)


def _hide(match: re.Match[str]) -> str:
    return HIDDEN if match.group() else ""


def _decode(match: re.Match[str]) -> str:
    return bytes.fromhex(match.group().replace("%", "")).decode("utf-8", "replace")
