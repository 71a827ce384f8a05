"""What `reidzoo.embed` does: list the folder, embed what is missing, write the gallery."""

import json
import time
from argparse import Namespace
from pathlib import Path

import numpy as np

from reidzoo.cli.devices import choose_device
from reidzoo.cli.progress import shown
from reidzoo.data.formats import FolderRules, open_root, read_folder
from reidzoo.data.records import Record
from reidzoo.errors import UserError, printable
from reidzoo.files import find_checkpoint
from reidzoo.gallery.embedding import embed_files, listing
from reidzoo.gallery.files import Gallery, fingerprint, save_gallery
from reidzoo.gallery.parts import Parts
from reidzoo.models import LoadedEmbedder, load

LISTED = 50  # files named on the screen


def run_embedding(asked: Namespace, target: Path) -> None:
    """Embed a folder into a gallery file."""
    device = choose_device(asked.device)
    weights = find_checkpoint(asked.model, asked.model).absolute()
    model = load(weights).to(device)
    records = list_images(asked)
    paths = [record.path for record in records]
    digest = fingerprint(weights)
    parts = Parts(target, json.dumps([digest, listing(paths)]))
    if parts.done:
        print(f"continuing after {parts.done:,} of {len(paths):,} images")
    started, before = time.perf_counter(), parts.done
    with shown("embedding", len(paths), parts.done) as advance:
        embed_files(model, paths, parts, asked.batch, asked.workers, advance)
    seconds = time.perf_counter() - started
    report_skipped(parts, paths)
    gallery = assemble(parts, records, describe(model, weights, digest))
    save_gallery(target, gallery)
    parts.remove()
    cameras = len({camera for camera in gallery.cameras.tolist() if camera >= 0})
    print(
        f"{target}: {len(gallery):,} images, {cameras or 'unknown'} cameras, "
        f"{gallery.features.shape[1]} features each, {(parts.done - before) / seconds:,.0f} "
        "images per second"
    )


def list_images(asked: Namespace) -> tuple[Record, ...]:
    """All images of the folder, ordered by path, with their cameras."""
    rules = FolderRules(asked.pattern, asked.table, asked.camera_from)
    try:
        folder = open_root(asked.folder, "images")
        splits = read_folder(folder, rules, decode=False)
    except UserError as error:  # the reader speaks of the options of reidzoo.fit
        words = str(error).replace("--data.root", "FOLDER").replace("--data.", "--")
        raise UserError(words) from error
    for note in splits.notes:
        print(printable(note.replace("--data.", "--")))
    return tuple(sorted(splits.train + splits.query + splits.gallery))


def report_skipped(parts: Parts, paths: list[str]) -> None:
    """Name the files that could not be read, and count them."""
    if not parts.skipped:
        return
    for _, reason in sorted(parts.skipped.items())[:LISTED]:
        print(f"skipped: {printable(reason)}")
    more = len(parts.skipped) - LISTED
    if more > 0:
        print(f"skipped: {more:,} more")
    print(f"{len(parts.skipped):,} of {len(paths):,} files could not be read and were skipped")
    if len(parts.skipped) == len(paths):
        raise UserError(f"none of the {len(paths):,} files could be read: no gallery was written")


def assemble(parts: Parts, records: tuple[Record, ...], card: dict[str, object]) -> Gallery:
    """The gallery of all files that have a row."""
    kept = [record for i, record in enumerate(records) if i not in parts.skipped]
    cameras = np.array([record.camera for record in kept], np.int64)
    skipped = [records[index].path for index in sorted(parts.skipped)]
    paths = [record.path for record in kept]
    return Gallery(paths, cameras, parts.rows(), card | {"skipped": skipped})


def describe(model: LoadedEmbedder, weights: Path, digest: str) -> dict[str, object]:
    """Which network made the rows: enough to find it again, and to know it when it is found."""
    return {
        "model": str(weights),
        "digest": digest,
        "threshold": model.threshold,
        "method": model.config.get("method"),
        "trained_on": model.config.get("data"),
    }
