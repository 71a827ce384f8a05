"""The network that every method trains: images to unit rows."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reidzoo.models.backbones import build_backbone
from reidzoo.models.batch_norm import use_ghost_batch_norm
from reidzoo.models.options import EmbedderOptions
from reidzoo.models.pooling import Neck, Pooling


class Embedder(nn.Module):
    """Backbone, pooling, batch norm neck, L2: one unit row per image.

    The rows serve the loss, the memory, clustering and retrieval alike, and this is the only
    place that normalises them. Pooling and everything after it runs in fp32 under autocast.

    Args:
        options: what to build; weights are loaded here.

    Raises:
        UserError: an unknown backbone, or weights that cannot be had.

    >>> _ = torch.manual_seed(0)
    >>> embedder = Embedder(EmbedderOptions(backbone="small", weights=None, stripes=4)).eval()
    >>> image = torch.randint(0, 256, (2, 3, 64, 32), dtype=torch.uint8)
    >>> rows = embedder(image)
    >>> rows.shape, rows.norm(dim=1).allclose(torch.ones(2))
    (torch.Size([2, 512]), True)
    """

    mean: Tensor
    std: Tensor

    def __init__(self, options: EmbedderOptions) -> None:
        super().__init__()
        self.options = options
        self.backbone = build_backbone(options)
        self.pool = Pooling(options.pooling, options.stripes)
        self.neck = Neck(self.backbone.num_features * options.stripes, options.embedding)
        if options.samples_per_bn is not None:
            use_ghost_batch_norm(self, options.samples_per_bn)
        self.num_features = self.neck.num_features
        # Scaled to 0..255, so that bytes are normalised in two operations.
        for name, value in (("mean", options.mean), ("std", options.std)):
            self.register_buffer(name, 255 * torch.tensor(value).view(3, 1, 1), persistent=False)
        self.to(memory_format=torch.channels_last)

    def normalise(self, image: Tensor) -> Tensor:
        """Bytes to normalised floats, on the device; floats pass, they are normalised already.

        Args:
            image: [..., 3, H, W] uint8 or float.
        """
        if image.dtype != torch.uint8:
            return image
        return image.to(self.mean.dtype).sub_(self.mean).div_(self.std)

    def map(self, image: Tensor) -> Tensor:
        """[B, 3, H, W] uint8 or float -> the backbone's map [B, C, h, w]."""
        image = image.contiguous(memory_format=torch.channels_last)
        maps: Tensor = self.backbone(self.normalise(image))
        return maps

    def head(self, maps: Tensor, keep: Tensor | None = None) -> Tensor:
        """Pooling, neck and L2.

        Args:
            maps: [B, C, h, w].
            keep: [B, 1, h, w] bool, the positions that are pooled; None: all.

        Returns:
            [B, D] unit rows, fp32.
        """
        return F.normalize(self.neck(self.pool(maps, keep)), dim=1)

    def forward(self, image: Tensor) -> Tensor:
        """[B, 3, H, W] uint8 or float -> [B, D] unit rows, fp32."""
        return self.head(self.map(image))
