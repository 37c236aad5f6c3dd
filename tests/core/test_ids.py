"""Ids that are drawn ahead are as good as new ones."""

import os
import threading

import pytest

from holdfast.ids import long_id, short_id


def test_ids_are_hexadecimal_and_differ() -> None:
    """Each is given once, however many are drawn, and by however many threads."""
    drawn: list[str] = []

    def draw() -> None:
        drawn.extend(short_id() for _ in range(2000))

    threads = [threading.Thread(target=draw) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(drawn)) == 8000
    assert {len(one) for one in drawn} == {16}
    assert len(bytes.fromhex(long_id())) == 16


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_child_draws_ids_of_its_own() -> None:
    """What the parent drew ahead is the parent's: two processes never give the same id."""
    short_id()
    reading, writing = os.pipe()

    child = os.fork()
    if not child:
        os.write(writing, "".join(short_id() for _ in range(300)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        theirs = pipe.read()
    ours = {short_id() for _ in range(300)}

    assert ours.isdisjoint({theirs[at : at + 16] for at in range(0, len(theirs), 16)})
    assert len(theirs) == 4800
