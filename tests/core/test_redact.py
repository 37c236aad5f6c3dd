"""Redaction: which names and which texts hide what, and what a value is turned into."""

import dataclasses
import json
import subprocess
import sys
from collections import OrderedDict, UserList, deque
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import NamedTuple
from uuid import UUID

import pytest
from hypothesis import given, strategies

from holdfast.redact import JsonValue, Redactor
from holdfast.redact.database import DATABASE_ROOTS
from holdfast.redact.fields import hide_fields
from holdfast.redact.keys import FRAGMENTS, KEY_ROOTS, WORDS
from holdfast.redact.spans import HIDDEN, one_of

REDACTOR = Redactor()

SENSITIVE = """
password Password PASSWORD user_password userPassword new-password password2 passwordHash DB_PASSWORD
PGPASSWORD passwd pwd passphrase db_pass smtp.pass pass secret client_secret SECRET_KEY secrets token
tokens access_token accessToken X-Auth-Token csrfmiddlewaretoken csrf XSRF-TOKEN refresh_tokens
api_key apiKey API-KEY apikey x-api-key APIKey authorization Proxy-Authorization auth_header
auth basic_auth http-auth cookie Set-Cookie cookies session_id sessionid JSESSIONID PHPSESSID
session_key credential credentials aws_access_key_id AWS_SECRET_ACCESS_KEY private_key privateKey
signing_key encryption-key signature X-Amz-Signature card_number cardNumber card_no credit_card
pan cvv CVV2 cvc card_cvc ssn userSSN iban IBAN dsn sentry_dsn connection_string pin card_pin
otp totp jwt sig 2fa_secret mot_de_passe token_id secret_id password_hint license_key account_number
"""
HARMLESS = """
author authority authored_by authenticated auth_method auth_user passenger compass passed bypass
token_count tokenCount max_tokens maxTokens total_tokens prompt_tokens completion_tokens tokenizer
tokenized_text token_type token_class token_expires_at token_ttl token_uri has_password is_token
password_length password_changed_at password_policy AUTH_PASSWORD_VALIDATORS cookie_consent
cookieConsent cookie_name SESSION_COOKIE_AGE CSRF_COOKIE_DOMAIN secret_name private_key_path
secretary secretariat passwordless class_name company company_id span_id expand inside shipping
pinned spinner options hotpath public_key primary_key foreign_key idempotency_key cache_key key keys
email username user_id host port design assignee signal session cardinality card_brand card_last4
discard invoice records_number business_name TokenExpiredError
name id url status message order code
"""


@pytest.mark.parametrize("key", SENSITIVE.split())
def test_names_of_secrets_are_sensitive(key: str) -> None:
    """A name that holds one of the words for secrets is sensitive, however it is written."""
    assert REDACTOR.is_sensitive(key)
    assert REDACTOR.value("hunter2", key) == "[redacted]"


@pytest.mark.parametrize("key", HARMLESS.split())
def test_names_that_only_resemble_secrets_are_not(key: str) -> None:
    """A name that holds such a word by chance, or says something about a secret, hides nothing."""
    assert not REDACTOR.is_sensitive(key)
    assert REDACTOR.value("blue", key) == "blue"


def test_keys_of_ones_own_add_to_the_built_in_ones() -> None:
    """Further names are found anywhere in a key, and in text, whatever separates their words."""
    redactor = Redactor(keys=["badge no", "Salary"])

    assert redactor.mapping({"BadgeNo": 1, "net_salary_2024": 2, "password": 3, "age": 4}) == {
        "BadgeNo": "[redacted]",
        "net_salary_2024": "[redacted]",
        "password": "[redacted]",
        "age": 4,
    }
    assert redactor.text("badge_no=77, age=4") == "badge_no=[redacted], age=4"
    assert redactor.text("age=4") == "age=4"


def test_allowed_keys_are_shown_but_still_searched() -> None:
    """An allowed name hides nothing by itself, in no notation; a secret's shape still does."""
    redactor = Redactor(allowed_keys=["page-token"])

    assert redactor.mapping({"pageToken": "abc", "other_page_token": "abc"}) == {
        "pageToken": "abc",
        "other_page_token": "[redacted]",
    }
    assert redactor.text("page_token=abc") == "page_token=abc"
    assert redactor.value("ghp_0123456789abcdefghij", "page_token") == "[redacted]"


def test_key_that_is_long_or_new_costs_no_memory() -> None:
    """What is remembered of keys is bounded in number and length, for callers choose them."""
    redactor = Redactor()

    for number in range(5000):
        redactor.is_sensitive(f"key_{number}")
    redactor.mapping({"x" * 10_000: 1})

    assert len(redactor._sensitive._cache) <= 1024
    assert max(map(len, redactor._sensitive._cache)) <= 64


@pytest.mark.parametrize("name", [*FRAGMENTS, *sorted(WORDS)])
def test_every_name_has_a_root(name: str) -> None:
    """The quick look at a text never overlooks a built-in name, whichever way its words are joined."""
    assert any(root in word for root in KEY_ROOTS for word in name.split())


TEXTS = {
    "libpq": ("host=db password=hunter2 user=bob", "host=db password=[redacted] user=bob"),
    "libpq, quoted": (r"password='hun ter\'2' host=db", "password='[redacted]' host=db"),
    "spaces around =": ("token = hunter2", "token = [redacted]"),
    "code": ("if password == 'hunter2':", "if password == '[redacted]':"),
    "annotation": ("password: str = 'hunter2'", "password: str = '[redacted]'"),
    "argument": ("User(name='x', password='hunter2')", "User(name='x', password='[redacted]')"),
    "punctuation": ("(password=abc).", "(password=[redacted])."),
    "list": ("passwords=['a', 'b]'], n=1", "passwords=[redacted], n=1"),
    "list of unclear quotes": (r"{'tokens': ['} a\\', {'x': 'b'}], 'n': 1}", "{'tokens': [redacted]"),
    "list that was cut": ("passwords=['a', 'b", "passwords=[redacted]"),
    "object": ("token=<Token hunter2>, n=1", "token=[redacted], n=1"),
    "quote that was cut": ('{"password": "hunter2, "', '{"password": "[redacted]"'),
    "quote not escaped": ('password="hun"ter2" n=1', 'password="[redacted]" n=1'),
    "quote doubled": ("password = 'hun''ter2', n=1", "password = '[redacted]', n=1"),
    "json": ('{"password": "hun\\"ter2", "n": 1}', '{"password": "[redacted]", "n": 1}'),
    "json, number": ('{"pin":1234,"n":1}', '{"pin":[redacted],"n":1}'),
    "json, object": ('{"token": {"a": "b"}, "n": 1}', '{"token": [redacted], "n": 1}'),
    "json in json, cut": (
        r'{"a": "{\"token\": \"abc", "n": 1}',
        r'{"a": "{\"token\": \"[redacted]", "n": 1}',
    ),
    "json in json": (r'{\"token\": \"a\\\"b\", \"n\": 1}', r'{\"token\": \"[redacted]\", \"n\": 1}'),
    "repr": ("{'password': b'hunter2', 'n': 1}", "{'password': b'[redacted]', 'n': 1}"),
    "html": ("&quot;token&quot;: &quot;abc&quot;,", "&quot;token&quot;: &quot;[redacted]&quot;,"),
    "html, cut": ("&quot;token&quot;: &quot;abc", "&quot;token&quot;: &quot;[redacted]"),
    "query": ("GET /cb?token=abc&n=1", "GET /cb?token=[redacted]&n=1"),
    "form": ("user[password]=abc&n=1", "user[password]=[redacted]&n=1"),
    "encoded": ("next=%2Fcb%3Ftoken%3Dabc", "next=/cb?token=[redacted]"),
    "encoded twice": ("next=%252Fcb%253Ftoken%253Dabc", "next=/cb?token=[redacted]"),
    "ado.net": ("Server=db;Password=abc;Database=x", "Server=db;Password=[redacted];Database=x"),
    "yaml": ("token: abc\nn: 1", "token: [redacted]\nn: 1"),
    "xml": ("<x:password>abc</x:password>", "<x:password>[redacted]</x:password>"),
    "xml, harmless": ("<pin>abc</pin><name>bob</name>", "<pin>[redacted]</pin><name>bob</name>"),
    "xml, attribute": ('<a b="1"><token c="d">abc', '<a b="1"><token c="d">abc'),
    "xml, cut": ("</a><token c='d'>abc", "</a><token c='d'>[redacted]"),
    "two words": ("api key: abc", "api key: [redacted]"),
    "two words, no name": ("the primary key: abc", "the primary key: abc"),
    "three words": ("mot de passe : abc", "mot de passe : [redacted]"),  # codespell:ignore mot
    "quoted after a name": ("invalid token 'abc' given", "invalid token '[redacted]' given"),
    "option": ("mysql --password abc -u bob", "mysql --password [redacted] -u bob"),
    "option=": ("mysql --password=abc -u bob", "mysql --password=[redacted] -u bob"),
    "arguments": ("['mysql', '--password', 'abc']", "['mysql', '--password', '[redacted]']"),
    "pair": ("[(b'cookie', b'a=b')]", "[(b'cookie', b'[redacted]')]"),
    "header": ("Authorization: Bearer a.b-c\nX: y", "Authorization: [redacted]\nX: y"),
    "header, Digest": ('Authorization: Digest a="b", c="d"', 'Authorization: [redacted]"'),
    "header in quotes": ("curl -H 'X-Api-Key: a b' x", "curl -H 'X-Api-Key: [redacted]' x"),
    "header, escaped": (r"\"X-Api-Key: a b\" x", r"\"X-Api-Key: [redacted]\" x"),
    "scheme": ("authorization=Bearer abc n=1", "authorization=[redacted] n=1"),
    "scheme alone": ("authorization=Bearer ", "authorization=[redacted] "),
    "cookie": ("Set-Cookie: a=b; Path=/", "Set-Cookie: [redacted]"),
    "bearer": ("sent Bearer abcdef to x", "sent Bearer [redacted] to x"),
    "basic": ("sent Basic dXNlcjpwYXNz to x", "sent Basic [redacted] to x"),
    "basic, not padded": ("Basic dXNlcjpwYXNzMQ", "Basic [redacted]"),
    "basic, encoded": ("h=Basic%20dXNlcjpwYXNz", "h=Basic%20[redacted]"),
    "basic, cut": ("Basic dXNlcjpwYXNzdw9", "Basic [redacted]"),
    "token scheme": ("Token 9944b09199c62bcf9418ad84", "Token [redacted]"),
    "jwt": ("got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-_d!", "got [redacted]!"),
    "github": ("ghp_0123456789abcdefABCDEFghijklmnopqrst", "[redacted]"),
    "github, fine": ("x=github_pat_11ABCDEFG0_abcdefghijkl", "x=[redacted]"),
    "gitlab": ("glpat-abcDEF123-_abcDEF123", "[redacted]"),
    "slack": ("xoxb-123456789012-abcdefGHIJ", "[redacted]"),
    "slack hook": ("hooks.slack.com/services/T0/B0/XyZ", "hooks.slack.com/[redacted]"),
    "discord hook": ("x/api/webhooks/12345678/aB-cDeFgH", "x/api/webhooks/[redacted]"),
    "stripe": ("sk_live_abcdefgh12345678", "[redacted]"),
    "openai": ("sk-proj-abcDEF123_abcDEF123", "[redacted]"),
    "aws": ("AKIAIOSFODNN7EXAMPLE", "[redacted]"),
    "google": ("AIzaSyA-abcdefghijklmnopqrstuvwxyz01234", "[redacted]"),
    "google oauth": ("ya29.a0AfH6SMBabcdefghij", "[redacted]"),
    "hugging face": ("hf_abcdefghijklmnopqrstuvwxyzABCDEFGH", "[redacted]"),
    "npm": ("npm_abcdefghijklmnopqrstuvwxyz0123456789", "[redacted]"),
    "pypi": ("pypi-AgEIcHlwaS5vcmcCJDAwMDAwMDAw", "[redacted]"),
    "sendgrid": ("SG.abcdefghijklmnopqrstuv.abcdefghijklmnop", "[redacted]"),
    "vault": ("hvs.CAESIAbcdefghijklmnop", "[redacted]"),
    "telegram": ("bot 12345678:AAabcdefghijklmnopqrstuvwxyz0123456", "bot [redacted]"),
    "bcrypt": ("$2b$12$abcdefghijklmnopqrstuvABCDEFGHIJKLMNOPQRSTUVWXYZ01234", "[redacted]"),
    "django hash": ("pbkdf2_sha256$600000$salt$aGFzaGhhc2hoYXNo", "[redacted]"),
    "argon2": ("$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA", "[redacted]"),
    "key block": (
        "a -----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- b",
        "a [redacted] b",
    ),
    "key block, cut": ("a -----BEGIN PRIVATE KEY-----\\nMIIE", "a [redacted]"),
    "dsn": ("postgres://bob:hunter2@db:5432/x", "postgres://bob:[redacted]@db:5432/x"),
    "dsn, @ / :": ("amqp://bob:h@nt/er:2@mq// x", "amqp://bob:[redacted]@mq// x"),
    "dsn, encoded": ("redis://:h%40nter2@cache/0", "redis://:[redacted]@cache/0"),
    "dsn, all encoded": ("redis%3A%2F%2Fa%3Ab%40c", "redis://a:[redacted]@c"),
    "dsn in quotes": ('"amqp://a:b@c","x@y"', '"amqp://a:[redacted]@c","x@y"'),
    "url": ("https://bob:hunter2@x/a@b.co", "https://bob:[redacted]@x/[redacted]@b.co"),
    "url, odd": ("https://bob:hun/ter2@x/y", "https://bob:[redacted]@x/y"),
    "url, token": ("https://abcdef@x.io/42", "https://[redacted]@x.io/42"),
    "url, inner": ("https://x/?to=https://a:b@c", "https://x/?to=https://a:[redacted]@c"),
    "no scheme": ("guest:guest@localhost", "guest:[redacted]@localhost"),
    "mail": ("to bob.o'brien+x@example.co.uk.", "to [redacted]@example.co.uk."),
    "mail in repr": ("['bob@x.com']", "['[redacted]@x.com']"),
    "mail, encoded": ("/u/bob%40x.com/", "/u/[redacted]@x.com/"),
    "card": ("card 4111 1111 1111 1111.", "card [redacted]."),
    "card, dashes": ("4111-1111-1111-1111", "[redacted]"),
    "card, compact": ("card=4222222222222;", "card=[redacted];"),
    "card, amex": ("3782 822463 10005", "[redacted]"),
    "card after a number": ("order 12 4111-1111-1111-1111", "order 12 [redacted]"),
    "card after a group": ("1234 4111 1111 1111 1111 9", "1234 [redacted] 9"),
    "iban": ("IBAN GB29 NWBK 6016 1331 9268 19 FAILED", "IBAN [redacted] FAILED"),
    "iban after a card": ("4111111111111111GB29NWBK60161331926819", "[redacted][redacted]"),
    "iban, compact": ("de89370400440532013000", "[redacted]"),
    "insert": (
        "INSERT INTO users (email, password) VALUES ('a@b.c', 's3cret', 123456789, 5)",
        "INSERT INTO users (email, password) VALUES ('[redacted]', '[redacted]', [redacted], 5)",
    ),
    "insert, mysql": (
        'insert into "t" ("a") values ("s3cret", "x", $q$dollar$q$)',
        'insert into "t" ("a") values ("[redacted]", "[redacted]", [redacted])',
    ),
    "insert, escaped": (r"VALUES ('a\', 's3cret')", "VALUES ('[redacted]')"),
    "insert, in repr": (r"X('VALUES (\'a\', \'b\')')", r"X('VALUES (\'[redacted]')"),
    "insert, cut": (r"VALUES (\'s3cret", r"VALUES (\'[redacted]"),
    "update": (
        """UPDATE "t" SET a = 'it''s', b = '', c = "x" WHERE id = 5""",
        """UPDATE "t" SET a = '[redacted]', b = '', c = "[redacted]" WHERE id = 5""",
    ),
    "select": ("SELECT * FROM t WHERE a = 's3cret", "SELECT * FROM t WHERE a = '[redacted]"),
    "line": ("oops\nLINE 1: ...O t ('s3cret')", "oops\nLINE 1: ...O t ('[redacted]')"),
    "parameters": ("[SQL: SELECT 1]\n[parameters: ('a', 5)]", "[SQL: SELECT 1]\n[parameters: [redacted]]"),
    "parameters, none": ("[parameters: )", "[parameters: )"),
    "key": (
        "DETAIL:  Key (email, x)=(a@b.c, (1)) already exists.",
        "DETAIL:  Key (email, x)=([redacted]) already exists.",
    ),
    "key, otherwise": ("Schlüssel »(a)=(s3cret)« gibt es", "Schlüssel »(a)=([redacted])« gibt es"),
    "key, cut": ("Key (a)=(s3cret\nx", "Key (a)=([redacted]\nx"),
    "row": (
        "DETAIL:  Failing row contains (1, a)b, 2\n3, null).\nSTATEMENT: x",
        "DETAIL:  Failing row contains ([redacted]).\nSTATEMENT: x",
    ),
    "duplicate": (
        "(1062, \"Duplicate entry 's3cret-5' for key 'a.b'\")",
        "(1062, \"Duplicate entry '[redacted]' for key 'a.b'\")",
    ),
    "copy": ('COPY t, line 1, column a: "s3cret"', 'COPY t, line 1, column a: "[redacted]'),
    "mongo": ('dup key: { email: "s3cret" }', "dup key: {[redacted]}"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), TEXTS.values(), ids=TEXTS)
def test_secrets_in_text_are_hidden(text: str, expected: str) -> None:
    """A secret is hidden wherever a name or its shape gives it away, and what is around it stays."""
    assert REDACTOR.text(text) == expected
    assert REDACTOR.text(expected) == expected


UNCHANGED = [
    "",
    "Collection 999 not found",
    "connection to server at db (10.0.0.5), port 5432 failed: timeout",
    "'NoneType' object has no attribute 'quantity'",
    "password: This field is required.",
    "password: ce champ est obligatoire",
    "token: expired",
    "Invalid token: expired",
    "InvalidToken: signature has a bad length",
    "TokenExpiredError: 5 minutes ago",
    "unexpected keyword argument 'password'",
    "KeyError: 'password'",
    "password=None, token=null, secret='', pin=True",
    "UPDATE t SET password = %s WHERE token = %(token)s AND pin = $1 AND cvv = ?",
    "token_count=5, max_tokens=512, author=bob",
    "Basic authentication failed, Bearer token missing, Bearer realm=x",
    'near "token": syntax error',
    "http://auth:8000/health and http://localhost:8000/users/@bob",
    "https://x/?to=y@z and ssh://git@host/x and s3://bucket/key@v1",
    "tests/test_token.py:42: in x; secrets.json: no such file",
    "tests/test_token.py::test_x",
    "order 1234567812345678 at 1700000000004 or 1700000000000001 took 0.4111111111111111",
    "550e8400-e29b-41d4-a716-446655440000, 2024-01-15 10:30:00, 2024-01-15 2024-01-16",
    "pkg@1.2.3, root@10.0.0.5, HEAD@{1}, 100%, a@b, @property",
    "keyJSONDecoder, task-1234567890, sk-learn-is-a-library, npm_config_registry",
    "GB29 NWBK 6016 1331 9268 18, XX12345678901234567, DE89 3704",
    "4111 1111 1111 1112",
    "select a valid choice, where x",
    "SELECT 1",
    'INSERT INTO "t" ("a", "b") VALUES (%s, %s)',
    "-----BEGIN CERTIFICATE-----",
    "Basic abcde, basic a",
    "the 'password' 'x' and tests/secrets.json: gone",
    "q=" + "%2525253D",
    "key: x",
    "use --token to log in, or --password --verbose",
    "('name', 'bob'), <Order 5>, </a>, <name>abc</name>",
    "scheme:// and user:@host and ://@",
]


@pytest.mark.parametrize("text", UNCHANGED)
def test_text_without_secrets_is_unchanged(text: str) -> None:
    """What explains an error stays readable: the name of a field is no secret, nor is a complaint."""
    assert REDACTOR.text(text) == text


def test_character_that_stands_for_the_mask_within_is_no_way_around_it() -> None:
    """The reserved character that the rules work with is replaced where a text brings it along."""
    assert REDACTOR.text(f"token={HIDDEN}abc") == "token=[redacted]"
    assert REDACTOR.text(f"{HIDDEN} token=abc") == "\ufffd token=[redacted]"


def test_patterns_of_ones_own_are_hidden() -> None:
    """What a pattern matches is hidden as a whole, in text, in numbers and where it is encoded."""
    redactor = Redactor(patterns=[r"\bEMP-\d+\b", r"x*", r"\b\d{9}\b"])

    assert redactor.text("by EMP-12 today") == "by [redacted] today"
    assert redactor.text("by%20EMP-12%20today") == "by [redacted] today"
    assert redactor.value([123456789, 12345, 123456789.0]) == ["[redacted]", 12345, "[redacted]"]


def test_mask_of_ones_own_is_used_everywhere() -> None:
    """The mask stands in the place of every secret, and is not taken for one the next time."""
    for mask in ("***", "<hidden by policy>", "redacted", "#"):
        redactor = Redactor(mask=mask)
        shown = redactor.text("password='a b', x@y.com token=abc; n=1")

        assert shown == f"password='{mask}', {mask}@y.com token={mask}; n=1"
        assert redactor.text(shown) == shown
        assert redactor.mapping({"password": "x"}) == {"password": mask}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: Redactor(patterns=["("]), r"'\('"),
        (lambda: Redactor(patterns=[b"x"]), "b'x'"),  # type: ignore[list-item]  # the mistake
        (lambda: Redactor(patterns="x+"), r"\['x\+'\]"),
        (lambda: Redactor(keys="secret"), r"\['secret'\]"),
        (lambda: Redactor(keys=["_-"]), "'_-'"),
        (lambda: Redactor(allowed_keys=[""]), "allowed_keys"),
        (lambda: Redactor(mask=""), "mask"),
        (lambda: Redactor(mask="a\nb"), r"mask .* not 'a\\nb'"),
        (lambda: Redactor(max_depth=0), "max_depth"),
        (lambda: Redactor(max_items=0), "max_items"),
        (lambda: Redactor(max_length=-1), "max_length"),
    ],
)
def test_impossible_options_are_refused_by_name(
    wrong: Callable[[], Redactor], message: str
) -> None:
    """A mistake in the options is told when the redactor is made, and says which it is."""
    with pytest.raises(ValueError, match=message):
        wrong()


def test_redactor_is_frozen_and_its_own_key() -> None:
    """A redactor cannot be changed, and is equal to itself only."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        REDACTOR.mask = "x"  # type: ignore[misc]  # this is what must not work
    assert len({REDACTOR, Redactor()}) == 2
    assert repr(Redactor(keys=["a"])).startswith("Redactor(keys=frozenset({'a'}), ")


class Colour(Enum):
    """An enumeration with values of any type."""

    RED = object()


class Level(IntEnum):
    """An enumeration of numbers."""

    HIGH = 3


class Word(StrEnum):
    """An enumeration of texts."""

    SMALL = "small"


class Text(str):
    """A text with ideas of its own."""

    __slots__ = ()

    def __str__(self) -> str:
        return "not this"


class Stranger:
    """An object that cannot even show itself."""

    def __repr__(self) -> str:
        raise RuntimeError("password=hunter2")


class Nameless(type):
    """A class that has no name to tell."""

    def __getattribute__(cls, name: str) -> object:
        if name == "__qualname__":
            raise RuntimeError("no name")
        return super().__getattribute__(name)


class Odd(metaclass=Nameless):
    """Made by a class that raises."""


class Raising(list[object]):
    """A list that cannot be read."""

    def __iter__(self) -> Iterator[object]:
        raise RuntimeError("no items")


class RaisingMapping(dict[str, object]):
    """A mapping that cannot be read."""

    def __len__(self) -> int:
        raise RuntimeError("no length")


@dataclasses.dataclass
class Account:
    """A record with a secret by name and one that its author keeps from its repr."""

    user: str
    password: str
    notes: str = dataclasses.field(default="", repr=False)


class Point(NamedTuple):
    """A tuple whose items have names."""

    x: int
    token: int


HERE = __name__

VALUES: dict[str, tuple[object, JsonValue]] = {
    "none": (None, None),
    "bool": (True, True),
    "int": (5, 5),
    "card as int": (4111111111111111, "[redacted]"),
    "time as int": (1700000000004, 1700000000004),
    "card as float": (4111111111111111.0, "[redacted]"),
    "number too long": (-(10**5000), "<integer of 16610 bits>"),
    "float": (0.5, 0.5),
    "whole float": (2.0, 2.0),
    "nan": (float("nan"), "nan"),
    "infinity": (float("-inf"), "-inf"),
    "text": ("token=abc", "token=[redacted]"),
    "text of its own": (Text("blue"), "blue"),
    "bytes": (b"password=hunter2", "<16 bytes>"),
    "bytearray": (bytearray(3), "<3 bytes>"),
    "memoryview": (memoryview(b"abcd"), "<4 bytes>"),
    "datetime": (datetime(2024, 1, 15, 10, 30, tzinfo=UTC), "2024-01-15T10:30:00+00:00"),
    "date": (date(2024, 1, 15), "2024-01-15"),
    "time": (time(10, 30), "10:30:00"),
    "timedelta": (timedelta(seconds=90), "0:01:30"),
    "decimal": (Decimal("1.50"), "1.50"),
    "card as decimal": (Decimal(4111111111111111), "[redacted]"),
    "uuid": (UUID(int=5), "00000000-0000-0000-0000-000000000005"),
    "enum": (Colour.RED, "RED"),
    "enum of numbers": (Level.HIGH, "HIGH"),
    "enum of texts": (Word.SMALL, "small"),
    "list": ([1, "a", None], [1, "a", None]),
    "tuple": ((1, 2), [1, 2]),
    "set": ({"b", "a", "c"}, ["a", "b", "c"]),
    "range": (range(3), [0, 1, 2]),
    "deque": (deque([1]), [1]),
    "sequence": (UserList([1]), [1]),
    "keys": ({"a": 1}.keys(), ["a"]),
    "mapping": (OrderedDict(a=1), {"a": 1}),
    "dataclass": (
        Account("bob", "hunter2", "x"),
        {"user": "bob", "password": "[redacted]", "notes": "[redacted]"},
    ),
    "dataclass, empty": (Account("", ""), {"user": "", "password": "", "notes": ""}),
    "dataclass itself": (Account, f"<{HERE}.Account>"),
    "namedtuple": (Point(1, 2), {"x": 1, "token": "[redacted]"}),
    "class": (int, "<builtins.int>"),
    "object": (Stranger(), f"<{HERE}.Stranger>"),
    "object without a name": (Odd(), "<object>"),
    "iterator": (iter([1]), "<builtins.list_iterator>"),
    "exception": (ValueError("password=hunter2"), "<builtins.ValueError>"),
    "list that raises": (Raising([1]), f"<{HERE}.Raising>"),
    "mapping that raises": (RaisingMapping(a=1), f"<{HERE}.RaisingMapping>"),
    "secret key": ({"token": "abc", "n": 1}, {"token": "[redacted]", "n": 1}),
    "secret object": ({"token": {"a": 1}}, {"token": "[redacted]"}),
    "no secret": ({"token": None, "secret": "", "pin": False}, {"token": None, "secret": "", "pin": False}),
    "secret number": ({"pin": 0}, {"pin": "[redacted]"}),
    "key of bytes": ({b"cookie": "a=b"}, {"cookie": "[redacted]"}),
    "key of an enum": ({Word.SMALL: 1, Level.HIGH: 2}, {"small": 1, "HIGH": 2}),
    "key of its own": ({Text("token"): 1}, {"token": "[redacted]"}),
    "key of parts": ({("token", 1): 2, (): 3}, {"token.1": "[redacted]", "": 3}),
    "other keys": ({None: 1, 2: 3, 0.5: 4, True: 5}, {"None": 1, "2": 3, "0.5": 4, "True": 5}),
    "keys that are alike": ({1: "a", "1": "b"}, {"1": "a", "1#1": "b"}),
    "key that is a secret": ({"bob@example.com": 1}, {"[redacted]@example.com": 1}),
    "key that is long": ({"k" * 300: 1}, {"k" * 256 + "…[cut]": 1}),
    "key that is an object": ({Stranger: 1, frozenset({"a"}): 2}, {f"<{HERE}.Stranger>": 1, "<builtins.frozenset>": 2}),
    "pairs": ([("token", "abc"), ("n", "1"), (b"cookie", b"x")], [["token", "[redacted]"], ["n", "1"], ["cookie", "[redacted]"]]),
    "items": ([("token", 1, 2)], [["token", 1, 2]]),
    "arguments": (["mysql", "--password", "abc", "-u"], ["mysql", "--password", "[redacted]", "-u"]),
    "options": (["--token", "-v", "--token=abc", "x"], ["--token", "-v", "--token=[redacted]", "x"]),
    "variables": (
        [{"name": "DB_PASSWORD", "value": "abc"}, {"name": "HOME", "value": "/x"}, {"value": 1}],
        [{"name": "DB_PASSWORD", "value": "[redacted]"}, {"name": "HOME", "value": "/x"}, {"value": 1}],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("value", "expected"), VALUES.values(), ids=VALUES)
def test_values_become_json(value: object, expected: JsonValue) -> None:
    """Everything has a form in JSON, and only what is known to be harmless shows what it holds."""
    shown = REDACTOR.value(value)

    assert shown == expected
    assert type(shown) is type(expected)
    assert json.loads(json.dumps(shown)) == shown


def test_complaints_about_a_sensitive_field_are_shown() -> None:
    """What a validator says is for the caller; what it quotes, or is no sentence, is not."""
    shown = REDACTOR.mapping(
        {
            "field_errors": {
                "password": [
                    "This field can't be blank.",
                    "'hunter2' is \"hunter2\" too",
                    "hunter2",
                ],
                "token": "is missing",
                "user": {"pin": ["too short"], "secret": {"message": "too short"}, "cvv": None},
                "email": ["bob@x.com is taken"],
            }
        }
    )

    assert shown == {
        "field_errors": {
            "password": [
                "This field can't be blank.",
                "[redacted] is [redacted] too",
                "[redacted]",
            ],
            "token": "is missing",
            "user": {"pin": ["too short"], "secret": "[redacted]", "cvv": None},
            "email": ["[redacted]@x.com is taken"],
        }
    }


def test_cycles_end() -> None:
    """A value that holds itself is opened once, and one that is there twice both times."""
    shared = [1]
    loop: list[object] = [shared, shared]
    loop.append({"again": loop})

    assert REDACTOR.value(loop) == [[1], [1], {"again": "…[cycle]"}]


def test_depth_is_bounded() -> None:
    """Below the last level a container shows its type."""
    assert Redactor(max_depth=2).value([[[1]], {"a": [2]}]) == [
        ["<builtins.list>"],
        {"a": "<builtins.list>"},
    ]
    assert Redactor(max_depth=1).value({"field_errors": {"pin": [["a b"]]}}) == {
        "field_errors": "<builtins.dict>"
    }


def test_containers_are_bounded_and_say_so() -> None:
    """Of a long container the first items are kept, and the number of the others."""
    redactor = Redactor(max_items=2)

    assert redactor.value([1, 2, 3, 4]) == [1, 2, "…[cut 2 items]"]
    assert redactor.mapping({"a": 1, "b": 2, "c": 3}) == {"a": 1, "b": 2, "…": "[cut 1 items]"}
    assert redactor.value(range(10**12)) == [0, 1, f"…[cut {10**12 - 2} items]"]


def test_whole_values_are_bounded() -> None:
    """A few nested lists cannot become a million items, nor many texts a gigabyte."""
    wide: object = 0
    for _ in range(6):
        wide = [wide] * 50
    texts = ["x" * 8000] * 90

    assert len(json.dumps(REDACTOR.value(wide))) < 60_000
    assert len(json.dumps(REDACTOR.value({"a": texts, "b": texts}))) < 9 * 8192 + 5000


def test_mapping_that_cannot_be_read_is_still_a_mapping() -> None:
    """The fields of an error stay a dictionary, whatever they were."""
    assert REDACTOR.mapping(RaisingMapping(a=1)) == {"…": f"<{HERE}.RaisingMapping>"}


def test_long_text_is_cut_and_says_so() -> None:
    """Text beyond the longest kept is cut, and the mark says how much is missing."""
    shown = Redactor(max_length=100).text("x" * 1000)

    assert shown == "x" * 78 + "…[cut 922 characters]"
    assert Redactor(max_length=16).text("y" * 1000) == "y" * 15 + "…"


def test_long_text_that_is_short_without_its_secrets_is_not_cut() -> None:
    """What counts is what would be shown."""
    assert Redactor(max_length=100).text(f"token={'x' * 1000} n=1") == "token=[redacted] n=1"


def test_text_that_grows_by_its_masks_is_cut() -> None:
    """A mask longer than the secret does not make a text longer than the longest."""
    redactor = Redactor(max_length=64)
    shown = redactor.text("pin=1 " * 10)

    assert shown == "pin=[redacted] pin=[redacted] pin=…[cut 116 characters]"
    assert redactor.text(shown) == shown
    assert redactor.text(f"{'pin=1 ' * 6}…[cut 5 characters]").endswith(" characters]")


def test_text_that_is_cut_into_a_secret_is_searched_again() -> None:
    """Twenty digits are no card number, but the first sixteen of them may be one."""
    redactor = Redactor(max_length=64)

    shown = redactor.text("x" * 24 + " 41111111111111110000" + "y" * 100)

    assert shown == "x" * 24 + " [redacted]…[cut 110 characters]"
    assert redactor.text(shown) == shown


def test_enormous_text_is_looked_at_through_a_window() -> None:
    """Of megabytes only the beginning is read, and a secret that goes on behind it is not shown."""
    secret = "-".join(["hunter2"] * 1000)
    redactor = Redactor(max_length=100)
    shrinking = f"password='{'y' * 4150}' postgres://u:{secret}@db"

    assert redactor.text(shrinking) == "…[cut 8028 characters]"
    assert redactor.text(f"{'x ' * 45}password='{secret}") == "x " * 39 + "…[cut 3935 characters]"
    assert redactor.text("x" * 4190 + "postgres://u:hunter2" + "y" * 9999).startswith("x" * 70)
    assert (
        redactor.text("password=" + "y" * 10_000_000)
        == "password=[redacted]…[cut 9995813 characters]"
    )


@pytest.mark.parametrize(
    "unit", ["a=", "token=", "password='", "a b:", "'token: ", "x\\'", "api key "]
)
def test_work_grows_with_the_length_and_not_faster(unit: str) -> None:
    """Names are asked about at most once for each place they stand at, however bad the text."""
    asked: list[int] = []
    for size in (1000, 2000):
        calls: list[str] = []
        hide_fields(unit * size, lambda key, calls=calls: bool(calls.append(key)))  # type: ignore[misc]  # returns None on purpose
        asked.append(len(calls))

    assert asked[1] <= 2 * asked[0] + 2


def test_importing_and_making_compile_no_pattern() -> None:
    """The patterns are compiled when the first text needs them: importing stays cheap."""
    code = (
        "import dataclasses, re; import holdfast\n"
        "compile, made = re.compile, []\n"
        "re.compile = lambda *given: made.append(given) or compile(*given)\n"
        "from holdfast.redact import Redactor; Redactor()\n"
        "print(made)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )

    assert done.stdout == "[]\n"


def test_roots_are_found_as_one() -> None:
    """The tree of letters finds what the words would find one by one."""
    words = ("pin", "pin code", "a.b", "pan")

    assert [word for word in words if one_of(words).fullmatch(word[:3])] == list(words)
    assert one_of(words).search("a-b, pi") is None
    assert all(one_of(DATABASE_ROOTS).search(f"x{root}y") for root in DATABASE_ROOTS)


def test_pairs_that_json_made_lists_are_pairs_still() -> None:
    """Headers that went through JSON are lists of two; a list of names is none of these."""
    shown = Redactor().mapping(
        {
            "headers": [["X-Api-Key", "hunter2"], ["Accept", "text/html"]],
            "missing": ["password", "email"],
        }
    )

    assert shown == {
        "headers": [["X-Api-Key", "[redacted]"], ["Accept", "text/html"]],
        "missing": ["password", "email"],
    }


@pytest.mark.parametrize(
    "text",
    ["4696f014-880f-4111-1111-111111dc973b", "trace 4111111111111111a0b1c2d3e4f50617 of a task"],
)
def test_digits_within_an_id_are_no_card_number(text: str) -> None:
    """UUIDs and trace ids stay whole: without them an error cannot be looked up."""
    assert Redactor().text(text) == text


def test_a_card_number_with_hard_blanks_is_one() -> None:
    """As word processors and web pages write it."""
    assert Redactor().text("card 4111\u00a01111\u00a01111\u00a01111") == "card [redacted]"


def test_lazy_translations_are_text() -> None:
    """A text that is translated when it is read is read, and not named as an object."""

    class Promise:
        """As Django's, which are known by this name and module."""

        __module__ = "django.utils.functional"
        __qualname__ = "Promise"

        def __str__(self) -> str:
            return "Champ requis"

    assert Redactor().value([Promise()]) == ["Champ requis"]


@given(strategies.lists(strategies.text(max_size=12), max_size=60))
def test_a_text_seen_before_is_shown_as_before(texts: list[str]) -> None:
    """What is remembered of harmless texts changes no answer, in whatever order they come."""
    lasting = Redactor()
    said = [f"{text} password={text} {text}" if len(text) % 2 else text for text in texts] * 2

    shown = [lasting.text(text) for text in said]

    assert shown == [Redactor().text(text) for text in said]


def test_no_secret_is_remembered() -> None:
    """A text with a secret in it does not stay in memory for having been seen."""
    redactor = Redactor()

    redactor.text("password=hunter2 at POST /orders")
    redactor.text("nothing to hide")

    assert list(redactor._harmless) == ["nothing to hide"]


def test_only_so_many_texts_are_remembered() -> None:
    """Messages that are all different do not fill the memory."""
    redactor = Redactor()

    for number in range(5000):
        redactor.text(f"order of item {'a' * (number % 7)} {number:x}")

    assert len(redactor._harmless) <= 1024
