"""Reads what an offline run of Weights & Biases has written: LevelDB's log format of protobufs."""

import json
import struct
import time
from pathlib import Path

from wandb.proto.wandb_internal_pb2 import Record

BLOCK, FILE_HEADER, HEADER = 32_768, 7, 7
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4


def records(path: Path) -> list[Record]:
    """Every record of a `run-*.wandb` file."""
    content, position, parts, found = path.read_bytes(), FILE_HEADER, b"", []
    while position + HEADER <= len(content):
        left = BLOCK - position % BLOCK
        if left < HEADER:
            position += left
            continue
        _, length, kind = struct.unpack_from("<IHB", content, position)
        parts += content[position + HEADER : position + HEADER + length]
        position += HEADER + length
        if kind in (FULL, LAST):
            found.append(Record.FromString(parts))
            parts = b""
    return found


def finished_records(path: Path, patience: float = 60.0) -> list[Record]:
    """The same once the run has ended: a process of W&B's own writes the file, and may lag."""
    deadline = time.monotonic() + patience
    while True:
        found = records(path)
        if any(record.WhichOneof("record_type") == "exit" for record in found):
            return found
        assert time.monotonic() < deadline, f"{path} has no end"
        time.sleep(0.1)


def named(items) -> dict[str, object]:
    """Items of a record as key -> value; nested keys are joined with dots."""
    return {item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in items}


class OfflineRun:
    """Settings, history and summary of an offline run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.records = finished_records(next(folder.glob("run-*.wandb")))
        kinds = [record.WhichOneof("record_type") for record in self.records]
        self.run = self.records[kinds.index("run")].run
        self.config = {}
        self.history, self.summary, self.metrics = [], {}, {}
        for record, kind in zip(self.records, kinds, strict=True):
            if kind == "run":
                self.config |= named(record.run.config.update)
            elif kind == "config":
                self.config |= named(record.config.update)
            elif kind == "history":
                self.history.append(named(record.history.item))
            elif kind == "summary":
                self.summary |= named(record.summary.update)
            elif kind == "metric":
                self.metrics[record.metric.name] = record.metric.summary

    def pictures(self) -> set[str]:
        """Keys under which pictures were logged."""
        kinds = {key: value for row in self.history for key, value in row.items()}
        return {
            key.removesuffix("._type")
            for key, value in kinds.items()
            if key.endswith("._type") and value == "images/separated"
        }

    def table(self, key: str) -> dict[str, list]:
        """Columns and rows of a logged table."""
        place = next(row[f"{key}.path"] for row in self.history if f"{key}.path" in row)
        return json.loads((self.folder / "files" / place).read_text())
