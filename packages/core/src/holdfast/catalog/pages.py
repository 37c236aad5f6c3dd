"""The catalogue as pages: what the `type` of a problem leads to.

HTML without styles or scripts, so that any content security policy allows it, and JSON for
programs. Nothing says where a code is declared, unless the caller is a developer.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from html import escape
from typing import Final, NamedTuple

from holdfast.catalog.entry import CatalogEntry, entries, find
from holdfast.catalog.export import document, facts, shown_details
from holdfast.language import DEFAULT, Texts
from holdfast.lazytext import speaking

HEADING: Final = "Error codes"
SAID: Final = (
    HEADING,
    *("Code", "Status", "Title", "Kind", "Type", "Category"),
    *("Trying again may help", "yes", "no", "What you can do", "Details", "Declared by"),
)
"""What the pages say beside the texts of the codes."""
VARY: Final = "Accept, Accept-Language"

_CODE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}")
_QUOTED: Final = re.compile(r"`([^`]+)`")


class Page(NamedTuple):
    """A page, ready for any web framework."""

    content_type: str
    body: bytes
    language: str

    @property
    def etag(self) -> str:
        """What changes with the page; without quotes."""
        return sha256(self.body).hexdigest()[:32]

    @property
    def headers(self) -> dict[str, str]:
        """Headers of the page but for its type, its length and its tag: it is asked for again each time."""
        return {
            "Content-Language": self.language,
            "Vary": VARY,
            "Cache-Control": "no-cache",
            "X-Content-Type-Options": "nosniff",
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """The pages as one caller gets them."""

    language: str
    texts: Texts
    """Where titles, descriptions and advice are looked up."""
    as_json: bool
    """Whether the caller is a program."""
    debug: bool = False
    """Whether the caller is a developer, who may know where codes are declared."""

    def index(self) -> Page:
        """Return the list of all codes."""
        with speaking(self.language):
            known = list(map(self._spoken, entries()))
        if self.as_json:
            return self._as_json(document(known))
        return self._as_html(self._say(HEADING), self._table(known))

    def of(self, code: str) -> Page | None:
        """Return the page of a code, or None when nobody declared it."""
        with speaking(self.language):
            entry = find(code)
        if entry is None:
            return None
        entry = self._spoken(entry)
        if self.as_json:
            source = {"source": entry.source} if self.debug else {}
            return self._as_json({**facts(entry), **source})
        return self._as_html(f"{entry.code}: {entry.title}", self._article(entry))

    def _spoken(self, entry: CatalogEntry) -> CatalogEntry:
        """Return an entry with its texts in the caller's language."""
        say = self._say
        details = {
            name: replace(one, description=self.texts.translate(one.description, self.language))
            for name, one in entry.details.items()
        }
        return replace(
            entry,
            title=say(entry.title),
            description=say(entry.description),
            advice=say(entry.advice),
            details=details,
        )

    def _say(self, text: str) -> str:
        return self.texts.translate(text, self.language)

    def _table(self, known: Iterable[CatalogEntry]) -> Iterator[str]:
        titles = "".join(
            f"<th>{escape(self._say(text))}</th>" for text in ("Code", "Status", "Title")
        )
        yield f"<table><thead><tr>{titles}</tr></thead><tbody>"
        for entry in known:
            link = f'<a href="{entry.code}"><code>{entry.code}</code></a>'
            yield f"<tr><td>{link}</td><td>{entry.status}</td><td>{escape(entry.title)}</td></tr>"
        yield "</tbody></table>"

    def _article(self, entry: CatalogEntry) -> Iterator[str]:
        yield f"<p>{_marked_up(entry.description)}</p>"
        yield f"<h2>{escape(self._say('What you can do'))}</h2><p>{_marked_up(entry.advice)}</p>"
        yield f"<dl>{''.join(self._terms(entry))}</dl>"
        if entry.details:
            yield f"<h2>{escape(self._say('Details'))}</h2><dl>"
            for name, shown in shown_details(entry.details):
                yield f"<dt><code>{escape(name)}</code></dt><dd>{_marked_up(shown)}</dd>"
            yield "</dl>"
        yield f'<p><a href="./">{escape(self._say(HEADING))}</a></p>'

    def _terms(self, entry: CatalogEntry) -> Iterator[str]:
        facts = {
            "Status": str(entry.status),
            "Kind": f"<code>{entry.kind}</code>",
            "Type": f"<code>{escape(entry.type)}</code>",
            "Category": escape(entry.category),
            "Trying again may help": escape(self._say("yes" if entry.transient else "no")),
            "Declared by": f"<code>{escape(entry.source)}</code>" if self.debug else "",
        }
        for name, shown in facts.items():
            if shown:
                yield f"<dt>{escape(self._say(name))}</dt><dd>{shown}</dd>"

    def _as_html(self, title: str, content: Iterable[str]) -> Page:
        head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        page = (
            f'<!doctype html>\n<html lang="{escape(self._spoken_in())}"><head>{head}'
            f"<title>{escape(title)}</title></head><body><main><h1>{escape(title)}</h1>\n"
            f"{''.join(content)}\n</main></body></html>\n"
        )
        return Page("text/html; charset=utf-8", page.encode("utf-8", "replace"), self._spoken_in())

    def _as_json(self, found: object) -> Page:
        body = json.dumps(found, ensure_ascii=False, separators=(",", ":"))
        return Page("application/json", body.encode("utf-8", "backslashreplace"), self._spoken_in())

    def _spoken_in(self) -> str:
        """Return the language of what the pages say themselves: English where nobody has translated it."""
        return DEFAULT if self._say(HEADING) == HEADING else self.language


def canonical(code: str) -> str:
    """Return how a code is written that somebody typed in lower case; empty when there is none such.

    Example:
        >>> canonical("token_expired"), canonical("nowhere")
        ('TOKEN_EXPIRED', '')
    """
    written = code.upper() if _CODE.fullmatch(code) else ""
    return written if written != code and find(written) is not None else ""


def _marked_up(text: str) -> str:
    return _QUOTED.sub(r"<code>\1</code>", escape(text))
