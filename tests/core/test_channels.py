"""The channels of alerts: what each says, and that nothing said becomes anything else."""

import json
import logging
import math
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast import AppError, Severity, ValidationError
from holdfast.events import Event
from holdfast.redact import Redactor
from holdfast.reporting.alerts.message import AlertChannel, AlertMessage, Stage
from holdfast.reporting.channels.making import LINKED, SHIPPED_CHANNELS, make
from holdfast.reporting.channels.slack import slack
from holdfast.reporting.channels.teams import teams
from holdfast.reporting.channels.text import Wording, message_key
from holdfast.reporting.channels.webhook import generic
from holdfast.settings import ChannelSettings, SettingsError, WebhookSettings, load_settings
from holdfast.testing import RecordingRuntime
from tests.core.receiver import NOW, message, receiving, status

LINK = "https://logs.example.com/search?q={trace_id}&alert={id}&code={code}"
LABELS = [
    "What",
    "Severity",
    "How often",
    "Since",
    "Where",
    "Latest",
    "Running on",
    "Rule",
    "Alert",
]
anything = st.text(max_size=400)


class Pager:
    """A channel of a project's own."""

    def __init__(self, name: str, options: ChannelSettings, runtime: RecordingRuntime) -> None:
        self.name = name
        self.sent: list[tuple[str, str, str]] = []
        self._told = options.user, runtime.settings.service

    def send(self, message: AlertMessage) -> None:
        """Keep one message."""
        self.sent.append((message.id, *self._told))


def no_channel(*_: object) -> Event | None:
    """Make something else."""
    return None


def channel(**settings: object) -> AlertChannel:
    """Return the channel that settings describe."""
    return make("ops", ChannelSettings(**settings), RecordingRuntime())  # type: ignore[arg-type]  # as a test writes them


def texts(value: object) -> list[str]:
    """Return every text of a nested value."""
    if isinstance(value, dict):
        return [
            found for item in cast("dict[str, object]", value).values() for found in texts(item)
        ]
    if isinstance(value, list):
        return [found for item in cast("list[object]", value) for found in texts(item)]
    return [value] if isinstance(value, str) else []


class TestWording:
    """The same facts for everybody."""

    def test_an_event_is_told_by_its_attributes(self) -> None:
        """What, how often, since when, where, and the latest."""
        facts = Wording().facts(message())

        assert list(facts) == LABELS
        assert facts["What"] == "STOCK_EMPTY"
        assert facts["How often"] == "12 so far"
        assert facts["Since"] == "2024-01-15 10:30:00 UTC"
        assert facts["Latest"] == "left=0"
        assert facts["Running on"] == "web-1 1.4.2"

    def test_an_error_is_told_with_its_trace_and_what_to_do(self) -> None:
        """Whoever reads it finds the record, and knows the next step."""
        error = AppError("Cannot reach stock")
        told = message(error=error)
        assert told.record is not None

        facts = Wording().facts(told)

        assert facts["What"] == "INTERNAL_ERROR (INTERNAL, fault of the service)"
        assert facts["Where"] == "GET /orders/<id> at flask.request"
        assert facts["Latest"] == "holdfast.errors.AppError: Cannot reach stock"
        assert facts["Trace id"] == told.record.trace_id
        assert facts["Record"] == told.record.id

    @pytest.mark.parametrize(
        ("stage", "subject", "severity", "count"),
        [
            (Stage.OPENED, "[shop production] New: ", "ERROR", "12 so far"),
            (
                Stage.CONTINUES,
                "[shop production] Continues: ",
                "ERROR",
                "12 since the last message",
            ),
            (Stage.RECOVERED, "[shop production] Recovered: ", "INFO", "30 in all"),
        ],
    )
    def test_a_stage_is_told_first(
        self, stage: Stage, subject: str, severity: str, count: str
    ) -> None:
        """Who looks at a list of subjects sees what is new and what is over."""
        wording, told = Wording(), message(stage)

        assert wording.subject(told).startswith(subject)
        assert wording.facts(told)["Severity"] == severity
        assert count in wording.facts(told)["How often"]

    def test_an_address_leads_on(self) -> None:
        """Names in it are filled in, as parts of an address that cannot change it."""
        error = ValidationError("no")
        told = message(error=error, id="a/b?c")
        assert told.record is not None

        address = Wording(link=LINK).address(told)

        trace = told.record.trace_id
        assert (
            address == f"https://logs.example.com/search?q={trace}&alert=a%2Fb%3Fc&code=STOCK_EMPTY"
        )

    def test_secrets_are_taken_out_of_everything(self) -> None:
        """A rule's title, a key or an attribute may hold one although messages are clean."""
        secret = "password=hunter2-canary"
        told = message(title=secret, key=secret, attributes={"note": secret}, rule=secret)
        wording = Wording(Redactor().text, LINK + "{key}")

        said = [wording.lines(told), *texts(generic(told, wording))]
        said += texts(slack(told, wording)) + texts(teams(told, wording))

        assert "canary" not in " ".join(said)

    @given(title=anything, key=anything, note=anything)
    def test_each_fact_is_one_bounded_line(self, title: str, key: str, note: str) -> None:
        """Nothing that is said can pass for another line, or fill a page."""
        told = message(title=title, key=key, attributes={"note": note})
        wording = Wording()

        lines = wording.lines(told).splitlines()

        assert len(lines) <= len(LABELS) + 3
        assert all(line.isprintable() and len(line) < 600 for line in lines)


class TestShapes:
    """What receivers want to see."""

    @given(title=anything, note=anything)
    def test_every_shape_is_json_of_a_bounded_size(self, title: str, note: str) -> None:
        """Whatever an error says; Teams takes 28 KB, Slack 3000 characters in a section."""
        told = message(title=title, key=note * 100, attributes={"note": note * 100})
        wording = Wording(link=LINK)

        for shape in (generic, slack, teams):
            body = json.dumps(shape(told, wording), allow_nan=False).encode("utf-8", "replace")
            assert len(body) < 250_000
        assert len(json.dumps(teams(told, wording))) < 28_000
        assert all(len(text) <= 3000 for text in texts(slack(told, wording)))

    def test_slack_gets_a_header_the_facts_and_a_link(self) -> None:
        """And a text, which notifications show."""
        made = slack(message(), Wording(link="https://logs.example.com/{id}"))

        blocks = cast("list[dict[str, object]]", made["blocks"])
        assert [block["type"] for block in blocks] == ["header", "section", "context"]
        assert "*How often:* 12 so far" in " ".join(texts(made))
        assert "<https://logs.example.com/a1b2|See more>" in texts(made)
        assert "STOCK_EMPTY 12 times" in str(made["text"])

    @given(note=st.text(alphabet="<>&!@#|*a", max_size=200))
    def test_nobody_can_be_called_through_slack(self, note: str) -> None:
        """`<!channel>` and links in what a caller sent stay text."""
        made = slack(message(title=note, attributes={"note": note}), Wording())

        section = cast("list[dict[str, dict[str, str]]]", made["blocks"])[1]["text"]["text"]
        assert "STOCK_EMPTY" in section
        assert not {"<", ">"}.intersection(section + str(made["text"]))

    def test_teams_gets_a_message_with_one_adaptive_card(self) -> None:
        """In the shape of its Workflows."""
        made = teams(message(Stage.RECOVERED), Wording(link="https://logs.example.com/{id}"))

        (attachment,) = cast("list[dict[str, object]]", made["attachments"])
        card = cast("dict[str, object]", attachment["content"])
        assert made["type"] == "message"
        assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
        assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
        title, facts = cast("list[dict[str, object]]", card["body"])
        assert title["color"] == "Good"
        assert {"title": "What", "value": "STOCK_EMPTY"} in cast("list[object]", facts["facts"])
        assert "https://logs.example.com/a1b2" in texts(card["actions"])

    def test_no_link_hides_its_address_in_teams(self) -> None:
        """What a caller sent cannot pass for a link of ours."""
        made = teams(message(title="[log in](https://evil.example)"), Wording())

        assert not any("](" in text for text in texts(made))

    def test_a_program_gets_all_that_is_known(self) -> None:
        """Numbers as numbers, times with their zone."""
        made = generic(message(), Wording())

        assert (made["id"], made["stage"]) == ("a1b2", "opened")
        assert (made["count"], made["total"]) == (12, 30)
        assert made["since"] == "2024-01-15T10:30:00+00:00"
        assert made["attributes"] == {"code": "STOCK_EMPTY", "operation": "GET /stock", "left": 0}

    def test_what_json_has_no_form_for_is_told_in_words(self) -> None:
        """A number that is none costs no alert."""
        made = generic(message(attributes={"ratio": math.nan, "at": NOW, "share": 0.5}), Wording())

        told = {"ratio": "nan", "at": "2024-01-15 10:30:00+00:00", "share": 0.5}
        assert made["attributes"] == told


class TestKeys:
    """By which a receiver takes a message once."""

    def test_a_message_that_is_sent_again_has_the_same_key(self) -> None:
        """It is the same value."""
        assert message_key(message()) == message_key(message())

    def test_no_two_messages_of_an_alert_have_the_same_key(self) -> None:
        """Nor do two summaries."""
        first = message(Stage.CONTINUES)
        later = message(Stage.CONTINUES, time=first.time.replace(hour=12))
        keys = [message_key(m) for m in (message(), first, later, message(Stage.RECOVERED))]

        assert len(set(keys)) == 4


class TestMaking:
    """Settings become channels."""

    def test_a_log_line_has_the_severity_of_its_message(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A recovery is no error any more."""
        made = channel(kind="log")

        with caplog.at_level(logging.INFO, "holdfast"):
            made.send(message())
            made.send(message(Stage.RECOVERED, title="100 % over"))

        assert [line.levelno for line in caplog.records] == [Severity.ERROR, Severity.INFO]
        assert "New: STOCK_EMPTY 12 times" in caplog.messages[0]
        assert "What: STOCK_EMPTY; Severity: ERROR" in caplog.messages[0]
        assert caplog.records[0].__dict__["alert_id"] == "a1b2"

    @pytest.mark.parametrize("kind", ["webhook", "slack", "teams"])
    def test_a_channel_posts_its_shape(self, kind: str) -> None:
        """Each message is one request, with its key."""
        with receiving(status(200)) as inbox:
            channel(kind=kind, url=inbox.url).send(message())

        (got,) = inbox.got
        assert got.json() == json.loads(json.dumps(SHAPES[kind](message(), Wording())))
        assert got.headers["idempotency-key"] == "a1b2-opened"

    def test_a_channel_of_ones_own_is_made_by_its_path(self) -> None:
        """It is given its name, its settings and the runtime."""
        made = channel(kind=f"{__name__}:Pager", user="jo", password="x")

        made.send(message())

        assert cast("Pager", made).sent == [("a1b2", "jo", "app")]
        assert made.name == "ops"

    @pytest.mark.parametrize(
        ("kind", "raised"),
        [
            (f"{__name__}:no_channel", TypeError),
            (f"{__name__}:missing", AttributeError),
            ("no_such_module:x", ImportError),
            ("email", ValueError),
        ],
    )
    def test_what_makes_no_channel_is_told(self, kind: str, raised: type[Exception]) -> None:
        """At start-up, where somebody can still correct it."""
        with pytest.raises(raised):
            channel(kind=kind)

    def test_every_kind_that_ships_has_a_factory(self) -> None:
        """Its module is there."""
        assert set(SHIPPED_CHANNELS) == {"log", "email", "webhook", "slack", "teams", "sentry"}


SHAPES = {"webhook": generic, "slack": slack, "teams": teams}
URL = "https://hooks.example.com/services/canary"


class TestSettings:
    """Mistakes are told with their path, and without what is secret."""

    @pytest.mark.parametrize(
        ("settings", "path", "words"),
        [
            ({}, "KIND", "is required"),
            ({"KIND": "slak"}, "KIND", "did you mean 'slack'?"),
            ({"KIND": "slack"}, "URL", "is required"),
            ({"KIND": "log", "URL": URL}, "URL", "is not for a channel of kind 'log'"),
            ({"KIND": "teams", "URL": URL, "SECRET": "canary"}, "SECRET", "is not for"),
            ({"KIND": "webhook", "URL": "hooks/canary"}, "URL", "must begin with http"),
            ({"KIND": "webhook", "URL": URL, "HEADERS": {"a b": "canary"}}, "HEADERS", "names"),
            ({"KIND": "webhook", "URL": URL, "HEADERS": {"A": "canary\n"}}, "HEADERS", "values"),
            *(
                ({"KIND": "webhook", "URL": URL, "HEADERS": {name: "canary"}}, "HEADERS", name)
                for name in ("Host", "content-length", "Transfer-Encoding", "CONNECTION")
            ),
            ({"KIND": "email", "HOST": "mail"}, "SENDER", "is required beside a host"),
            ({"KIND": "email", "TO": ["ops"]}, "TO[0]", "must be an e-mail address"),
            ({"KIND": "email", "TO": ["a@b.c\nBcc: x@y.z"]}, "TO[0]", "must be an e-mail address"),
            ({"KIND": "email", "PASSWORD": "canary"}, "USER", "is required beside a password"),
            ({"KIND": "log", "LINK": "javascript:canary"}, "LINK", "must begin with http"),
            ({"KIND": "log", "LINK": "https://a/{trace}"}, "LINK", "did you mean '{trace_id}'?"),
            ({"KIND": "webhook", "URL": URL, "SECRET": "whsec_canary!"}, "SECRET", "base64"),
            ({"KIND": "webhook", "URL": URL, "SECRET": "whsec_"}, "SECRET", "base64"),
            ({"KIND": "log", "TIMEOUT": 0}, "TIMEOUT", "must be between"),
        ],
    )
    def test_a_mistake_has_its_path(
        self, settings: dict[str, object], path: str, words: str
    ) -> None:
        """And says what to write."""
        with pytest.raises(SettingsError) as caught:
            load_settings(ChannelSettings, settings)

        told = {problem.path: str(problem) for problem in caught.value.problems}
        assert words in told[f"HOLDFAST.{path}"]
        assert "canary" not in str(caught.value)

    def test_every_name_of_a_link_stands_for_something(self) -> None:
        """What settings take is what messages fill in."""
        link = "https://a/" + "/".join(f"{{{name}}}" for name in LINKED)

        settings = ChannelSettings(kind="log", link=link)

        assert "{" not in Wording(link=settings.link).address(message())

    @pytest.mark.parametrize("secret", ["shared", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])
    def test_a_secret_is_text_or_marked_base64(self, secret: str) -> None:
        """Of a channel and of the reporter alike; anything else marked is no key."""
        assert ChannelSettings(kind="webhook", url=URL, secret=secret).secret == secret
        assert WebhookSettings(url=URL, secret=secret).secret == secret
        with pytest.raises(SettingsError, match="base64"):
            WebhookSettings(url=URL, secret="whsec_?")

    def test_a_password_is_not_sent_in_the_clear(self) -> None:
        """Nobody turns encryption off by accident."""
        with pytest.raises(SettingsError, match="where a password is sent"):
            ChannelSettings(
                kind="email",
                host="mail",
                sender="a@b.c",
                to=("d@e.f",),
                user="a",
                password="b",
                security="none",
            )

    def test_settings_show_no_secret(self) -> None:
        """Their representation may stand in a log."""
        settings = ChannelSettings(
            kind="webhook", url=URL, headers={"Authorization": "canary"}, secret="canary"
        )

        assert "canary" not in repr(settings)
