"""Who sees details of health: by token, by network, by a function of the project's, or nobody."""

import gc
from types import SimpleNamespace
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.health import disclosure
from holdfast.health.disclosure import Caller, Disclosure
from holdfast.runtime import Runtime
from holdfast.settings import Settings, SettingsError
from holdfast.settings.health import HealthSettings

TOKEN = "a-token-of-24-characters"
EVERY_WAY = Disclosure(token=TOKEN, networks=["10.0.0.0/8", "fd00::/8"], allow=lambda _: False)
texts = st.text(st.characters(), max_size=60)


@pytest.fixture(autouse=True)
def _forgotten() -> None:
    """Let what was complained of once be complained of again."""
    disclosure._complain.cache_clear()


@pytest.mark.parametrize(
    ("details", "sees"), [("always", True), ("authorized", False), ("never", False)]
)
def test_a_stranger_sees_details_only_where_everybody_does(
    details: Literal["authorized", "always", "never"], *, sees: bool
) -> None:
    """By default nobody does."""
    assert Disclosure(details=details, token=TOKEN).allows(Caller()) is sees


@pytest.mark.parametrize(
    ("details", "sees"), [("always", True), ("authorized", True), ("never", False)]
)
def test_who_is_let_in_by_every_way_is_kept_out_by_never(
    details: Literal["authorized", "always", "never"], *, sees: bool
) -> None:
    """Token, network, function and the adapter's word: none of them counts then."""
    one = Disclosure(details=details, token=TOKEN, networks=["::1"], allow=lambda _: True)
    caller = Caller(authorization=f"Bearer {TOKEN}", address="::1", is_trusted=True)

    assert one.allows(caller) is sees


def test_whom_the_adapter_trusts_sees_details() -> None:
    """As everybody is while the application is debugged."""
    assert Disclosure().allows(Caller(is_trusted=True))


@pytest.mark.parametrize(
    ("header", "sees"),
    [
        (f"Bearer {TOKEN}", True),
        (f"bearer   {TOKEN}  ", True),
        (TOKEN, False),
        (f"Basic {TOKEN}", False),
        (f"Bearer {TOKEN}x", False),
        (f"Bearer {TOKEN[:-1]}", False),
        (f"Bearer {TOKEN.upper()}", False),
        ("Bearer ", False),
        ("Bearer", False),
        ("", False),
        ("Bearer caf\xe9", False),
        ("Bearer \udcff\ud800", False),
        ("Bearer " + "x" * 100_000, False),
    ],
)
def test_a_token_lets_in(header: str, *, sees: bool) -> None:
    """The whole of it, as a bearer; whatever else is sent does not."""
    assert Disclosure(token=TOKEN).allows(Caller(authorization=header)) is sees


@pytest.mark.parametrize("header", ["Bearer ", "Bearer", "Bearer None", ""])
def test_without_a_token_none_lets_in(header: str) -> None:
    """An empty one least of all."""
    assert not Disclosure().allows(Caller(authorization=header))


def test_a_token_is_not_shown() -> None:
    """Neither the one that is asked for nor the one that is sent."""
    shown = f"{Disclosure(token=TOKEN)!r} {Caller(authorization=f'Bearer {TOKEN}')!r}"

    assert TOKEN not in shown


@pytest.mark.parametrize(
    ("network", "address", "sees"),
    [
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.1.2.3/8", "10.200.0.1", True),
        ("127.0.0.1", "127.0.0.1", True),
        ("10.0.0.0/8", "::ffff:10.1.2.3", True),
        ("::ffff:10.0.0.0/104", "10.1.2.3", True),
        ("::ffff:10.0.0.0/104", "::ffff:10.1.2.3", True),
        ("::ffff:10.0.0.0/104", "11.1.2.3", False),
        ("::ffff:0:0/90", "10.1.2.3", False),
        ("::/0", "10.1.2.3", False),
        ("::/0", "::ffff:10.1.2.3", False),
        ("0.0.0.0/0", "::ffff:10.1.2.3", True),
        ("0.0.0.0/0", "::1", False),
        ("::1", "::1", True),
        ("fe80::/10", "fe80::1%eth0", True),
        ("fe80::/10", "fec0::1%eth0", False),
        ("fd00::/8", "FD12:3456::1", True),
    ],
)
def test_a_network_lets_in(network: str, address: str, *, sees: bool) -> None:
    """Of IPv4 and IPv6; an address of IPv4 is one in either notation."""
    assert Disclosure(networks=[network]).allows(Caller(address=address)) is sees


@pytest.mark.parametrize(
    "address",
    [
        "",
        "unix:",
        "10.1.2.3:80",
        "[::1]",
        "10.1.2.3, 10.1.2.4",
        "10.1.2",
        "010.1.2.3",
        "\ud800",
        "1",
    ],
)
def test_what_is_no_address_is_in_no_network(address: str) -> None:
    """Also not in the one of all addresses."""
    assert not Disclosure(networks=["0.0.0.0/0", "::/0"]).allows(Caller(address=address))


def test_a_function_is_asked_with_the_request() -> None:
    """The framework's own."""
    one = Disclosure(allow=lambda request: getattr(request, "is_operator", False))

    assert one.allows(Caller(request=SimpleNamespace(is_operator=True)))
    assert not one.allows(Caller(request=SimpleNamespace(is_operator=False)))
    assert not one.allows(Caller())


@pytest.mark.parametrize("said", [1, "yes", object(), SimpleNamespace(status_code=302), [True]])
def test_only_true_itself_lets_in(said: object, capsys: pytest.CaptureFixture[str]) -> None:
    """A redirect to a login is an object that counts as true; who wrote the function is told, once."""
    one = Disclosure(allow=lambda _: said)

    assert not one.allows(Caller())
    assert not one.allows(Caller())
    assert capsys.readouterr().err.count(f"returned {type(said).__name__}; only True") == 1


def test_an_asynchronous_function_lets_nobody_in(capsys: pytest.CaptureFixture[str]) -> None:
    """Nor does Python warn of what nobody awaited."""

    async def allow(_: object) -> bool:
        return True

    assert not Disclosure(allow=allow).allows(Caller())
    gc.collect()
    assert "returned coroutine; only True" in capsys.readouterr().err


def test_an_asynchronous_function_is_refused_at_the_start() -> None:
    """Where the setting can still be corrected."""
    settings = Settings(health=HealthSettings(allow="asyncio:sleep"))

    with pytest.raises(SettingsError, match=r"HEALTH.ALLOW: 'asyncio:sleep' must not be async"):
        Runtime(settings)


def test_a_function_that_raises_lets_nobody_in(capsys: pytest.CaptureFixture[str]) -> None:
    """What it said stays secret; that it raised is told, once."""

    def allow(_: object) -> bool:
        raise LookupError("words of a stranger")

    one = Disclosure(allow=allow)

    assert not one.allows(Caller())
    assert not one.allows(Caller())
    said = capsys.readouterr().err
    assert said.count("raised LookupError") == 1
    assert "stranger" not in said


@pytest.mark.parametrize("said", [False, None])
def test_a_function_says_no_in_silence(said: object, capsys: pytest.CaptureFixture[str]) -> None:
    """That is what it is for."""

    assert not Disclosure(allow=lambda _: said).allows(Caller())
    assert not capsys.readouterr().err


@given(authorization=texts, address=texts)
def test_whatever_a_stranger_sends_it_is_a_no(authorization: str, address: str) -> None:
    """Never an exception, never a yes."""
    assert not EVERY_WAY.allows(Caller(authorization=authorization, address=address))
    assert not EVERY_WAY.allows(Caller(authorization=f"Bearer {authorization}"))
