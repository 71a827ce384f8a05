"""Take a trained network elsewhere: `python -m reidzoo.export RUN -o model.onnx`.

.onnx holds the whole way from images to unit rows and needs no Python; it is compared with the
network at batches of 1 and 7 before it is kept. .safetensors holds the weights, bit by bit, and a
.json of the same name says what they are. Neither can carry code; `reidzoo.load` reads both.
TorchScript is not offered: PyTorch has retired it, and ONNX serves its purpose.
"""

import sys
from collections.abc import Sequence

from reidzoo.cli import errors
from reidzoo.cli.arguments import MODEL, Arguments, existing, output
from reidzoo.errors import UserError


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    words = sys.argv[1:] if argv is None else argv
    return errors.run(lambda: export(words), advice="nothing was written")


def export(argv: Sequence[str]) -> None:
    """Understand the command line, then write."""
    parser = Arguments("export", str(__doc__))
    parser.add_argument("model", metavar="RUN", help=MODEL)
    parser.add_argument(
        "-o", "--output", required=True, metavar="FILE", help="model.onnx or model.safetensors"
    )
    parser.add_argument(
        "--bytes", action="store_true",
        help="ONNX input is uint8 [batch, 3, H, W], normalised inside [normalised float32]",
    )  # fmt: skip
    asked = parser.parse_args(argv)
    existing(asked.model, asked.model)
    target = output(asked.output, "-o", [".onnx", ".safetensors"])
    if asked.bytes and target.suffix != ".onnx":
        raise UserError(f"--bytes: is for .onnx, not for {target.name}")
    from reidzoo.models import TrainedEmbedder, load, save_embedder
    from reidzoo.models.onnx_file import export_onnx

    model = load(asked.model)
    if not isinstance(model, TrainedEmbedder):
        raise UserError(f"{asked.model}: is exported already; give the run it was made from")
    if target.suffix == ".safetensors":
        save_embedder(target, model.network, model.config)
        print(f"{target}: weights; {target.with_suffix('.json').name}: what they are")
        return
    worst = export_onnx(target, model.network, model.config, asked.bytes)
    height, width = model.transform.height, model.transform.width
    kind = "uint8" if asked.bytes else "float32, normalised"
    print(
        f"{target}: image [batch, 3, {height}, {width}] {kind} -> embedding [batch, "
        f"{model.network.num_features}] unit rows; differs from the network by {worst:.1e}"
    )


if __name__ == "__main__":
    sys.exit(main())
