"""What a search has found, as one HTML page that needs no other file and no network."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import chain
from pathlib import Path

from reidzoo.gallery.search import Answer, Search
from reidzoo.visual.page import page, pairs
from reidzoo.visual.thumbnails import LEAST, Thumbnails

BUDGET = 6_000_000  # bytes of all thumbnails in a page

STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #222; --dim: #666; --card: #f3f3f1;
  --match: #1a9850; --under: #b5b5b5; --asked: #28468c; }
@media (prefers-color-scheme: dark) { :root { --paper: #17181a; --ink: #e8e8e6; --dim: #a0a0a0;
  --card: #242628; --match: #35b56b; --under: #6a6a6a; --asked: #7d9be0; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 82rem; padding: 1.2rem; background: var(--paper);
  color: var(--ink); font: 15px/1.45 system-ui, sans-serif; }
h1 { font-size: 1.4rem; margin: 0 0 .3rem; overflow-wrap: anywhere; }
dl { display: flex; flex-wrap: wrap; gap: .2rem 1.6rem; margin: 0 0 .4rem; color: var(--dim); }
dl div { display: flex; gap: .4rem; min-width: 0; }
dd { margin: 0; color: var(--ink); overflow-wrap: anywhere; }
section { margin-top: 1rem; border-top: 1px solid var(--under); padding-top: 1rem; display: grid;
  grid-template-columns: 9.5rem 1fr; gap: 1.2rem; }
h2 { font-size: 1rem; margin: 0 0 .5rem; overflow-wrap: anywhere; }
.verdict { font-weight: 600; }
.match .verdict, li.match strong { color: var(--match); }
ol { list-style: none; margin: 0; padding: 0; display: grid; gap: .7rem;
  grid-template-columns: repeat(auto-fill, minmax(5.6rem, 1fr)); }
li, .query { min-width: 0; }
.frame { background: var(--card); border: 3px solid var(--under); border-radius: 6px;
  height: 10.5rem; display: grid; place-items: center; overflow: hidden; color: var(--dim); }
.frame img { max-width: 100%; height: 100%; object-fit: contain; display: block; }
li.match .frame { border-color: var(--match); }
.query .frame { border-color: var(--asked); }
.under img { opacity: .6; }
p { margin: .25rem 0 0; }
.name { font-size: .78rem; color: var(--dim); overflow-wrap: anywhere; line-height: 1.3; }
.bar { height: 4px; border-radius: 2px; background: var(--card); margin-top: .3rem; }
.bar i { display: block; height: 100%; border-radius: 2px; background: var(--under); }
li.match .bar i { background: var(--match); }
@media (max-width: 40rem) {
  body { padding: .8rem; }
  section { grid-template-columns: 1fr; gap: .8rem; }
  .query { display: grid; grid-template-columns: 5.2rem 1fr; gap: .8rem; align-items: center; }
  ol { grid-template-columns: repeat(3, 1fr); gap: .5rem; }
  .frame { height: 8.5rem; }
}
"""


def search_page(
    searches: Sequence[Search], title: str, facts: Mapping[str, str], budget: int = BUDGET
) -> str:
    """Write one section per query: the image, the verdict, and the answers, most similar first.

    Names are escaped, images are small copies inside the page, and its content security policy
    forbids it to load anything.

    Args:
        searches: what was found.
        title: heading of the page.
        facts: short pairs under the heading, such as the size of the gallery.
        budget: bytes of all images in the page; queries for which it does not suffice are counted,
            not shown.

    Returns:
        HTML.
    """
    shown = list(_affordable(searches, budget))
    files = chain.from_iterable((s.query, *(a.path for a in s.answers)) for s in shown)
    images = Thumbnails(files, budget)
    left = len(searches) - len(shown)
    known = any(search.matches is not None for search in shown)
    legend = "Green frames reach the threshold, grey ones do not." if known else "No threshold."
    more = f"<p>{left:,} more queries are not shown, to keep this page small.</p>" if left else ""
    body = (
        f'<h1>{escape(title)}</h1>\n{pairs(facts)}\n<p class="name">{legend}</p>\n'
        + "\n".join(_section(search, images) for search in shown)
        + f"\n{more}"
    )
    return page(title, STYLE, body)


def _affordable(searches: Sequence[Search], budget: int) -> Iterator[Search]:
    """The first searches, as many as leave each image enough bytes to show something."""
    room = budget * 3 // 4 // LEAST
    for search in searches:
        room -= 1 + len(search.answers)
        if room < 0:
            return
        yield search


def _section(search: Search, images: Thumbnails) -> str:
    name = escape(Path(search.query).name)
    answers = "\n".join(
        _answer(rank, answer, images) for rank, answer in enumerate(search.answers, start=1)
    )
    kind = "match" if search.matches else "none"
    return (
        f'<section class="{kind}">\n<div class="query">'
        f"{_frame(search.query, images)}"
        f'<div><p class="verdict">{escape(search.verdict)}</p>'
        f'<p class="name" title="{escape(search.query)}">{name}</p></div></div>\n'
        f"<ol>\n{answers}\n</ol>\n</section>"
    )


def _answer(rank: int, answer: Answer, images: Thumbnails) -> str:
    kind = {True: "match", False: "under", None: "open"}[answer.match]
    camera = f"camera {answer.camera}" if answer.camera >= 0 else "camera ?"
    full = 100 * min(1.0, max(0.0, answer.similarity))
    return (
        f'<li class="{kind}">{_frame(answer.path, images)}'
        f'<div class="bar"><i style="width:{full:.0f}%"></i></div>'
        f"<p>{rank}. <strong>{answer.similarity:.3f}</strong> {camera}</p>"
        f'<p class="name" title="{escape(answer.path)}">{escape(Path(answer.path).name)}</p></li>'
    )


def _frame(path: str, images: Thumbnails) -> str:
    uri = images[path]
    inside = f'<img src="{uri}" alt="{escape(Path(path).name)}">' if uri else "not readable"
    return f'<div class="frame">{inside}</div>'
