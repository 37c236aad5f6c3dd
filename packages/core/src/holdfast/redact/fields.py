"""Values that free text gives a sensitive name: `password=…`, `"token": "…"`, `Cookie: …`.

Every pattern here is anchored at the start of a name, and every quantifier that could give back is
possessive or bounded, so that the work grows with the length of the text and not faster.
"""

import re
from collections.abc import Callable
from functools import partial
from typing import Final, TypeAlias

from holdfast.redact.spans import HIDDEN, Span, compiled, replace_spans

__all__ = ["closing_bracket", "closing_quote", "hide_fields"]

IsSensitive: TypeAlias = Callable[[str], bool]

_QUOTE: Final = r"""(?:\\*+["'`]|&(?:quot|\#0?39|\#x27|apos);)"""
_OPENING: Final = rf"[bBrRuUfFeEnN]{{0,2}}(?P<quote>{_QUOTE})"
_ANNOTATION: Final = (
    r"(?:typing\.)?(?:str|bytes|int|object|Any|SecretStr|Optional\[\w{1,32}\])"
    r"(?:[ ]?\|[ ]?None)?[ ]?=(?!=)[ \t]*+"
)
# Tried at each name of a text, so it is the pattern that costs most: name, closing quotes or
# brackets, separator. `password 'x'` needs no separator.
_ASSIGNMENT: Final = rf"""
    (?<![\w.\-])(?P<key>[\w.\-]++)
    (?P<close>(?:{_QUOTE}|\\*+\])*+)
    (?:[ \t]*+(?P<sep>=>|:=|[=!]?={{1,2}}|:(?!:))(?:\s*+(?={_OPENING.replace("?P<quote>", "?:")})|[ \t]*+)
       (?:(?<=[:\s]){_ANNOTATION})?
    |(?P<gap>[ \t]++)(?=["']))
"""
_OPTION: Final = (
    r"""(?<![\w\-])--?(?P<key>[A-Za-z][\w\-]*+)(?P<close>["']?)(?P<sep>,?[ \t]++)(?=[^\s\-])"""
)
_PAIR: Final = (
    r"""\([bru]{0,2}(?P<sep>["'])(?P<key>[\w.\-]++)(?P<close>(?P=sep)),[ \t]*+(?=[bru]{0,2}["'])"""
)
_ELEMENT: Final = r"<(?:[\w\-]++:)?(?P<key>[\w.\-]++)(?:[ \t][^<>]*+)?>(?=[^<\s])"

# An unquoted value ends at white space, or at a delimiter before white space or the next name.
_RUN: Final = (
    r"""(?:(?![,;&](?:\s|\Z|(?:amp;)?["'\[{(]{0,2}[\w.\-]{1,64}["'\]]{0,2}[ \t]?[=:]))\S)++"""
)
_TRAILING: Final = ")]}>\"'`.,;:\\"
_REST: Final = r"""[\w@#$%^*+~\-][^\s,;&)\]}>"']*+"""
_BRACKETS: Final = rf"(?P<open>[\[({{])|(?P<shut>[\])}}])|{_QUOTE}"
_SCHEMES: Final = frozenset({
    "bearer", "basic", "digest", "negotiate", "ntlm", "token", "apikey", "api-key", "hmac",
    "aws4-hmac-sha256", "hawk", "oauth",
})  # fmt: skip
# Where nothing secret stands, or a parameter of a statement does.
_NOTHING: Final = (
    rf"None|null|nil|undefined|True|true|False|false|%s|%\(\w{{1,64}}\)s|\$\d{{1,3}}|\?"
    rf"|[^\w\s]{{0,3}}|\*+|{HIDDEN}+"
)
_ALREADY: Final = rf"{HIDDEN}(?:{_QUOTE}|[\r\n]|\Z)"
# First words of what a validator says after "password: "; whoever hides them hides the complaint.
_SENTENCE: Final = (
    r"(?i:an?|the|this|that|these|must|may|should|is|are|was|were|has|have|does|not|no|cannot|can"
    r"|too|required|invalid[e]?|expired|missing|incorrect|wrong|unknown|unexpected|expected|denied"
    r"|failed|field|value|input|string|ensure|enter|please|your|you|at|only|contains?|to|or|and|for"
    r"|with|syntax|ce|cette|cet|le|la|les|un|une|est|doit|saisissez|obligatoire|requis"
    r"|expiré)(?=[.,!?]?(?:[\s)\]}\"']|\Z))"
)
_FILE: Final = r"\.(?:py|pyc|js|ts|json|toml|ya?ml|html?|txt|cfg|ini|log|md|so|go|java|rb|php)\Z"
# InvalidToken, ExpiredSignatureError: the names of exceptions, before what they say.
_EXCEPTION: Final = (
    r"(?:^|\.)(?:Invalid|Expired|Missing|Bad|Unknown|Wrong|Revoked|Unsupported)[A-Z]"
)
# Names of two words: "api key: …", "session id: …".
_SECOND_WORDS: Final = frozenset({
    "key", "id", "number", "no", "num", "header", "code", "phrase", "value", "hash", "string",
    "passe", "response", "assertion", "security",
})  # fmt: skip
_WHOLE_LINE: Final = r"(?i:authori[sz]ation|cookie|auth.?header)"


def hide_fields(text: str, sensitive: IsSensitive) -> str:
    """Hide the values of sensitive names in every notation: code, JSON, headers, queries, XML."""
    text = replace_spans(text, compiled(_ASSIGNMENT, re.VERBOSE), partial(_assigned, sensitive))
    if "--" in text:
        text = replace_spans(text, compiled(_OPTION), partial(_option, sensitive))
    if "('" in text or '("' in text or "(b" in text:
        text = replace_spans(text, compiled(_PAIR), partial(_option, sensitive))
    if "</" in text:
        text = replace_spans(text, compiled(_ELEMENT), partial(_element, sensitive))
    return text


def _assigned(sensitive: IsSensitive, match: re.Match[str]) -> Span | None:
    return _value(match) if _names_secret(sensitive, match) else None


def _option(sensitive: IsSensitive, match: re.Match[str]) -> Span | None:
    return _value(match) if sensitive(match["key"]) else None


def _element(sensitive: IsSensitive, match: re.Match[str]) -> Span | None:
    if not sensitive(match["key"]):
        return None
    end = match.string.find("<", match.end())
    return _unless_nothing(match.string, match.end(), len(match.string) if end < 0 else end)


def _names_secret(sensitive: IsSensitive, match: re.Match[str]) -> bool:
    key, text, start = match["key"], match.string, match.start()
    if match["sep"] == ":" and (
        text[max(0, start - 2) : start] == "//"  # http://auth:8000 is a host and its port
        or compiled(_FILE).search(key)
        or compiled(_EXCEPTION).search(key)
    ):
        return False
    if match["gap"] is not None and match["close"]:
        return False
    return sensitive(key) or (key.lower() in _SECOND_WORDS and _joined(sensitive, text, start, key))


def _joined(sensitive: IsSensitive, text: str, start: int, key: str) -> bool:
    before = text[max(0, start - 24) : start]
    if not before.endswith(" "):
        return False
    words = before.split()[-2 if key == "passe" else -1 :]
    return sensitive(" ".join((*words, key)))


def _value(match: re.Match[str]) -> Span | None:
    """Return the value after a sensitive name and its separator."""
    text, start, said = match.string, match.end(), match["sep"] not in {"=", "==", "!=", ":=", "=>"}
    opening = compiled(_OPENING).match(text, start)
    if opening is not None:
        return _quoted(text, opening.end(), opening["quote"])
    if said and _begins_sentence(match):
        return None
    if match["sep"] == ":" and not match["close"]:
        around = _quote_before(text, match.start())
        if around:
            end = min(closing_quote(text, start, around)[0], _end_of_line(text, start))
            return _unless_nothing(text, start, end)
        if compiled(_WHOLE_LINE).search(match["key"]):
            line = text[start : _end_of_line(text, start)]
            return _unless_nothing(text, start, start + len(line.rstrip(_TRAILING + " \t")))
    if text[start : start + 1] in {"[", "(", "{", "<"}:
        end = closing_bracket(text, start)
        rest = compiled(_REST).match(text, end)
        return _unless_nothing(
            text, start, end if rest is None else _trimmed(text, end, rest.end())
        )
    return _unless_nothing(text, start, _trimmed(text, start, _end_of_run(text, start)))


def _begins_sentence(match: re.Match[str]) -> bool:
    text, start = match.string, match.end()
    # X-Api-Key is a header, and nobody writes sentences about headers.
    spoken = text[start - 1].isspace() and "-" not in match["key"].strip("-")
    return spoken and compiled(_SENTENCE).match(text, start) is not None


def _quoted(text: str, start: int, quote: str) -> Span | None:
    if compiled(_ALREADY).match(text, start):
        return None
    end, after = closing_quote(text, start, quote)
    beyond = after
    # "pa"ss": whoever wrote this did not escape the quote, and the secret goes on behind it.
    while beyond > end and (rest := compiled(_REST).match(text, beyond)) is not None:
        beyond = rest.end() + len(quote) * text.startswith(quote, rest.end())
    return _unless_nothing(text, start, end) if beyond == after else (start, beyond, HIDDEN + quote)


def _unless_nothing(text: str, start: int, end: int) -> Span | None:
    if end <= start or compiled(_NOTHING).fullmatch(text, start, end):
        return None
    return start, end, HIDDEN


def _quote_before(text: str, start: int) -> str:
    """Return the quotation mark directly before a name, as in `-H 'X-Api-Key: …'`."""
    if start == 0 or text[start - 1] not in "\"'":
        return ""
    begin = start - 1
    while begin > 0 and text[begin - 1] == "\\":
        begin -= 1
    return text[begin:start]


def _end_of_line(text: str, start: int) -> int:
    found = compiled(r"[\r\n]").search(text, start)
    return len(text) if found is None else found.start()


def _end_of_run(text: str, start: int) -> int:
    run = compiled(_RUN).match(text, start)
    end = start if run is None else run.end()
    if text[end : end + 1] == " " and text[start:end].lower().rstrip(":") in _SCHEMES:
        following = compiled(_RUN).match(text, end + 1)
        return end if following is None else following.end()
    return end


def _trimmed(text: str, start: int, end: int) -> int:
    """Leave the punctuation around a value where it is; it closes what stands around the value."""
    return start + len(text[start:end].rstrip(_TRAILING))


def closing_quote(text: str, start: int, quote: str) -> tuple[int, int]:
    """Return where the text that `quote` opened ends, and where its closing quote does.

    `quote` may carry backslashes: it then stands in a text that was quoted itself, once or more,
    and a quote with more of them is part of the value. So is one behind a backslash that is
    escaped: whether that one closes depends on how often the text was quoted, which cannot be told,
    and reading on shows less. Without an end, all is in.
    """
    if quote.startswith("&"):
        at = text.find(quote, start)
        return (len(text), len(text)) if at < 0 else (at, at + len(quote))
    doubled = -1
    for found in compiled(rf"(?<!\\)\\*+{quote[-1]}").finditer(text, start):
        if found.start() == doubled or len(found.group()) > len(quote):
            doubled = -1
        elif found.group() == quote[-1] and text.startswith(quote, found.end()):
            doubled = found.end()  # 'it''s' is one literal in SQL
        else:
            return found.start(), found.end()
    return len(text), len(text)


def closing_bracket(text: str, start: int) -> int:
    """Return where the bracket at `start` is closed, quotes respected; the end of the text if not."""
    if text[start] == "<":
        return text.find(">", start) + 1 or len(text)
    level, position = 0, start
    while (found := compiled(_BRACKETS).search(text, position)) is not None:
        position = found.end()
        if found["open"]:
            level += 1
        elif found["shut"]:
            level -= 1
            if level == 0:
                return position
        else:
            inside, position = position, closing_quote(text, position, found.group())[1]
            if _closes_unclear(text, inside, position, found.group()):
                return len(text)
    return len(text)


def _closes_unclear(text: str, start: int, end: int, quote: str) -> bool:
    """Tell whether a quote within may have been the closing one, so that what follows is a guess."""
    escaped = 2 * len(quote)
    return compiled(rf"\\{{{escaped}}}{quote[-1]}").search(text, start, end) is not None
