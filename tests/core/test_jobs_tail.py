"""The end of a command's output: bounded, whole lines, no secrets, whatever was written."""

from hypothesis import given
from hypothesis import strategies as st

from holdfast.hooks.jobs.tail import MAX_BYTES, MAX_LINES, Tail
from holdfast.redact import Redactor

CLEAN = Redactor()


def tail_of(*pieces: bytes, stream: str = "out") -> str:
    """Return what is kept of pieces of one stream."""
    tail = Tail()
    for piece in pieces:
        tail.add(stream, piece)
    return tail.text(CLEAN)


def test_nothing_written_leaves_nothing() -> None:
    """A silent command has an empty tail."""
    assert tail_of() == ""


def test_the_last_lines_are_kept() -> None:
    """Of many lines the last twenty are kept, in order."""
    written = b"".join(b"line %d\n" % n for n in range(1000))

    assert tail_of(written).split("\n") == [f"line {n}" for n in range(980, 1000)]


def test_a_line_without_an_end_counts() -> None:
    """A prompt or a last word without a line break is kept."""
    assert tail_of(b"one\ntw", b"o") == "one\ntwo"


def test_lines_of_two_streams_are_not_mixed() -> None:
    """What one stream writes in the middle of the other's line stands before or after that line."""
    tail = Tail()
    tail.add("out", b"to ")
    tail.add("err", b"warning\n")
    tail.add("out", b"be\n")

    assert tail.text(CLEAN) == "warning\nto be"


def test_of_a_progress_bar_the_last_state_is_kept() -> None:
    """Of a line that was drawn over, what was to be seen last is kept; line ends of Windows are none."""
    assert tail_of(b"10%\r50%\r100%\ndone\r\n") == "100%\ndone"


def test_bytes_that_are_no_text_are_replaced() -> None:
    """Binary output does no harm."""
    assert tail_of(b"\xff\xfe\n\x00ok\n") == "\ufffd\ufffd\n\x00ok"


def test_a_line_that_is_too_long_is_left_out_whole() -> None:
    """A secret in a line that cannot be kept whole is not cut so that it is no longer recognised."""
    kept = tail_of(b"password=" + b"x" * 9000, b"hunter2", b"\nafter\n")

    assert kept == "[a line of more than 8192 bytes]\nafter"


def test_a_long_last_line_is_cut() -> None:
    """A line beyond the limit of the tail is shown from its beginning."""
    kept = tail_of(b"x" * 6000 + b"\n")

    assert kept.endswith("…")
    assert len(kept.encode()) <= MAX_BYTES


def test_a_secret_whose_beginning_is_not_shown_is_hidden() -> None:
    """A key over many lines is known for one although only its last lines are within the tail."""
    body = b"\n".join(b"MIIEowIBAAKCAQEAr%04dk" % n for n in range(40))
    written = (
        b"-----BEGIN RSA PRIVATE KEY-----\n" + body + b"\n-----END RSA PRIVATE KEY-----\nbye\n"
    )

    kept = tail_of(written)

    assert "MIIE" not in kept
    assert kept.endswith("bye")


@given(st.lists(st.tuples(st.sampled_from(["out", "err"]), st.binary(max_size=3000)), max_size=60))
def test_a_tail_is_bounded(pieces: list[tuple[str, bytes]]) -> None:
    """Whatever is written, at most 20 lines and 4 kB come out, and it can be encoded."""
    tail = Tail()
    for stream, piece in pieces:
        tail.add(stream, piece)

    kept = tail.text(CLEAN)

    assert len(kept.split("\n")) <= MAX_LINES
    assert len(kept.encode()) <= MAX_BYTES


@given(
    st.text("abc \n", max_size=200),
    st.integers(1, 7),
    st.text("abcdefghijklmnop0123456789", min_size=12, max_size=24),
)
def test_no_secret_comes_through_in_pieces(around: str, size: int, canary: str) -> None:
    """However the writing is cut into pieces, a named secret is not shown."""
    written = f"{around}\npassword={canary}Z\n{around}".encode()
    pieces = [written[at : at + size] for at in range(0, len(written), size)]

    assert f"{canary}Z" not in tail_of(*pieces)
