"""Values that databases quote in their errors: statements, parameters, rows, keys."""

import re
from functools import partial
from typing import Final

from holdfast.redact.fields import closing_bracket
from holdfast.redact.spans import HIDDEN, Span, compiled, replace_spans

__all__ = ["DATABASE_ROOTS", "hide_database_values"]

DATABASE_ROOTS: Final = (
    ")=(", "insert", "values", "update", "select", "delete", "where", "\nline ", "\\nline ",
    "parameters", "row co", "contient (", "duplicate", "dup key", " value: '", "sql syntax",
    "identified by", "copy ", "merge into", "replace into",
)  # fmt: skip
"""What a text with such values holds, lower-cased, beside a quote or a parenthesis."""

_END_OF_ROW: Final = r"\)\.?(?:\\n|[\"'\])},;])*+[ \t]*+(?:[\r\n]|\Z)"
# What introduces a value, and what ends it if the database speaks English; else the line does.
_QUOTED_VALUES: Final = (
    (")=(", r"\)(?= (?:already |is |conflicts |existe|n'|»))"),  # PostgreSQL: Key (email)=(…)
    ("row contains (", _END_OF_ROW),
    ("contient (", _END_OF_ROW),
    ("Duplicate entry '", r"'(?= for key)"),  # MySQL
    (" value: '", r"'(?= for )"),
    ("syntax to use near '", r"'(?= at line )"),
    ("duplicate key value is (", r"\)(?=\.?(?:\s|\Z|[\"']))"),  # SQL Server
    ("dup key: {", r"\}(?=\s*(?:\Z|\n|[\"',]))"),  # MongoDB
)
_LONGEST_VALUE: Final = 4096
_COPY: Final = r"(?P<head>COPY [^\n:]{1,200}+: \")(?P<secret>[^\n]++)"
_PARAMETERS: Final = r"\[parameters: (?=\S)"
# PostgreSQL quotes statements in pieces, so VALUES and "LINE 1: " are heads of their own.
_STATEMENT: Final = (
    r"(?i:\b(?:(?:insert|replace|merge)\s+into|delete\s+from|update\s+\S{1,200}\s+set|identified\s+by"
    r"|with\s+password|where\s+[\w.\"`\[\]]{1,128}\s*(?:[=<>!]|(?:like|in|is|between|not)\b)))"
    r"|\bVALUES\s*\(|(?:^|\n|\\n)LINE \d{1,6}: "
)
_LITERAL: Final = r"(?P<before>)(?P<literal>'(?:[^']|'')*+(?:'|\Z))"
_DOLLARS: Final = r"(?P<tag>\$[A-Za-z_]{0,32}\$)(?s:.*?)(?:(?P=tag)|\Z)"
# MySQL takes double quotes for literals as well; everybody else for identifiers.
_COMPARED: Final = r"(?P<before>(?:[=<>]|(?i:like))\s*)(?P<literal>\"[^\"]*+\")(?!\s*\.)"
_LISTED: Final = r"(?P<before>[(,]\s*+\\*+)(?P<literal>\"[^\"]*+(?:\"(?=\s*+[,)])|\Z))"
_NUMBER: Final = r"(?<![\w$%.])[0-9]{3,}+(?:\.[0-9]++)?(?!\w)"


def hide_database_values(text: str) -> str:
    """Hide what a database quotes of its rows, and every literal of a statement."""
    for head, tail in _QUOTED_VALUES:
        if head in text:
            text = replace_spans(text, compiled(re.escape(head)), partial(_until, tail))
    if "[parameters: " in text:
        text = replace_spans(text, compiled(_PARAMETERS), _parameters)
    if "COPY " in text:
        text = compiled(_COPY).sub(rf"\g<head>{HIDDEN}", text)
    start = _statement(text)
    return text if start < 0 else text[:start] + _hide_literals(text[start:])


def _until(tail: str, match: re.Match[str]) -> Span | None:
    text, start = match.string, match.end()
    closing = compiled(tail).search(text, start, start + _LONGEST_VALUE)
    end = _last_on_line(text, start) if closing is None else closing.start()
    return (start, end, HIDDEN) if start < end else None


def _last_on_line(text: str, start: int) -> int:
    line = compiled(r"[^\r\n]*+").match(text, start)
    end = start if line is None else line.end()
    closed = text.rfind(")", start, end)
    return end if closed < 0 else closed


def _parameters(match: re.Match[str]) -> Span | None:
    """Hide the bound values that SQLAlchemy quotes; most of them have no name to judge by."""
    text, start = match.string, match.end()
    end = closing_bracket(text, match.start())
    end -= text[end - 1] in ")]}"
    return (start, end, HIDDEN) if start < end else None


def _statement(text: str) -> int:
    """Return where the first statement of a text starts; -1 without one."""
    head = compiled(_STATEMENT).search(text)
    query = compiled(r"(?i:\bselect\s)").search(text)
    starts = [] if head is None else [head.start()]
    if query is not None and compiled(r"(?i:\sfrom\s)").search(text, query.end()):
        starts.append(query.start())
    return min(starts, default=-1)


def _hide_literals(statement: str) -> str:
    if "\\'" in statement:
        # Escaped, or quoted once more: whose quote closes which literal cannot be told.
        first, last = statement.find("'") + 1, statement.rfind("'")
        last = len(statement) if last < first else last - (statement[last - 1] == "\\")
        statement = statement[:first] + HIDDEN * (first < last) + statement[last:]
    else:
        statement = compiled(_LITERAL).sub(_literal, statement)
    statement = compiled(_DOLLARS).sub(HIDDEN, statement)
    statement = compiled(_COMPARED).sub(_literal, statement)
    values = compiled(r"(?i:\bvalues\s*\()").search(statement)
    if values is None:
        return statement
    rows = compiled(_LISTED).sub(_literal, statement[values.end() - 1 :])
    return statement[: values.end() - 1] + compiled(_NUMBER).sub(HIDDEN, rows)


def _literal(match: re.Match[str]) -> str:
    quote, content = match["literal"][0], match["literal"][1:]
    closing = quote if content.endswith(quote) else ""
    hidden = HIDDEN if content.removesuffix(quote) else ""
    return f"{match['before']}{quote}{hidden}{closing}"
