"""Secrets that show by their shape, whatever they are called: tokens, keys, addresses, numbers."""

import binascii
import re
from functools import cache
from typing import Final

from holdfast.redact.spans import HIDDEN, Span, compiled, replace_spans

__all__ = ["SHAPE_ROOTS", "has_number", "hide_shapes", "hide_urls"]

SHAPE_ROOTS: Final = (
    "@", "%", "$", "basic", "-----", "hooks", "ntlm", "negotiate", "eyj", "ya29.", "sg.", "hvb.",
    "hvs.", "hvr.", "1//0", ":aa", "gho_", "ghp_", "ghr_", "ghs_", "ghu_", "github_pat_", "glpat-",
    "glptt-", "gldt-", "glrt-", "glcbt-", "glft-", "glimt-", "glsoat-", "gloas-", "glagent-",
    "glffct-", "xox", "xapp-", "k_live_", "k_test_", "k_prod_", "whsec_", "hf_", "npm_", "_v1_",
    "shpat_", "shpca_", "shppa_", "shpss_", "sq0", "dckr_", "glsa_", "glc_", "lin_api_", "ntn_",
    "nrak-", "atatt3", "pmak-", "rubygems_", "gsk_", "sbp_", "gocspx-", "pscale_", "dapi", "aiza",
    "akia", "asia", "abia", "acca", "ltai", "sk-", "pypi-", "age-",
)  # fmt: skip
"""What a text holds, lower-cased, in which something has a secret's shape; else see `has_number`."""

_KEY_BLOCK: Final = (
    r"-----BEGIN[ +A-Z0-9]{0,40}PRIVATE[ +]KEY(?:[ +]BLOCK)?-----"
    r"(?s:.*?-----END[ +A-Z0-9]{0,60}-----|.*)"
)

# Prefixes are documented by their issuers: GitHub, GitLab, Slack, Stripe, OpenAI and Anthropic,
# AWS, Google, Hugging Face, npm, PyPI, SendGrid, DigitalOcean, Shopify, Square, Vault, Databricks,
# Docker, Grafana, Linear, Notion, New Relic, Atlassian, Postman, RubyGems, Telegram, age.
# Stripe's pk_ is public by design.
_PREFIXES: Final = (
    r"gh[oprsu]_|github_pat_|gl(?:pat|ptt|dt|rt|cbt|ft|imt|soat|oas|agent|ffct)-|xox[a-z]-|xapp-"
    r"|[rs]k_(?:live|test|prod)_|whsec_|do[opr]_v1_|shp(?:at|ca|pa|ss)_|sq0[a-z]{3}-"
    r"|dckr_pat_|glsa_|lin_api_|NRAK-|ATATT3|PMAK-|rubygems_|AGE-SECRET-KEY-"
    r"|GOCSPX-|tskey-|pscale_\w{2,5}_|dapi(?=[0-9a-f]{32})"
    r"|AIza|(?:AKIA|ASIA|ABIA|ACCA|LTAI)(?=[A-Z0-9])"
    # Only with a digit or a capital: sk-learn, npm_config_registry, hf_hub_download are names.
    r"|(?:sk-|pypi-|hf_|npm_|gsk_|sbp_|ntn_|glc_)(?=[a-z_\-]{0,64}[A-Z0-9])"
)
_TOKEN: Final = (
    rf"(?<![A-Za-z0-9])(?:(?:{_PREFIXES})[A-Za-z0-9_\-.=]{{8,}}+"
    r"|eyJ[A-Za-z0-9_\-]{10,}+(?:\.[A-Za-z0-9_\-]++)*+"
    r"|(?:ya29|SG|hv[bsr])\.[A-Za-z0-9_\-.]{16,}+|1//0[A-Za-z0-9_\-]{20,}+"
    r"|[0-9]{8,10}:AA[A-Za-z0-9_\-]{30,}+)"
    r"|\$2[abxy]\$\d\d\$[./A-Za-z0-9]{20,}+"
    r"|(?:pbkdf2_\w{3,8}|scrypt|bcrypt_sha256|argon2)\$[^\s\"'<>,;)\]}]{16,}+"
    r"|\$argon2(?:id|i|d)\$[\w=,$+/.\-]{16,}+"
    r"|(?<=hooks\.slack\.com/)(?:services|workflows|triggers)/[A-Za-z0-9/]{8,}+"
    r"|(?<=/api/webhooks/)[0-9]{5,}+/[A-Za-z0-9_\-]{8,}+"
)
# Card numbers and IBANs, in one piece or in groups.
_NUMBER: Final = (
    r"[0-9](?:[0-9A-Za-z]{12}|[0-9]{2}[ \u00a0-][0-9]{3}"
    r"|[0-9](?<=[A-Za-z]{2}..)[ -][A-Za-z0-9]{4}[ -][A-Za-z0-9])"
)

_BEARER: Final = (
    r"[Bb](?:earer|EARER)(?<!\w.{6})(?:[ \t]|%20|\+)++[\"']?(?P<secret>[A-Za-z0-9\-._~+/|]++=*+)"
)
_BASIC: Final = (
    r"[Bb](?:asic|ASIC)(?<!\w.{5})(?:[ \t]|%20|\+)++[\"']?(?P<secret>[A-Za-z0-9\-_+/]++=*+)"
)
_SCHEME: Final = (
    r"(?:[Tt]oken|TOKEN|[Aa]pi-?[Kk]ey|Negotiate|NTLM)(?<!\w.{5})[ \t]++"
    r"(?P<secret>(?=[A-Za-z_\-]{0,64}[0-9])[A-Za-z0-9\-._~+/]{16,}+=*+)"
)
_AFTER_BEARER: Final = frozenset({
    "token", "tokens", "auth", "authentication", "authorization", "scheme", "realm", "header",
    "headers", "credential", "credentials", "error", "is", "was", "not", "of", "and", "or", "in",
    "for", "prefix", "type", "missing", "required", "format", "schema", "method", "field", "scope",
    "challenge", "value", "security", "http", "jwt",
})  # fmt: skip

_IN_LOCAL_PART: Final = frozenset(".+-_!#$%*^~")
_DOMAIN: Final = r"[\w\-]++(?:\.[\w\-]++)*+"

# Thirteen to nineteen digits at once, or in groups as they are embossed: 4-4-4-4, 4-6-5, 4-4-4-4-3.
# A fraction is no card (0.4111…).
_CARD: Final = (
    r"(?<![0-9])(?<![0-9]\.)(?:[0-9]{13,19}+(?![0-9])"
    r"|[0-9]{4}(?P<gap>[ \u00a0-])[0-9]{3,7}+(?:(?P=gap)[0-9]{1,7}+(?![0-9])){1,3}+)"
)
_CARD_LENGTHS: Final = range(13, 20)
_DOUBLED: Final = str.maketrans("0123456789", "0246813579")
_ID: Final = r"(?=[^a-fA-F]*[a-fA-F])[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}"
"""A UUID or a trace id: one in some hundreds holds digits that pass for a card."""
_MAX_ID: Final = 36
_HEXADECIMAL: Final = "0123456789abcdefABCDEF-"
_EPOCH: Final = r"1[5-9](?:[0-9]{11}|[0-9]{14}|[0-9]{17})"
_IBAN: Final = r"(?<![A-Za-z0-9])(?P<country>[A-Za-z]{2})[0-9]{2}(?=[ -]?[A-Za-z0-9])"
_IBAN_LENGTHS: Final = (
    "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BI27BR29BY28CH21CR22CY28CZ24DE22DJ27DK18DO28EE20EG29ES24"
    "FI18FK18FO18FR27GB22GE22GI23GL18GR27GT28HN28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32"
    "LI21LT20LU20LV21LY25MC27MD24ME22MK19MN20MR27MT31MU30NI28NL18NO15OM23PK24PL28PS29PT25QA29RO24"
    "RS22RU33SA24SC31SD18SE24SI19SK24SM27SO23ST25SV28TL23TN24TR26UA29VA22VG24XK20YE30"
)


def has_number(text: str) -> bool:
    """Tell whether a text may hold a card number or an IBAN."""
    return compiled(_NUMBER).search(text) is not None


def hide_shapes(text: str) -> str:
    """Hide tokens, private keys, password hashes, e-mail addresses, IBANs and card numbers."""
    if "-----BEGIN" in text:
        text = compiled(_KEY_BLOCK).sub(HIDDEN, text)
    text = _hide_credentials(text)
    text = compiled(_TOKEN).sub(HIDDEN, text)
    if has_number(text):
        text = replace_spans(text, compiled(_IBAN), _iban)
        text = replace_spans(text, compiled(_CARD), _card)
    if "@" in text:
        text = _hide_addresses(text)
    return text


def _hide_credentials(text: str) -> str:
    lowered = text.lower()
    if "bearer" in lowered:
        text = replace_spans(text, compiled(_BEARER), _bearer)
    if "basic" in lowered:
        text = replace_spans(text, compiled(_BASIC), _basic)
    if "token" in lowered or "key" in lowered or "nego" in lowered or "ntlm" in lowered:
        text = replace_spans(text, compiled(_SCHEME), _secret)
    return text


def _secret(match: re.Match[str]) -> Span | None:
    return match.start("secret"), match.end("secret"), HIDDEN


def _bearer(match: re.Match[str]) -> Span | None:
    word = match["secret"].rstrip("=.-").lower()
    return None if not word or word in _AFTER_BEARER else _secret(match)


def _basic(match: re.Match[str]) -> Span | None:
    """Tell encoded credentials from "basic authentication": they decode to something with a colon."""
    secret = match["secret"]
    padded = secret.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        decoded = binascii.a2b_base64(padded + "=" * (-len(padded) % 4))
    except binascii.Error:
        decoded = b""
    return _secret(match) if b":" in decoded or compiled(r"[0-9+/=]").search(secret) else None


def hide_urls(text: str) -> str:
    """Hide the password of every `scheme://user:password@host`, however odd the password."""
    return replace_spans(text, compiled(r"://(?P<rest>[^\s]{1,1024}+)"), _url)


def _url(match: re.Match[str]) -> Span | None:
    text, at = match.string, match.start()
    begin = at
    while begin > 0 and (text[begin - 1].isalnum() or text[begin - 1] in "+.-"):
        begin -= 1
    rest = match["rest"]
    if begin > 0 and text[begin - 1] in "\"'`":
        rest = rest.partition(text[begin - 1])[0]
    scheme = text[max(begin, at - 5) : at].lower()
    span = _password(rest, web=scheme.endswith(("http", "https", "ws", "wss")))
    if span is None or set(rest[span[0] : span[1]]) == {HIDDEN}:
        return None
    return at + 3 + span[0], at + 3 + span[1], HIDDEN


def _password(rest: str, *, web: bool) -> tuple[int, int] | None:
    """Return where the password stands in what follows `://`.

    Passwords of databases and brokers come unencoded, with an @ or / of their own: everything up
    to the last @ is theirs. On the web a path may hold an @, and every parser ends at the first /.
    """
    at = rest.rfind("@")
    if web:
        authority = compiled(r"[/?#]").split(rest, maxsplit=1)[0]
        if "@" in authority:
            at = authority.rfind("@")
        elif compiled(r"(?:[^:]*+|\[[^\]]*+\])(?::[0-9]{0,5}+)?").fullmatch(authority):
            return None
    if at <= 0:
        return None
    colon = rest.find(":", 0, at)
    if colon < 0:
        return (0, at) if web else None  # https://token@host
    return (colon + 1, at) if colon + 1 < at else None


def _hide_addresses(text: str) -> str:
    parts: list[str] = []
    done, at = 0, text.find("@")
    while at >= 0:
        start = _local_part(text, at, done)
        if start < at and _is_address(text, start, at):
            parts += text[done:start], HIDDEN
            done = at
        at = text.find("@", at + 1)
    return "".join((*parts, text[done:]))


def _local_part(text: str, at: int, earliest: int) -> int:
    start = at
    while start > earliest:
        before = text[start - 1]
        inside = before == "'" and start - 1 > earliest and text[start - 2].isalnum()
        if not (before.isalnum() or before in _IN_LOCAL_PART or inside):
            break
        start -= 1
    return start


def _is_address(text: str, start: int, at: int) -> bool:
    domain = compiled(_DOMAIN).match(text, at + 1)
    if domain is None:
        return False
    if start > 1 and text[start - 1] == ":" and text[start - 2].isalnum():
        return True  # user:password@host, without a scheme
    _, dot, last = domain.group().rpartition(".")
    return bool(dot) and not last.isdigit()


def _card(match: re.Match[str]) -> Span | None:
    text, start, gap = match.string, match.start(), match["gap"]
    if _is_in_id(text, start, match.end()):
        return None
    if gap is None:
        number = match.group()
        if compiled(_EPOCH).fullmatch(number):
            return None  # milli-, micro- or nanoseconds since 1970
        return (start, match.end(), HIDDEN) if _is_card(number) else None
    end = match.end()
    while end > start:
        if _is_card(text[start:end].replace(gap, "")):
            return start, end, HIDDEN
        end = text.rfind(gap, start, end)
    return None


def _is_in_id(text: str, start: int, end: int) -> bool:
    """Tell whether digits are part of a UUID or a trace id that stands by itself."""
    before = text[max(0, start - _MAX_ID) : start]
    after = text[end : end + _MAX_ID]
    left = len(before) - len(before.rstrip(_HEXADECIMAL))
    right = len(after) - len(after.lstrip(_HEXADECIMAL))
    return compiled(_ID).fullmatch(text, start - left, end + right) is not None


def _is_card(digits: str) -> bool:
    """Tell whether digits have the length and the check digit (Luhn) of a payment card."""
    # Doubling a digit and adding up its digits maps 0…9 to 0 2 4 6 8 1 3 5 7 9.
    doubled = digits[-2::-2].translate(_DOUBLED)
    return len(digits) in _CARD_LENGTHS and sum(map(int, digits[-1::-2] + doubled)) % 10 == 0


def _iban(match: re.Match[str]) -> Span | None:
    length = _iban_lengths().get(match["country"].upper())
    if length is None:
        return None
    rest = rf"(?:[ -]?[A-Za-z0-9]){{{length - 4}}}(?![A-Za-z0-9])"
    number = compiled(rest).match(match.string, match.end())
    if number is None:
        return None
    # Mod 97 of ISO 7064: the first four characters go to the end, letters count from 10.
    turned = (number.group() + match.group()).replace(" ", "").replace("-", "")
    if int("".join(str(int(character, 36)) for character in turned)) % 97 != 1:
        return None
    return match.start(), number.end(), HIDDEN


@cache
def _iban_lengths() -> dict[str, int]:
    table = _IBAN_LENGTHS
    return {table[at : at + 2]: int(table[at + 2 : at + 4]) for at in range(0, len(table), 4)}
