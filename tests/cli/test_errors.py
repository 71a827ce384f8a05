import errno

import pytest
import torch
from torch.utils.data import DataLoader

from reidzoo.cli import errors
from reidzoo.errors import UserError


def raising(error):
    def command():
        raise error

    return command


class Broken(torch.utils.data.Dataset):
    def __len__(self):
        return 1

    def __getitem__(self, index):
        raise UserError("a.jpg: truncated")


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (UserError("--seed x: bad"), 2, "reidzoo: --seed x: bad\n"),
        (UserError("two\n  lines"), 2, "reidzoo: two lines\n"),
        (OSError(errno.ENOSPC, "No space left on device", "last.ckpt"), 2, "No space left"),
        (
            RuntimeError("cumsum_cuda does not have a deterministic implementation, but you set"),
            2,
            "reidzoo: --deterministic: cumsum_cuda has no deterministic version",
        ),
        (errors.Terminated(143), 143, "terminated; --resume auto"),
        (KeyboardInterrupt(), 130, "interrupted; --resume auto"),
    ],
)
def test_one_line_and_an_exit_code(capsys, error, code, line):
    assert errors.run(raising(error)) == code
    said = capsys.readouterr().err
    assert line in said
    assert said.count("\n") == 1


def test_ctrl_c_while_a_compiled_kernel_returns_is_ctrl_c(capsys):
    def command():
        raise SystemError("returned a result with an exception set") from KeyboardInterrupt()

    assert errors.run(command) == 130
    assert capsys.readouterr().err.startswith("reidzoo: interrupted")


def test_a_mistake_found_by_a_loader_process_is_one_line(capsys):
    loader = DataLoader(Broken(), num_workers=1)
    assert errors.run(lambda: next(iter(loader))) == 2
    assert capsys.readouterr().err == "reidzoo: a.jpg: truncated\n"


def test_values_that_the_libraries_of_reidzoo_refuse_are_mistakes(capsys):
    from reidzoo.clustering import knn

    assert errors.run(lambda: knn(torch.eye(3), k=5)) == 2
    assert "5" in capsys.readouterr().err


def test_ctrl_c_inside_lightning_is_ctrl_c():
    def command():
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            raise SystemExit(1)  # noqa: B904  what Lightning does

    assert errors.run(command) == 130


def test_ctrl_c_while_a_checkpoint_is_written_is_ctrl_c(capsys):
    """As torch tells it: its writer of files notices only that something is missing."""

    class Interrupted:
        writes = 0

        def write(self, data):
            self.writes += 1
            if self.writes == 4:
                raise KeyboardInterrupt
            return len(data)

        def flush(self):
            pass

    assert errors.run(lambda: torch.save({"a": torch.zeros(9)}, Interrupted())) == 130
    assert capsys.readouterr().err.startswith("reidzoo: interrupted; ")


def test_failures_of_the_program_keep_their_traceback():
    with pytest.raises(RuntimeError, match="bug"):
        errors.run(raising(RuntimeError("bug")))
    with pytest.raises(ValueError, match="not ours"):
        errors.run(raising(ValueError("not ours")))
