"""Settings: what loads, and how everything that does not is told."""

import copy
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import FrozenInstanceError, asdict, dataclass, field, fields, is_dataclass, replace
from functools import partial
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.resilience.tuning import Tuning
from holdfast.settings import (
    LoggingSettings,
    RedactSettings,
    ReportingSettings,
    Settings,
    load_flat_settings,
    load_settings,
)
from holdfast.strict import Items, Notation, Problem, Range, Section, SettingsError, nearest


def problems(settings: object, cls: type[object] = Settings) -> dict[str, Problem]:
    """Return what is wrong with settings, by path."""
    with pytest.raises(SettingsError) as caught:
        load_settings(cls, settings)
    return {problem.path: problem for problem in caught.value.problems}


def only(settings: object, cls: type[object] = Settings) -> Problem:
    """Return the one thing that is wrong with settings."""
    (problem,) = problems(settings, cls).values()
    return problem


def attempt(load: Callable[[], object]) -> object:
    """Return what loading gives, or the error."""
    try:
        return load()
    except SettingsError as error:
        return error


def written(section: object, *, upper: bool = True) -> dict[str, object]:
    """Return a section as somebody would write it."""
    assert is_dataclass(section)
    values = {item.name: getattr(section, item.name) for item in fields(section)}
    return {
        name.upper() if upper else name: written(value, upper=upper)
        if is_dataclass(value)
        else value
        for name, value in values.items()
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop(Settings):
    """What an adapter adds."""

    in_debug: bool = False
    timeout: float | None = 1.5
    limit: Annotated[int, Range(1, 9)] | Literal["none"] = 3
    weights: Mapping[str, Annotated[float, Range(0, 1)]] = field(default_factory=dict[str, float])
    logging: LoggingSettings = field(default_factory=lambda: LoggingSettings(format="plain"))

    def objections(self) -> Iterable[tuple[str, str]]:
        """Add a rule to those of the parent."""
        yield from Settings.objections(self)
        if self.in_debug and self.environment == "production":
            yield "in_debug", "must be False in production"


@dataclass(frozen=True)
class Account:
    """A plain dataclass, with a field that has to be given."""

    name: str
    tags: tuple[str, ...] = ()


class Loud(str):
    """Text of a class of one's own."""

    __slots__ = ()

    def __str__(self) -> str:
        return "LOUD"


class TestDefaults:
    def test_nothing_written_gives_the_defaults(self) -> None:
        """An empty mapping loads, and equals settings constructed without arguments."""
        assert load_settings(Settings, {}) == Settings()

    def test_every_default_may_be_written_out(self) -> None:
        """Each default passes the rules for what is written."""
        assert load_settings(Settings, written(Settings())) == Settings()

    def test_documented_defaults_hold(self) -> None:
        """Defaults are those the documentation names."""
        settings = Settings()

        assert settings.reporters == ("logging",)
        assert settings.response_format == "envelope"
        assert settings.expose_details is False
        assert settings.reporting == ReportingSettings(queue_size=1000, flush_timeout=1.5)
        assert settings.logging.format == "none"

    def test_settings_cannot_be_changed(self) -> None:
        """Settings are frozen, and compare and hash by value."""
        with pytest.raises(FrozenInstanceError):
            Settings().service = "shop"  # type: ignore[misc]  # that is what is tested

        assert hash(Settings(service="shop")) == hash(Settings(service="shop"))

    def test_what_was_written_may_change_afterwards(self) -> None:
        """Mappings and lists are copied: changing them later changes no settings."""
        policies: dict[str, Mapping[str, object]] = {"payments": {}}
        settings = load_settings(Settings, {"POLICIES": policies})

        policies["orders"] = {}

        assert list(settings.policies) == ["payments"]


class TestReading:
    def test_upper_case_keys_at_every_depth(self) -> None:
        """Keys are the fields' names in upper case; what is left out keeps its default."""
        settings = load_settings(
            Settings, {"SERVICE": "shop", "REDACT": {"KEYS": ["iban"], "MAX_DEPTH": 3}}
        )

        assert settings == Settings(
            service="shop", redact=RedactSettings(keys=frozenset({"iban"}), max_depth=3)
        )

    def test_lower_case_keywords(self) -> None:
        """Keyword arguments are in lower case at every depth, and sections may be instances."""
        settings = load_settings(
            Settings,
            {
                "service": "shop",
                "redact": {"mask": "#"},
                "reporting": ReportingSettings(inline=True),
            },
            root="",
            case="lower",
        )

        assert settings.redact.mask == "#"
        assert settings.reporting.inline

    def test_flat_keys_with_a_prefix(self) -> None:
        """Of a shared mapping only keys with the prefix are read; sections stay mappings."""
        config = {"DEBUG": True, "HOLDFAST_SERVICE": "shop", "HOLDFAST_REDACT": {"MASK": "#"}}

        settings = load_flat_settings(Settings, config)

        assert settings == Settings(service="shop", redact=RedactSettings(mask="#"))

    def test_names_one_chose_are_kept_as_written(self) -> None:
        """Names of policies are not touched."""
        policies = {"payments": {"RETRY": {"ATTEMPTS": 2}}, "Orders-api": {}}

        assert list(load_settings(Settings, {"POLICIES": policies}).policies) == list(policies)

    def test_an_int_is_a_number(self) -> None:
        """An int written for a float becomes one."""
        timeout = load_settings(
            Settings, {"REPORTING": {"FLUSH_TIMEOUT": 5}}
        ).reporting.flush_timeout

        assert isinstance(timeout, float)
        assert timeout == 5.0

    def test_text_of_another_class_becomes_plain(self) -> None:
        """A subclass of str is read for its content."""
        service = load_settings(Settings, {"SERVICE": Loud("shop")}).service

        assert type(service) is str
        assert service == "shop"

    @pytest.mark.parametrize("keys", [["a", "b"], ("a", "b"), {"a", "b"}, frozenset({"b", "a"})])
    def test_a_set_may_be_written_as_a_list(self, keys: object) -> None:
        """Where order means nothing, any collection will do."""
        assert load_settings(Settings, {"REDACT": {"KEYS": keys}}).redact.keys == {"a", "b"}

    def test_none_turns_an_optional_field_off(self) -> None:
        """None is a value where the type says so, and nowhere else."""
        assert load_settings(Shop, {"TIMEOUT": None}).timeout is None
        assert only({"SERVICE": None}).message == "must be a str, not None"

    def test_the_first_alternative_that_takes_a_value_wins(self) -> None:
        """A union reads what any of its members reads."""
        assert load_settings(Shop, {"LIMIT": 5}).limit == 5
        assert load_settings(Shop, {"LIMIT": "none"}).limit == "none"
        assert only({"LIMIT": 1.5}, Shop).message == (
            "must be an int or one of 'none', not 1.5 (float)"
        )

    def test_a_subclass_reads_its_own_fields_too(self) -> None:
        """An adapter's fields load beside those of the core."""
        settings = load_settings(Shop, {"IN_DEBUG": True, "WEIGHTS": {"a": 1}, "SERVICE": "shop"})

        assert (settings.in_debug, settings.weights, settings.service) == (True, {"a": 1.0}, "shop")

    def test_a_section_keeps_the_defaults_its_owner_gave_it(self) -> None:
        """Writing one field of a section leaves the others as the owner's default has them."""
        logging = load_settings(Shop, {"LOGGING": {"LEVEL": "ERROR"}}).logging

        assert logging == LoggingSettings(format="plain", level="ERROR")

    def test_settings_that_are_made_already_pass(self) -> None:
        """Loading settings gives the same settings."""
        settings = Settings(service="shop")

        assert load_settings(Settings, settings) is settings

    def test_any_frozen_dataclass_can_be_read(self) -> None:
        """Neither a parent nor keyword-only fields are needed."""
        assert load_settings(Account, {"NAME": "a", "TAGS": ["b"]}) == Account("a", ("b",))

    def test_a_type_nobody_can_write_is_the_authors_mistake(self) -> None:
        """A field of an unsupported type is a TypeError that names it."""

        @dataclass(frozen=True)
        class Wrong:
            codes: bytes = b""

        with pytest.raises(TypeError, match=r"HOLDFAST\.CODES: no setting can be of type"):
            load_settings(Wrong, {"CODES": b"x"})


class TestMistakes:
    def test_all_are_reported_together(self) -> None:
        """Unknown keys, wrong types, impossible values and broken rules come at one go."""
        found = problems(
            {
                "SERVICES": "shop",
                "HTML": "yes",
                "REPORTERS": ["logging", 3],
                "REDACT": {"MAX_LENGTH": 0, "MSK": "#"},
                "REPORTING": {"QUEUE_SIZE": True, "FLUSH_TIMEOUT": float("nan")},
                "LANGUAGE": "de",
                "POLICIES": {"orders-api": 3},
            }
        )

        assert set(found) == {
            "HOLDFAST.SERVICES",
            "HOLDFAST.HTML",
            "HOLDFAST.REPORTERS[1]",
            "HOLDFAST.REDACT.MAX_LENGTH",
            "HOLDFAST.REDACT.MSK",
            "HOLDFAST.REPORTING.QUEUE_SIZE",
            "HOLDFAST.REPORTING.FLUSH_TIMEOUT",
            "HOLDFAST.LANGUAGE",
            "HOLDFAST.POLICIES['orders-api']",
        }

    @pytest.mark.parametrize(
        ("key", "meant"),
        [
            ("SERVICES", "HOLDFAST.SERVICE"),
            ("service", "HOLDFAST.SERVICE"),
            ("Expose-Details", "HOLDFAST.EXPOSE_DETAILS"),
            ("QUEUE_SIZE", "HOLDFAST.REPORTING.QUEUE_SIZE"),
            ("REDACT_MASK", "HOLDFAST.REDACT.MASK"),
            ("ZZZZ", ""),
        ],
    )
    def test_an_unknown_key_comes_with_the_nearest(self, key: str, meant: str) -> None:
        """A key that is misspelt, in the wrong case or at the wrong level says where it belongs."""
        problem = only({key: 1})

        assert (problem.message, problem.suggestion) == ("is not a setting", meant)

    def test_a_key_of_the_first_level_inside_a_section(self) -> None:
        """What is written too deep is sent up."""
        assert only({"REDACT": {"SERVICE": "shop"}}).suggestion == "HOLDFAST.SERVICE"

    @pytest.mark.parametrize("settings", [None, [], "SERVICE", 3])
    def test_settings_that_are_no_mapping(self, settings: object) -> None:
        """Something else than a mapping is reported at the root."""
        assert only(settings).path == "HOLDFAST"
        assert "must be a mapping of settings" in only(settings).message

    @pytest.mark.parametrize("key", [3, None, ("SERVICE",)])
    def test_a_key_that_is_no_text(self, key: object) -> None:
        """Keys are names, in sections and in mappings."""
        assert "a key must be a str" in only({key: 1}).message
        assert "a key must be a str" in only({"POLICIES": {key: {}}}).message

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"HTML": 1}, "must be True or False, not 1 (int)"),
            ({"SERVICE": 3}, "must be a str, not 3 (int)"),
            ({"REPORTING": {"QUEUE_SIZE": True}}, "must be an int, not True"),
            ({"REPORTING": {"QUEUE_SIZE": 1.0}}, "must be an int, not 1.0 (float)"),
            ({"REPORTING": {"FLUSH_TIMEOUT": True}}, "must be a finite number, not True"),
            ({"REPORTING": {"FLUSH_TIMEOUT": "2"}}, "must be a finite number, not '2' (str)"),
            ({"REPORTING": {"FLUSH_TIMEOUT": 10**400}}, "must be a finite number, not an int"),
            (
                {"REPORTING": {"FLUSH_TIMEOUT": 301}},
                "must be between 0 and 300; found 301.0 (float)",
            ),
            ({"REPORTERS": {"logging"}}, "must be a list, not a set"),
            ({"REDACT": {"KEYS": {"a": 1}}}, "must be a list or a set, not a dict"),
            ({"LANGUAGES": []}, "must hold 1 to 50 items, not 0"),
            ({"REPORTERS": ["logging", "logging"]}, "must not hold the same item twice"),
            ({"POLICIES": []}, "must be a mapping, not a list"),
            ({"LOGGING": "json"}, "must be a mapping of settings, not 'json' (str)"),
            ({"LANGUAGE": "de"}, "must be one of the languages: en, fr"),
        ],
    )
    def test_a_wrong_value_says_what_it_must_be(self, settings: object, message: str) -> None:
        """The message names what is wanted and what was found."""
        assert only(settings).message == message

    def test_a_lone_text_is_no_list(self) -> None:
        """Text where a list belongs is told apart from its characters."""
        assert only({"REPORTERS": "logging"}).message == (
            "must be a list, not a lone str; put it in a list of its own"
        )

    def test_a_choice_comes_with_the_nearest(self) -> None:
        """A value that is almost one of those allowed says which."""
        problem = only({"LOGGING": {"FORMAT": "JSON"}})

        assert problem.message == "must be one of 'json', 'plain', 'none', not 'JSON' (str)"
        assert problem.suggestion == "json"

    @pytest.mark.parametrize(
        "path", ["shop.errors:classify", "shop.errors.classify", "shop:Rules.classify"]
    )
    def test_dotted_paths(self, path: str) -> None:
        """An object is named with a colon or with dots throughout."""
        settings = load_settings(
            Settings,
            {"CLASSIFIERS": [path], "MIDDLEWARE": [path], "REPORTERS": [path, "jsonlogger"]},
        )

        assert settings.classifiers == settings.middleware == (path,)

    @pytest.mark.parametrize(
        "path", ["", "classify", "shop.", ".shop", "a b.c", "shop:", "a:b:c", "a.1"]
    )
    def test_what_is_no_dotted_path(self, path: str) -> None:
        """Something that can name no object is refused before anybody tries to import it."""
        assert "must be a dotted path" in only({"CLASSIFIERS": [path]}).message

    @pytest.mark.parametrize(
        ("pattern", "reason"),
        [
            ("(", "missing ), unterminated subpattern at position 0"),
            ("(?P<hunter2>a)(?P<hunter2>b)", "redefinition of group name at position"),
            ("a{99999999999999999999}", "OverflowError"),
            ("[[a]", "FutureWarning"),
            ("x*", "must not match the empty text"),
            ("x" * 1001, "at most 1000 characters"),
        ],
    )
    def test_a_pattern_that_cannot_be_used(self, pattern: str, reason: str) -> None:
        """An expression that does not compile, or hides everything, is refused without showing it."""
        problem = only({"REDACT": {"PATTERNS": [pattern]}})

        assert problem.path == "HOLDFAST.REDACT.PATTERNS[0]"
        assert reason in problem.message
        assert "hunter2" not in problem.message

    @pytest.mark.parametrize(
        "uri", ["https://errors.example/{code}", "about:blank", "/errors#{code}"]
    )
    def test_problem_types(self, uri: str) -> None:
        """The type of a problem is a URI that may hold the code."""
        assert load_settings(Settings, {"PROBLEM_TYPE": uri}).problem_type == uri

    @pytest.mark.parametrize("uri", ["", "two words", "https://errors.example/{kode}", "a\nb"])
    def test_what_is_no_problem_type(self, uri: str) -> None:
        """Any other placeholder and what no URI holds are refused."""
        assert "must be a URI" in only({"PROBLEM_TYPE": uri}).message

    @pytest.mark.parametrize("label", ["a\nb", "\x00", "a" * 201])
    def test_labels_are_short_and_printable(self, label: str) -> None:
        """What goes into headers and metrics cannot break them."""
        assert "printable text" in only({"SERVICE": label}).message

    def test_a_rule_is_not_judged_on_a_wrong_field(self) -> None:
        """A rule between fields adds nothing while one of its fields is wrong itself."""
        assert set(problems({"LANGUAGE": "de", "LANGUAGES": "de"})) == {"HOLDFAST.LANGUAGES"}

    def test_rules_of_a_subclass(self) -> None:
        """A subclass adds its rules to those of the core."""
        found = problems({"IN_DEBUG": True, "ENVIRONMENT": "production", "LANGUAGE": "de"}, Shop)

        assert set(found) == {"HOLDFAST.IN_DEBUG", "HOLDFAST.LANGUAGE"}

    def test_a_rule_that_fails_is_seen(self) -> None:
        """A mistake in a rule itself is not taken for a field that is missing."""

        @dataclass(frozen=True, slots=True)
        class Broken(Section):
            size: int = 1

            def objections(self) -> Iterable[tuple[str, str]]:
                raise AttributeError("rule")

        with pytest.raises(AttributeError, match="rule"):
            load_settings(Broken, {})

    def test_a_required_field(self) -> None:
        """A field without a default has to be written."""
        assert only({}, Account) == Problem("HOLDFAST.NAME", "is required")

    @pytest.mark.parametrize(
        "url",
        [
            "localhost:6379",
            "rediss//localhost",
            "redis://cache:port/0",
            "redis://:s3cr3t/word@cache/0",
            "redis://cache:6379/0 ",
            "http://cache",
        ],
    )
    def test_what_is_no_address_of_a_redis(self, url: str) -> None:
        """It is told when the process starts, and not shown, for it may hold a password."""
        found = only({"ALERTS": {"SHARED": url}})

        assert found.path == "HOLDFAST.ALERTS.SHARED"
        assert "must be a URL such as" in found.message
        assert "s3cr3t" not in str(found)

    @pytest.mark.parametrize(
        "url",
        [
            "redis://localhost:6379/0",
            "redis://:6379",
            "rediss://shop:s3cr%2Ft@my_cache-1.example.org:6380/2?timeout=1",
            "redis://:p@ss@[::1]:6379/0",
            "unix:///run/redis.sock?db=1",
        ],
    )
    def test_addresses_of_a_redis(self, url: str) -> None:
        """Whatever redis-py takes, in the forms that its manual has."""
        assert load_settings(Settings, {"ALERTS": {"SHARED": url}}).alerts.shared == url

    def test_services_that_share_circuits_have_names(self) -> None:
        """Two that have none would open each other's."""
        shared = {"SHARED": "redis://localhost:6379/0"}
        found = only({"CIRCUITS": shared})

        assert found.path == "HOLDFAST.SERVICE"
        assert "tells the services of a Redis apart" in found.message
        assert load_settings(Settings, {"SERVICE": "shop", "CIRCUITS": shared}).circuits.shared

    def test_limits_within_a_mapping(self) -> None:
        """Values under names one chose are checked like any other."""
        assert set(problems({"WEIGHTS": {"a": 2, "b": "x"}}, Shop)) == {
            "HOLDFAST.WEIGHTS.a",
            "HOLDFAST.WEIGHTS.b",
        }

    def test_an_item_of_a_set_is_reported_at_the_set(self) -> None:
        """Items without an order have no index."""
        assert only({"REDACT": {"KEYS": {3}}}).path == "HOLDFAST.REDACT.KEYS"


class TestConstruction:
    def test_sections_validate_themselves(self) -> None:
        """Constructing settings by hand checks the same, with the class as root."""
        with pytest.raises(SettingsError) as caught:
            Settings(service="a\nb", language="de")

        assert [problem.path for problem in caught.value.problems] == [
            "Settings.service",
            "Settings.language",
        ]

    def test_a_changed_copy_is_checked(self) -> None:
        """Replacing a field cannot make settings impossible."""
        with pytest.raises(
            SettingsError, match=r"ReportingSettings\.queue_size: must be between 1"
        ):
            replace(ReportingSettings(), queue_size=0)

    def test_a_list_given_to_the_constructor_becomes_a_tuple(self) -> None:
        """What mappings may hold, arguments may hold."""
        settings = Settings(reporters=["sentry"])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # as tested

        assert settings.reporters == ("sentry",)


class TestPlaces:
    def test_flat_paths(self) -> None:
        """Paths and suggestions of flat settings read as they are written."""
        with pytest.raises(SettingsError) as caught:
            load_flat_settings(
                Settings,
                {
                    "HOLDFAST_SERVICES": 1,
                    "HOLDFAST_REDACT": {"MASK": 3},
                    "HOLDFAST_REDACT_MASK": "#",
                },
            )

        found = {problem.path: problem.suggestion for problem in caught.value.problems}
        assert found == {
            "HOLDFAST_SERVICES": "HOLDFAST_SERVICE",
            "HOLDFAST_REDACT_MASK": "HOLDFAST_REDACT.MASK",
            "HOLDFAST_REDACT.MASK": "",
        }

    @pytest.mark.parametrize("key", ["HOLDFAST", "holdfast_service", "Holdfast_SERVICE"])
    def test_flat_keys_that_nobody_would_read(self, key: str) -> None:
        """A key that looks like ours but lacks the prefix is not passed over in silence."""
        with pytest.raises(SettingsError, match=f"{key}: is not read; write HOLDFAST_<NAME>"):
            load_flat_settings(Settings, {key: {}, "OTHER": 1})

    def test_keyword_paths(self) -> None:
        """Keyword arguments have no root."""
        with pytest.raises(SettingsError) as caught:
            load_settings(Settings, {"redact": {"MASK": "#"}}, root="", case="lower")

        assert caught.value.problems == (Problem("redact.MASK", "is not a setting", "redact.mask"),)

    @pytest.mark.parametrize(
        ("notation", "path"),
        [
            (Notation(), "HOLDFAST.REPORTERS[1]"),
            (Notation(joint="_"), "HOLDFAST_REPORTERS[1]"),
            (Notation("", case="lower"), "reporters[1]"),
        ],
    )
    def test_a_path_for_a_problem_of_ones_own(self, notation: Notation, path: str) -> None:
        """Who finds a problem later can say where it is as the developer wrote it."""
        assert notation.path("reporters", 1) == path

    def test_an_odd_or_endless_key_is_quoted_and_cut(self) -> None:
        """A key cannot break the list of problems."""
        assert only({"A\nB": 1}).path == r"HOLDFAST['A\nB']"
        assert len(only({"A" * 10_000: 1}).path) < 60


class TestError:
    def test_its_text_lists_every_problem(self) -> None:
        """One line for each problem, with the nearest name."""
        error = SettingsError(
            [
                Problem("HOLDFAST.REPORTERS[0]", "reporter 'sentri' is unknown", "sentry"),
                Problem("", "must be a mapping"),
            ]
        )

        assert str(error) == (
            "settings are wrong; correct each line and start again:\n"
            "  HOLDFAST.REPORTERS[0]: reporter 'sentri' is unknown; did you mean 'sentry'?\n"
            "  settings: must be a mapping"
        )

    def test_a_long_list_is_cut(self) -> None:
        """Beyond fifty lines the rest is counted; every problem stays on the error."""
        error = SettingsError([Problem(f"HOLDFAST.K{number}", "is wrong") for number in range(60)])

        assert str(error).endswith("\n  and 10 more")
        assert len(error.problems) == 60

    def test_it_survives_pickle_and_copy(self) -> None:
        """A copy from another process says the same."""
        error = SettingsError([Problem("HOLDFAST.A", "is not a setting", "HOLDFAST.B")])

        pickled = pickle.loads(pickle.dumps(error))  # noqa: S301  # our own bytes
        for twin in (pickled, copy.copy(error), copy.deepcopy(error)):
            assert twin.problems == error.problems
            assert str(twin) == str(error)

    def test_it_is_a_value_error(self) -> None:
        """Who catches ValueError at start-up catches it."""
        assert issubclass(SettingsError, ValueError)

    @pytest.mark.parametrize(
        "settings",
        [
            {"SERVICE": ["hunter2"]},
            {"LOGGING": {"FORMAT": "https://hunter2@sentry.example/1"}},
            {"LOGGING": {"FORMAT": "password=hunter2"}},
            {"LOGGING": {"FORMAT": "hunter2" * 6}},
            {"LOGGING": {"FORMAT": "sk_live_hunter2hunter2"}},
            {"SECRET_KEY": "hunter2"},
            {"REDACT": {"KEYS": "hunter2", "PATTERNS": ["hunter2(", "(?P<hunter2"]}},
            {"POLICIES": {"api_token": "hunter2"}},
        ],
    )
    def test_secrets_are_not_shown(self, settings: object) -> None:
        """What may be a secret is named by its type only."""
        with pytest.raises(SettingsError) as caught:
            load_settings(Settings, settings)

        assert "hunter2" not in str(caught.value)


class TestNearest:
    def test_case_and_separators_do_not_matter(self) -> None:
        """A name that differs in form only is found."""
        assert nearest("Json-Logger", ["sentry", "json_logger"]) == "json_logger"

    def test_nothing_near(self) -> None:
        """A name that resembles none gets no suggestion."""
        assert nearest("kafka", ["sentry", "logging"]) == ""

    def test_it_costs_nothing_until_somebody_errs(self) -> None:
        """Importing and loading correct settings does not load the search."""
        code = (
            "import sys; from holdfast.settings import Settings, load_settings; "
            "load_settings(Settings, {'SERVICE': 'shop'}); sys.exit('difflib' in sys.modules)"
        )

        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**4400, max_value=10**4401)
    | st.floats()
    | st.text(max_size=60)
    | st.binary(max_size=5)
    | st.sampled_from([object(), Loud("x"), Settings, "logging", "en", b"", 10**20, {1}, Items(1)])
)
NAMES = sorted(
    item.name.upper()
    for cls in (Shop, RedactSettings, ReportingSettings, LoggingSettings)
    for item in fields(cls)
)
KEYS = st.sampled_from(NAMES) | st.text(max_size=50) | st.none() | st.integers()
JUNK = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=20,
)
LABELS = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=200)


@given(JUNK | st.dictionaries(KEYS, JUNK, max_size=8))
def test_junk_raises_nothing_else(junk: object) -> None:
    """Whatever is written, it loads or everything wrong with it comes as one SettingsError."""
    for cls in (Settings, Shop):
        result = attempt(partial(load_settings, cls, junk))

        assert isinstance(result, cls) or 0 < len(str(result).splitlines()) - 1 <= 51


@given(st.dictionaries(st.text(max_size=20).map("HOLDFAST_".__add__), JUNK, max_size=5))
def test_flat_junk_raises_nothing_else(junk: dict[str, object]) -> None:
    """The same holds for flat settings."""
    assert attempt(partial(load_flat_settings, Settings, junk))


@given(
    st.builds(
        Settings,
        service=LABELS,
        environment=LABELS,
        reporters=st.lists(
            st.from_regex(r"[a-z]{1,9}", fullmatch=True), unique=True, max_size=5
        ).map(tuple),
        expose_details=st.booleans(),
        response_format=st.sampled_from(["envelope", "problem"]),
        redact=st.builds(
            RedactSettings,
            keys=st.frozensets(st.text(max_size=9), max_size=5),
            max_length=st.integers(16, 1_000_000),
        ),
        reporting=st.builds(ReportingSettings, flush_timeout=st.floats(0, 300)),
        policies=st.dictionaries(
            st.text(max_size=9),
            st.builds(
                Tuning,
                st.dictionaries(st.just("Retry"), st.just({"attempts": 2})),
                st.frozensets(st.just("Timeout")),
            ),
        ),
    )
)
def test_round_trip(settings: Settings) -> None:
    """Settings written out, in either case or flat, load as themselves; so do their copies."""
    assert load_settings(Settings, written(settings)) == settings
    assert load_settings(Settings, written(settings, upper=False), case="lower") == settings
    flat = {f"HOLDFAST_{key}": value for key, value in written(settings).items()}
    assert load_flat_settings(Settings, flat) == settings
    plain = {**asdict(settings), "policies": settings.policies}
    assert load_settings(Settings, plain, case="lower") == settings
    assert pickle.loads(pickle.dumps(settings)) == settings  # noqa: S301  # our own bytes
