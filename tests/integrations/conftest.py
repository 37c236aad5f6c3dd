"""What tests of integrations share: the library they need, and secrets to look for afterwards."""

import importlib
import os
import string

import pytest
from hypothesis import strategies as st

ALPHABET = string.ascii_letters + string.digits


def need(module: str) -> None:
    """Skip a module of tests without its library, or fail it where libraries are required."""
    if os.environ.get("HOLDFAST_REQUIRE_EXTRAS", "0") in {"", "0"}:
        pytest.importorskip(module, reason=f"{module} is not installed")
    importlib.import_module(module)


canaries = st.text(ALPHABET, min_size=24, max_size=24).map(lambda text: f"cnry{text}")
"""A secret's body, to look for in what left the process."""

SHAPES = (
    "postgres://shop:{0}@db.example/orders",
    "https://user:{0}@api.example/v1?page=2",
    "password={0}",
    'request failed: {{"api_key": "{0}"}}',
    "Authorization: Bearer {0}",
    "GET /orders?access_token={0}&page=2",
    "token sk_live_{0} was refused",
)
secrets_in_text = st.sampled_from(SHAPES)
"""Texts that carry a secret in one of the shapes secrets have."""

SENSITIVE_KEYS = (
    "password",
    "user_password",
    "apiKey",
    "X-Api-Key",
    "client_secret",
    "authorization",
)
"""Names whose values are secret, whatever they look like."""


def hide(canary: str, steps: list[str], shape: str, key: str) -> object:
    """Bury a secret in nested values: a text of a shape beside a value under a sensitive key."""
    buried: object = {
        key: canary,
        "note": shape.format(canary),
        key.upper(): [canary, {"a": canary}],
    }
    for step in steps:
        buried = {"list": [1, buried], "tuple": (buried, None), "key": {"inner": buried}}[step]
    return buried


burials = st.lists(st.sampled_from(["list", "tuple", "key"]), max_size=4)
