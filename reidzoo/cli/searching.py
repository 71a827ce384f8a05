"""What `reidzoo.search` does: network and gallery together, queries, answers, table and pages."""

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from reidzoo.cli.devices import choose_device
from reidzoo.data.formats.places import images_under
from reidzoo.errors import UserError, printable
from reidzoo.files import find_checkpoint, written_whole
from reidzoo.gallery.embedding import embed_paths
from reidzoo.gallery.files import Gallery, fingerprint, load_gallery
from reidzoo.gallery.search import Search, search
from reidzoo.images import read_image
from reidzoo.models import LoadedEmbedder, load
from reidzoo.visual.search_page import search_page
from reidzoo.visual.search_sheet import search_sheet
from reidzoo.visual.sheet import save_sheet

SHOWN = 20  # queries on the screen and on the contact sheet; the page has more


def run_search(asked: Namespace, page: Path) -> None:
    """Search, print, write the contact sheet and the page."""
    device = choose_device(asked.device)
    gallery = load_gallery(asked.gallery)
    model = network_of(gallery, asked.gallery, asked.model).to(device)
    queries = [path for query in asked.queries for path in images_of(query)]
    threshold = gallery.threshold if asked.threshold is None else asked.threshold
    rows = embed_paths(model, queries)
    searches = search(gallery, queries, rows, asked.top, threshold)
    print_searches(searches)
    sheet = page.with_suffix(".png")
    title = f"Search in {Path(asked.gallery).name}"
    save_sheet(search_sheet(searches[:SHOWN], title), sheet)
    known = "unknown" if threshold is None else f"{threshold:.3f}"
    facts = {
        "gallery": f"{len(gallery):,} images",
        "queries": f"{len(queries):,}",
        "without a match": f"{sum(search.matches == 0 for search in searches):,}",
        "threshold": known,
        "model": " trained on ".join(
            str(gallery.card[key]) for key in ("method", "trained_on") if gallery.card.get(key)
        ),
    }
    facts = {name: value for name, value in facts.items() if value}
    with written_whole(page) as temporary:
        temporary.write_bytes(search_page(searches, title, facts).encode(errors="replace"))
    print(f"contact sheet {sheet}\npage          {page}")


def network_of(gallery: Gallery, name: str, given: str | None) -> LoadedEmbedder:
    """The network that made a gallery: where it was then, or where the user says it is.

    Raises:
        UserError: it is not there any more, or was trained on since.
    """
    if given:
        weights = find_checkpoint(given, f"--model {given}")
        if fingerprint(weights) != gallery.card.get("digest"):
            print(f"note: {given} is not the file that made {name}; similarities may mean nothing")
        return load(weights)
    weights = Path(str(gallery.card.get("model")))
    if not weights.is_file():
        raise UserError(f"{name}: its network {weights} is not there; give --model RUN")
    if fingerprint(weights) != gallery.card.get("digest"):
        raise UserError(
            f"{name}: its network {weights} has changed since; embed the folder again, or give "
            "--model RUN"
        )
    return load(weights)


def images_of(query: str) -> list[str]:
    """The image that a query is, or the readable images in a folder."""
    place = Path(query).expanduser()
    if not place.is_dir():
        return [str(place)]
    found = []
    for name in images_under(place):
        try:
            read_image(place / name)
        except UserError as error:
            print(f"skipped: {printable(str(error))}")
        else:
            found.append(str(place / name))
    if not found:
        raise UserError(f"{query}: this folder has no readable images")
    return found


def print_searches(searches: Sequence[Search]) -> None:
    """One table per query, lines never wrapped, so that a path can be copied."""
    for one in searches[:SHOWN]:
        print(f"\n{printable(one.query)}: {one.verdict}\n   similarity  camera         file")
        for rank, answer in enumerate(one.answers, start=1):
            camera = str(answer.camera) if answer.camera >= 0 else "?"
            mark, path = "match" if answer.match else "", printable(answer.path)
            print(f"{rank:2} {answer.similarity:10.3f}  {camera:>6}  {mark:5}  {path}")
    if len(searches) > SHOWN:
        print(f"\n{len(searches) - SHOWN:,} more queries are in the page")
    print()
