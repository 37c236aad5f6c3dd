"""The shops under real servers, once for all tests."""

from collections.abc import Iterator

import pytest

from examples.walk.processes import SHOPS, Server, running


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Server]]:
    """Give every shop by its name."""
    with running(tmp_path_factory.mktemp("shops")) as site:
        yield {shop.name: shop for shop in site.shops}


@pytest.fixture(params=list(SHOPS))
def shop(request: pytest.FixtureRequest, servers: dict[str, Server]) -> Server:
    """Give one shop after the other."""
    return servers[str(request.param)]
