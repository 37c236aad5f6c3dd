"""Certificates: good ones, those that end soon, and those that nobody should trust."""

import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from holdfast.health.checks.certificate import CertificateCheck
from holdfast.health.checks.http import HttpCheck
from holdfast.testing import FakeClock
from tests.core.certificates import NOT_YET, OVER, Authority
from tests.core.listening import PATIENCE, dripping, run, saying, serving, silent

pytestmark = [
    pytest.mark.usefixtures("descriptors"),
    pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl command"),
]

END = datetime(2100, 1, 1, tzinfo=UTC)
DAY = 86_400.0


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Make an authority for the tests of this module."""
    return Authority(tmp_path_factory.mktemp("authority")).begin()


def days_before_its_end(days: float) -> FakeClock:
    """Return a clock that stands so many days before the certificates here end."""
    clock = FakeClock()
    clock.advance((END - clock.now()).total_seconds() - days * DAY)
    return clock


@pytest.mark.parametrize(
    ("days", "status", "output"),
    [
        (400, "pass", ""),
        (21.5, "pass", ""),
        (20.5, "warn", "ends in 20.5 days"),
        (3.5, "warn", "ends in 3.5 days"),
        (2.5, "fail", "ends in 2.5 days"),
        (-1, "fail", "ends in -1 days"),
    ],
)
def test_a_certificate_warns_before_it_ends(
    authority: Authority, days: float, status: str, output: str
) -> None:
    """The days that are left are told in any case."""
    with serving(silent, authority.server()) as port:
        clock = days_before_its_end(days)
        result = run(CertificateCheck("127.0.0.1", port, cafile=authority.cafile, clock=clock))

    assert (result.status.value, result.output) == (status, output)
    assert result.details == {"expires": END.isoformat(), "days_left": days}


@pytest.mark.parametrize(
    ("name", "times", "signer", "why"),
    [
        ("IP:127.0.0.1", OVER, "authority", "certificate has expired"),
        ("IP:127.0.0.1", NOT_YET, "authority", "certificate is not yet valid"),
        ("DNS:shop.example.com", None, "authority", "IP address mismatch"),
        ("IP:127.0.0.1", None, "self", "self-signed certificate"),
    ],
    ids=["expired", "not yet", "other name", "self-signed"],
)
def test_a_certificate_that_is_not_trusted_fails_and_says_why(
    authority: Authority, name: str, times: tuple[str, str] | None, signer: str, why: str
) -> None:
    """In the words of OpenSSL."""
    made = authority.server(name, **({"times": times} if times else {}), signer=signer)
    with serving(silent, made) as port:
        result = run(CertificateCheck("127.0.0.1", port, cafile=authority.cafile))

    assert result.status.value == "fail"
    assert result.output.replace("self signed", "self-signed").startswith(f"not trusted: {why}")


def test_an_authority_that_is_not_known_is_not_trusted(authority: Authority) -> None:
    """Unless a file says otherwise, those of the system are."""
    with serving(silent, authority.server()) as port:
        result = run(CertificateCheck("127.0.0.1", port))

    assert (result.status.value, result.output[:11]) == ("fail", "not trusted")


def test_a_certificate_is_asked_for_by_another_name(authority: Authority) -> None:
    """One server of many behind one name, each looked at by its own address."""
    with serving(silent, authority.server("DNS:shop.example.com")) as port:
        whole = {"cafile": authority.cafile, "server_name": "shop.example.com"}
        result = run(CertificateCheck("127.0.0.1", port, **whole))  # type: ignore[arg-type]

    assert result.status.value == "pass"


@pytest.mark.parametrize("answer", [silent, dripping(b"\x16\x03")], ids=["silent", "dripping"])
def test_a_server_that_does_not_shake_hands_is_given_up(answer: Callable[..., None]) -> None:
    """Within the time of the check."""
    with serving(answer) as port:
        began = time.perf_counter()
        result = run(CertificateCheck("127.0.0.1", port, timeout=0.1))

    assert result.status.value == "fail"
    assert time.perf_counter() - began < PATIENCE / 2


def test_a_server_without_tls_fails() -> None:
    """The class of the error says so."""
    with serving(dripping(b"220 mail.example.com ready\r\n")) as port:
        result = run(CertificateCheck("127.0.0.1", port))

    assert (result.status.value, result.output[:4]) == ("fail", "ssl.")


def test_http_is_checked_over_tls(authority: Authority) -> None:
    """The certificate is verified, and the whole read within one time."""
    answer = saying("HTTP/1.1 200 OK", "Content-Length: 5", body=b"ready")
    with serving(answer, authority.server()) as port:
        url = f"https://127.0.0.1:{port}/"
        trusted = run(HttpCheck(url, contains="ready", cafile=authority.cafile))
        stranger = run(HttpCheck(url))

    assert (trusted.status.value, trusted.details) == ("pass", {"status": 200})
    assert (stranger.status.value, stranger.output) == ("fail", "ssl.SSLCertVerificationError")


def test_https_that_drips_is_given_up(authority: Authority) -> None:
    """As HTTP is."""
    with serving(dripping(b"HTTP/1.1 200 OK\r\nX: "), authority.server()) as port:
        began = time.perf_counter()
        check = HttpCheck(f"https://127.0.0.1:{port}/", cafile=authority.cafile, timeout=0.3)
        result = run(check)

    assert (result.status.value, result.output) == ("fail", "TimeoutError")
    assert time.perf_counter() - began < PATIENCE / 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"warn_days": 2}, "not above warn_days, not 3 with 2"),
        ({"fail_days": -1}, "fail_days must be 0 or more"),
        ({"server_name": "a/b"}, "server_name must be a name"),
        ({"port": 0}, "port must be 1 to 65535"),
        ({"timeout": 0}, "timeout must be above 0"),
    ],
)
def test_impossible_options_of_a_certificate_are_refused(
    options: dict[str, object], said: str
) -> None:
    """When the check is made."""
    with pytest.raises(ValueError, match=said):
        CertificateCheck("shop.example.com", **options)  # type: ignore[arg-type]
