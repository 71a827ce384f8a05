"""A progress bar where somebody watches, nothing elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


@contextmanager
def shown(doing: str, total: int, done: int = 0) -> Iterator[Callable[[int], None]]:
    """Give a function that moves the bar; the bar goes away at the end.

    Args:
        doing: what stands in front of the bar.
        total: images in all.
        done: images that were done before.

    >>> with shown("embedding", total=3) as advance:
    ...     advance(3)
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    with Progress(
        *columns, TimeRemainingColumn(), console=console, transient=True,
        disable=not console.is_terminal,
    ) as progress:  # fmt: skip
        task = progress.add_task(doing, total=total, completed=done)
        yield lambda count: progress.advance(task, count)
