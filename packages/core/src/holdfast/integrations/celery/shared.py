"""What the parent of a worker and the children it forks know together: a little memory, and no locks.

A lock in shared memory would stay locked when a child is killed that holds it. Without one, two
processes may now and then overwrite each other: a note is then missing, a count is short of one.
"""

import mmap
from hashlib import blake2b
from typing import Final

SLOTS: Final = 1024
"""Notes that are kept; a further one takes an older one's place."""
_SIZE: Final = 16
_EMPTY: Final = bytes(_SIZE)


class SharedSlots:
    """A table of 16-byte slots, found by key; processes forked from this one see the same.

    Different keys may meet in one slot, so what stands in it has to say whose it is. Under the
    start methods `spawn` and `forkserver` every process has a table of its own.
    """

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, SLOTS * _SIZE)

    def read(self, key: bytes) -> bytes:
        """Return the slot of a key."""
        start = self._start(key)
        return self._memory[start : start + _SIZE]

    def write(self, key: bytes, content: bytes = _EMPTY) -> None:
        """Fill the slot of a key with exactly 16 bytes; by default, empty it."""
        start = self._start(key)
        self._memory[start : start + _SIZE] = content

    def _start(self, key: bytes) -> int:
        return int.from_bytes(key[:4]) % SLOTS * _SIZE


class Told:
    """What children have captured of the things that their parent will hear of as well."""

    def __init__(self) -> None:
        self._slots = SharedSlots()

    def note(self, *facts: object) -> None:
        """Remember something for the parent."""
        key = digest(*facts)
        self._slots.write(key, key)

    def take(self, *facts: object) -> bool:
        """Tell whether it was noted, and forget it: the same may happen again."""
        key = digest(*facts)
        found = self._slots.read(key) == key
        if found:
            self._slots.write(key)
        return found


def digest(*facts: object) -> bytes:
    """Return 16 bytes that stand for some facts, the same in every process."""
    return blake2b(repr(facts).encode("utf-8", "backslashreplace"), digest_size=_SIZE).digest()
