"""Encoder, decoder and quantizers of the four tokenizer variants (method §2 and §3).

Shape letters: B batch, N patches, K prologue tokens, D width, p patch side.
"""

from dataclasses import dataclass, fields

import torch
from torch import nn

from networks import (PRIOR_RATIO, TOKENIZER_RATIO, ConditionalNorm, Transformer, join, positions_1d, positions_2d)
from quantizers import ProbQ, VQ


@dataclass
class Sizes:
    """The JSON beside a pack, plus the condition width, which is read off the tensors."""

    tokenizer: str
    dim: int
    heads: int
    layers: int
    axes: list
    img: int
    ch: int
    patch: int
    vis: int
    sem: int
    zlen: int
    zdim: int
    classes: int  # counts the unconditional label
    ar_dim: int
    ar_heads: int
    ar_layers: int
    ar_axes: list
    tied: bool = False
    condition: int = 16

    @classmethod
    def from_json(cls, document, condition):
        known = {field.name for field in fields(cls)}
        return cls(**{key: value for key, value in document.items() if key in known}, condition=condition)

    @property
    def has_prologue(self):
        return self.tokenizer.startswith("prologue")

    @property
    def side(self):
        return self.img // self.patch

    @property
    def patches(self):
        return self.side**2

    @property
    def prologue(self):
        return self.zlen if self.has_prologue else 0

    @property
    def vocabulary(self):
        return self.vis + self.sem + 1 if self.has_prologue else self.vis

    @property
    def sequence(self):
        """Length of the AR sequence without BOS."""
        return self.prologue + 1 + self.patches if self.has_prologue else self.patches


def patchify(images, p):
    """[B, C, H, W] -> [B, N, p*p*C]: raster order, inside a patch row, column, channel."""
    b, c, h, w = images.shape
    x = images.reshape(b, c, h // p, p, w // p, p)
    return x.permute(0, 2, 4, 3, 5, 1).reshape(b, (h // p) * (w // p), p * p * c)


def unpatchify(patches, p, side, channels):
    x = patches.unflatten(2, (p, p, channels)).unflatten(1, (side, side))
    return x.permute(0, 5, 1, 3, 2, 4).reshape(-1, channels, side * p, side * p)


class ViT(Transformer):
    """Transformer with an input layer, and learned queries appended to its input when `queries` > 0."""

    def __init__(self, sizes, inputs, queries=0, ratio=TOKENIZER_RATIO):
        super().__init__(sizes.dim, sizes.heads, sizes.layers, sizes.classes, sizes.condition, ratio, bias=True)
        self.input_layer = nn.Linear(inputs, sizes.dim)
        if queries:
            self.learnable_query = nn.Parameter(torch.zeros(1, queries, sizes.dim))

    def hidden(self, x, c):
        x = self.input_layer(x)
        if hasattr(self, "learnable_query"):
            x = torch.cat([x, self.learnable_query.expand(len(x), -1, -1)], dim=1)
        return self.run_layers(x, c)


class EncoderViT(ViT):
    def __init__(self, sizes, inputs, queries, ratio=TOKENIZER_RATIO):
        super().__init__(sizes, inputs, queries, ratio)
        patches = positions_2d(sizes.side)
        self.set_positions(join(patches, positions_1d(queries, axis=2)) if queries else patches, sizes.axes)

    def forward(self, x):
        return self.hidden(x, self.cond_proj())


class DecoderViT(ViT):
    def __init__(self, sizes):
        from_latents = sizes.tokenizer == "1d"
        super().__init__(sizes, sizes.zdim, sizes.patches if from_latents else 0)
        grid = positions_2d(sizes.side)
        self.set_positions(join(positions_1d(sizes.patches, axis=2), grid) if from_latents else grid, sizes.axes)
        self.outputs = sizes.patches
        self.out_norm = ConditionalNorm(sizes.dim, sizes.condition)
        self.out = nn.Linear(sizes.dim, sizes.patch**2 * sizes.ch)

    def forward(self, codes):
        c = self.cond_proj()
        x = self.hidden(codes, c)[:, -self.outputs :]
        return self.out(self.out_norm(x, c))


class Encoder(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.sizes = sizes
        queries = {"1d": sizes.patches, "prologue": sizes.zlen}.get(sizes.tokenizer, 0)
        self.enc = EncoderViT(sizes, sizes.patch**2 * sizes.ch, queries)
        self.quantizer = VQ(sizes.dim, sizes.vis, sizes.zdim)
        if sizes.tokenizer == "prologue_post":
            self.semantic_enc = EncoderViT(sizes, sizes.dim, sizes.zlen, PRIOR_RATIO)
        if sizes.has_prologue:
            self.semantic_quantizer = ProbQ(sizes.dim, sizes.sem, sizes.zdim)

    def forward(self, patches, monitor=True):
        """Patches [B, N, p*p*C] -> (visual Quantized, prologue Quantized or None)."""
        n, hidden = self.sizes.patches, self.enc(patches)
        if self.sizes.tokenizer == "1d":
            return self.quantizer(hidden[:, n:], monitor), None
        visual = self.quantizer(hidden[:, :n], monitor)
        if not self.sizes.has_prologue:
            return visual, None
        if self.sizes.tokenizer == "prologue_post":
            hidden = self.semantic_enc(hidden)
        return visual, self.semantic_quantizer(hidden[:, n:], monitor)


class Decoder(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.dec = DecoderViT(sizes)

    def forward(self, codes):
        """Codes [B, N, Z] -> patches [B, N, p*p*C]."""
        return self.dec(codes)
