"""Vector quantizers (method §3.8): nearest code by cosine.

Shape letters: B batch, T tokens, D width of the hidden states, Z code width, V codebook size.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

PROLOGUE_TEMPERATURE, ENTROPY_TEMPERATURE, COMMITMENT = 0.1, 0.01, 0.25


class Quantized(NamedTuple):
    values: torch.Tensor  # [B, T, Z]
    indices: torch.Tensor  # [B, T]
    entropies: torch.Tensor  # [3]
    loss: torch.Tensor | None = None
    one_hot: torch.Tensor | None = None  # [B, T, V], straight-through


def entropies(cosines):
    """[sample entropy, batch entropy, their difference] in nats, of softmax(cosines / 0.01); monitored, not trained."""
    log_p = F.log_softmax(cosines.detach() / ENTROPY_TEMPERATURE, dim=-1).flatten(0, -2)
    p = log_p.exp()
    sample = -(p * log_p).sum(-1).mean()
    mean = p.mean(0)
    batch = -(mean * torch.log(mean + 1e-5)).sum()
    return torch.stack([sample, batch, sample - batch])


class Quantizer(nn.Module):
    def __init__(self, width, codes, code_width):
        super().__init__()
        self.embedding = nn.Embedding(codes, code_width)
        self.proj_in = nn.Linear(width, code_width)

    def codebook(self):
        return F.normalize(self.embedding.weight, dim=-1)

    def cosines(self, hidden):
        """Normalised projections z [B, T, Z] and their cosines with every code [B, T, V]."""
        z = F.normalize(self.proj_in(hidden), dim=-1)
        return z, z @ self.codebook().T


class VQ(Quantizer):
    """Visual quantizer: straight-through value, codebook and commitment loss."""

    def forward(self, hidden, monitor=True):
        z, cosines = self.cosines(hidden)
        indices = cosines.argmax(-1)
        e = F.embedding(indices, self.codebook())
        loss = F.mse_loss(e, z.detach()) + COMMITMENT * F.mse_loss(z, e.detach())
        return Quantized(z + (e - z).detach(), indices, entropies(cosines) if monitor else None, loss=loss)


class ProbQ(Quantizer):
    """Prologue quantizer: the one-hot code carries the gradient of softmax(cosine / 0.1)."""

    def forward(self, hidden, monitor=True):
        _, cosines = self.cosines(hidden)
        indices = cosines.argmax(-1)
        p = F.softmax(cosines / PROLOGUE_TEMPERATURE, dim=-1)
        one_hot = p + (F.one_hot(indices, p.shape[-1]).to(p.dtype) - p).detach()
        values = one_hot @ self.codebook()
        return Quantized(values, indices, entropies(cosines) if monitor else None, one_hot=one_hot)
