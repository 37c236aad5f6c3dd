"""Redaction: what holds for every secret, wherever it stands and however it is written."""

import base64
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.redact import JsonValue, Redactor
from holdfast.redact.spans import HIDDEN

REDACTOR = Redactor()
CANARY = "k9ZqCANARYw3"

NAMES = (
    "password", "DB_PASSWORD", "apiKey", "api-key", "x-auth-token", "client_secret", "sessionid",
    "Authorization", "PGPASSWORD", "user.password", "smtp_pass", "csrftoken", "private_key", "cvv",
    "2fa_secret", "cookie",
)  # fmt: skip
PRINTABLE = st.characters(min_codepoint=33, max_codepoint=126)
ANYTHING = st.characters(exclude_categories=["Cs"], exclude_characters=HIDDEN)
UNQUOTED = st.sampled_from("abcXYZ019._-!#$%^*+/~@?:|")
WORD = st.sampled_from("abcXYZ019._-")


# S608 below: these statements are only read.


def sql(text: str) -> str:
    """Write a literal as the standard has it."""
    return "'" + text.replace("'", "''") + "'"


def doubled(text: str) -> str:
    """Write a literal as MySQL and libpq have it."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def basic(text: str) -> str:
    """Write credentials as HTTP has them."""
    return base64.b64encode(f"bob:{text}".encode()).decode()


Notation = Callable[[str, str], str]

# How a name and its secret are written, and the characters the notation leaves to the secret.
NAMED: dict[str, tuple[Notation, st.SearchStrategy[str]]] = {
    "json": (lambda key, secret: json.dumps({"a": 1, key: secret, "b": "x"}), ANYTHING),
    "json, compact": (
        lambda key, secret: json.dumps(
            {"a": 1, key: secret, "b": "x"}, separators=(",", ":"), ensure_ascii=False
        ),
        ANYTHING,
    ),
    "json in json": (lambda key, secret: json.dumps(json.dumps({key: secret, "b": 1})), ANYTHING),
    "json in json in json": (
        lambda key, secret: json.dumps(json.dumps(json.dumps({key: secret, "b": 1}))),
        ANYTHING,
    ),
    "repr": (lambda key, secret: repr({"a": 1, key: secret, "b": "x"}), ANYTHING),
    "repr of repr": (lambda key, secret: repr(repr({key: secret, "b": "x"})), ANYTHING),
    "repr of json": (lambda key, secret: repr(json.dumps({key: secret, "b": 1})), ANYTHING),
    "json of repr": (lambda key, secret: json.dumps(repr({key: secret, "b": 1})), ANYTHING),
    "repr of an error": (lambda key, secret: repr(ValueError({key: secret})), ANYTHING),
    "bytes": (lambda key, secret: repr({key.encode(): secret.encode()}), ANYTHING),
    "headers": (lambda key, secret: repr([(key.encode(), secret.encode()), (b"a", b"b")]), ANYTHING),
    "nested": (lambda key, secret: json.dumps({key: [secret, {"a": secret}], "b": 1}), ANYTHING),
    "argument": (lambda key, secret: f"User(name='x', {key}={secret!r}, n=1)", ANYTHING),
    "libpq": (lambda key, secret: f"host=db {key}={secret} dbname=x", UNQUOTED),
    "libpq, quoted": (lambda key, secret: f"host=db {key}={doubled(secret)} dbname=x", ANYTHING),
    "query": (lambda key, secret: f"GET /x?a=1&{key}={quote_plus(secret)}&b=2", ANYTHING),
    "query in a query": (
        lambda key, secret: "next=" + quote(f"/x?a=1&{key}={quote_plus(secret)}&b=2", safe=""),
        ANYTHING,
    ),
    "json in a query": (lambda key, secret: "q=" + quote(json.dumps({key: secret})), ANYTHING),
    "ado.net": (lambda key, secret: f"Server=db;{key}={secret};Database=x", WORD),
    "yaml": (lambda key, secret: f"a: 1\n{key}: {secret}\nb: 2", UNQUOTED),
}  # fmt: skip
# How a secret is written that needs no name.
NAMELESS: dict[str, tuple[Callable[[str], str], st.SearchStrategy[str]]] = {
    "dsn": (
        lambda secret: f"no answer from postgres://bob:{secret}@db.local:5432/shop?x=1",
        st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="\"'`"),
    ),
    "dsn, quoted": (lambda secret: f"no answer from 'amqp://bob:{secret}@mq//'", UNQUOTED),
    "url": (lambda secret: f"https://bob:{quote(secret, safe='')}@db.local/x@y", ANYTHING),
    "dsn, encoded": (
        lambda secret: quote(f"redis://:{quote(secret, safe='')}@cache/0", safe=""),
        ANYTHING,
    ),
    "basic": (lambda secret: f"sent Basic {basic(secret)} to x", ANYTHING),
    "bearer": (lambda secret: f"sent Bearer {secret} to x", st.sampled_from("abXY01._-~+/")),
    "header": (lambda secret: f"Host: x\r\nAuthorization: Token {secret}\r\nX: y", PRINTABLE),
    "cookie": (lambda secret: f"Cookie: a=b; sessionid={secret}; c=d\nX: y", PRINTABLE),
    "curl": (lambda secret: f"curl -H 'X-Api-Key: {secret}' https://x", st.sampled_from("aX1 !#")),
    "command": (lambda secret: f"mysql --password x{secret} -u bob", WORD),
    "arguments": (lambda secret: repr(["mysql", "--password", secret, "-u"]), ANYTHING),
    "insert": (
        lambda secret: f"INSERT INTO t (a, b) VALUES ('a', {sql(secret)}, 5)",  # noqa: S608
        st.characters(exclude_categories=["Cs"], exclude_characters=f"\\{HIDDEN}"),
    ),
    "insert, mysql": (lambda secret: f"INSERT INTO t VALUES ('a', {doubled(secret)}, 5)", ANYTHING),  # noqa: S608
    "update": (
        lambda secret: f"UPDATE t SET a = {sql(secret)} WHERE id = 5",  # noqa: S608
        st.characters(exclude_categories=["Cs"], exclude_characters=f"\\{HIDDEN}"),
    ),
    "key": (lambda secret: f"DETAIL:  Key (a)=({secret}) already exists.", PRINTABLE),
    "row": (lambda secret: f"DETAIL:  Failing row contains (1, {secret}, null).", PRINTABLE),
    "duplicate": (lambda secret: f"(1062, \"Duplicate entry '{secret}' for key 'x'\")", WORD),
    "parameters": (lambda secret: f"[SQL: SELECT 1]\n[parameters: {(1, secret)!r}]", ANYTHING),
    "xml": (lambda secret: f"<a><password>{secret}</password></a>", WORD),
    "mail": (lambda secret: f"no such user: {secret}@example.com", st.sampled_from("aX1._-+")),
}  # fmt: skip

# Text around a secret: its punctuation must not talk a rule out of seeing it.
NOISE = st.text(st.sampled_from("abc xyz.,:;()=/\n{}[]@%&0129\\"), max_size=20)


def secret_of(characters: st.SearchStrategy[str], data: st.DataObject) -> str:
    """Draw a secret with the canary somewhere in it."""
    around = st.text(characters, max_size=8)
    return data.draw(around) + CANARY + data.draw(around)


@pytest.mark.parametrize("notation", NAMED)
@given(data=st.data(), key=st.sampled_from(NAMES), before=NOISE, after=NOISE)
def test_no_named_secret_is_shown(
    notation: str, data: st.DataObject, key: str, before: str, after: str
) -> None:
    """Whatever the secret is made of, no notation that gives it a name lets it through."""
    write, characters = NAMED[notation]
    text = write(key, secret_of(characters, data))

    for whole in (text, f"{before}\n{text}\n{after}"):
        shown = REDACTOR.text(whole)
        assert CANARY not in shown
        assert REDACTOR.text(shown) == shown


@pytest.mark.parametrize("notation", NAMELESS)
@given(data=st.data(), before=NOISE, after=NOISE)
def test_no_secret_with_a_shape_is_shown(
    notation: str, data: st.DataObject, before: str, after: str
) -> None:
    """Whatever the secret is made of, a text that gives it away by its form does not show it."""
    write, characters = NAMELESS[notation]
    text = write(secret_of(characters, data))

    for whole in (text, f"{before}\n{text}\n{after}"):
        shown = REDACTOR.text(whole)
        assert CANARY not in shown
        assert REDACTOR.text(shown) == shown


def with_check_digit(digits: str) -> str:
    """Complete digits to a number that Luhn's test accepts."""
    total = sum(
        int(digit) if place % 2 else sum(map(int, str(2 * int(digit))))
        for place, digit in enumerate(reversed(digits))
    )
    return digits + str(-total % 10)


@given(
    st.text("0123456789", min_size=11, max_size=17).map(lambda some: with_check_digit(f"4{some}")),
    st.sampled_from(["", " ", "-"]),
    st.text("abc 12.,:-", max_size=10),
    st.text("abc .,:-", max_size=10),
)
def test_no_card_number_is_shown(number: str, gap: str, before: str, after: str) -> None:
    """A card number is hidden in one piece and in groups, whatever numbers stand around it."""
    grouped = gap.join(number[start : start + 4] for start in range(0, len(number), 4))

    shown = REDACTOR.text(f"{before} {grouped} {after}")

    assert grouped not in shown
    assert REDACTOR.value(int(number)) == "[redacted]"


LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(), st.datetimes(),
    st.decimals(), st.uuids(), st.complex_numbers(), st.builds(object),
)  # fmt: skip
KEYS = st.one_of(st.text(), st.integers(), st.none(), st.binary(), st.tuples(st.text(), st.text()))
OBJECTS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.tuples(inner, inner),
        st.dictionaries(KEYS, inner, max_size=5),
        st.sets(st.text(), max_size=5),
    ),
    max_leaves=20,
)


@given(OBJECTS)
def test_everything_becomes_json_of_bounded_size(value: object) -> None:
    """No value raises, and each comes out as strict JSON that a second pass leaves as it is."""
    shown = REDACTOR.value(value)

    assert json.loads(json.dumps(shown, allow_nan=False)) == shown
    assert REDACTOR.value(shown) == shown


@given(OBJECTS, st.integers(1, 3), st.integers(1, 3), st.integers(16, 60))
def test_bounds_hold_for_everything(value: object, depth: int, items: int, length: int) -> None:
    """No text is longer, no container larger and none deeper than allowed."""
    redactor = Redactor(max_depth=depth, max_items=items, max_length=length, mask="***")

    def check(shown: JsonValue, level: int) -> None:
        if isinstance(shown, str):
            assert len(shown) <= max(length, 60)
        if isinstance(shown, (list, dict)):
            assert level < depth
            assert len(shown) <= items + 1
            for item in shown.values() if isinstance(shown, dict) else shown:
                check(item, level + 1)

    check(redactor.value(value), 0)


@given(
    st.lists(
        st.sampled_from(["list", "tuple", "dict", "json", "repr", "key", "pair", "set"]), max_size=6
    ),
    st.sampled_from(["by name", "token", "card", "dsn", "query"]),
)
def test_secret_at_any_depth_is_hidden(path: list[str], kind: str) -> None:
    """However containers and encodings are nested, the secret within is not in the result."""
    secret = {
        "by name": CANARY,
        "token": f"ghp_{CANARY}0123456789abcdefgh",
        "card": "4111111111111111",
        "dsn": f"amqp://bob:{CANARY}@mq//",
        "query": f"/x?token={CANARY}&n=1",
    }[kind]
    value: object = {"password": secret} if kind == "by name" else secret
    wrap: dict[str, Callable[[object], object]] = {
        "list": lambda inner: [1, inner],
        "tuple": lambda inner: ("a", inner, 3),
        "dict": lambda inner: {"a": inner, "b": 2},
        "json": json.dumps,
        "repr": repr,
        "key": lambda inner: {inner if isinstance(inner, str) else repr(inner): 1},
        "pair": lambda inner: [("n", inner)],
        "set": lambda inner: frozenset({inner if isinstance(inner, str) else repr(inner)}),
    }
    for step in path:
        try:
            value = wrap[step](value)
        except TypeError:  # a set is no JSON
            value = wrap["repr"](value)

    shown = json.dumps(REDACTOR.value(value))

    assert CANARY not in shown
    assert "4111111111111111" not in shown


@given(
    st.integers(0, 5000),
    st.sampled_from(
        [
            "password={}", "password='{} {}'", '{{"token": "{}"}}', "amqp://bob:{}@mq", "Bearer {}",
            "ghp_{}0123456789abcdef", "VALUES ('a', '{}')", "Key (a)=({}) already exists.",
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----", "{}@example.com",
        ]
    ),
    st.integers(16, 300),
)  # fmt: skip
def test_cut_leaves_no_start_of_a_secret(offset: int, notation: str, length: int) -> None:
    """Wherever a text is cut or its window ends, a secret is seen before that."""
    redactor = Redactor(max_length=length)
    text = "lorem " * (offset // 6) + notation.format(CANARY * 3, CANARY) + " ipsum" * 1000

    shown = redactor.text(text)

    assert CANARY[:6] not in shown
    assert len(shown) <= length
    assert redactor.text(shown) == shown


PIECES = st.sampled_from([
    "password", "token", "api key", "Authorization", "Cookie", "key", "pin", "=", ":", ": ", " = ",
    "'", '"', "\\", "\\'", '\\"', "[", "]", "{", "}", "(", ")", "<", ">", "</", "&", ";", ", ", " ",
    "\n", "@", "://", "http", "a", "b.c", "hunter2", "4111111111111111", "4111 1111 1111 1111",
    "GB29NWBK60161331926819", "GB29 NWBK ", "ghp_0123456789abcdefABCD", "sk-", "%40", "%3D", "%22",
    "eyJhbGciOiJIUzI1NiJ9.abc.def", "%25", "Bearer ", "Basic dXNlcjpwYXNz", "INSERT INTO ", "$",
    "VALUES (", "LINE 1: ", "SELECT ", " FROM ", "where x = ", "Key (a)=(", "[parameters: ", "$$",
    "Failing row contains (", "-", "--", "-----BEGIN PRIVATE KEY-----", "None", "str", "this", "é",
    "\U0001f600", "[redacted]", "***", "…", "…[cut 5 characters]", HIDDEN, "&quot;", "12", "0.",
    "=>", "b'", "u:p@h", "`", 'COPY a: "', "hooks.slack.com/services/", "/api/webhooks/",
    "xoxb-1234567890", "AKIAIOSFODNN7EXAMPLE", "hvs.aaaaaaaaaaaaaaaaaaaaaaa", "1//0aaaaaaaaaaaaaaaa",
])  # fmt: skip
PUZZLES = st.lists(PIECES, max_size=14).map("".join)


@given(st.one_of(PUZZLES, st.text()))
def test_second_pass_changes_nothing(text: str) -> None:
    """What was redacted is left as it is, so that it does not matter how often somebody does it."""
    for redactor in (REDACTOR, Redactor(max_length=60), Redactor(mask="***", max_length=200)):
        shown = redactor.text(text)
        assert len(shown) <= redactor.max_length
        assert redactor.text(shown) == shown


@given(PUZZLES.filter(lambda text: HIDDEN not in text))
def test_quick_look_overlooks_nothing(text: str) -> None:
    """What the quick look lets pass has nothing that the rules would hide."""
    assert REDACTOR._suspicious(text) or REDACTOR._without_secrets(text) == text


@given(st.text(st.sampled_from("abc xyz.,;!?()\n-_/0123")))
def test_text_that_names_nothing_is_unchanged(text: str) -> None:
    """Without a sensitive name, a secret's shape or many digits, a text is what it was."""
    if not any(character.isdigit() for character in text) or len(text) < 13:
        assert REDACTOR.text(text) == text
