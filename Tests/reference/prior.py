"""The AR model over one vocabulary: visual ids, prologue ids, EOS (method §3.10).

Shape letters: B batch, K prologue tokens, N visual tokens, T = K + 1 + N (baselines: N), V vocabulary.
"""

import torch
import torch.nn.functional as F
from torch import nn

from networks import PRIOR_RATIO, ConditionalNorm, Transformer, positions_1d, rms


class PriorTransformer(Transformer):
    def __init__(self, sizes):
        super().__init__(sizes.ar_dim, sizes.ar_heads, sizes.ar_layers, sizes.classes, sizes.condition,
                         PRIOR_RATIO, bias=False)
        self.out_norm = ConditionalNorm(sizes.ar_dim, sizes.condition)
        if not sizes.tied:
            self.out = nn.Linear(sizes.ar_dim, sizes.vocabulary, bias=False)
        self.set_positions(positions_1d(sizes.sequence, axis=0), sizes.ar_axes)


class Prior(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.sizes = sizes
        self.eos = sizes.vis + sizes.sem
        self.ar_model = PriorTransformer(sizes)
        self.semantic_emb = nn.Embedding(sizes.vocabulary, sizes.ar_dim)
        self.bos_emb = nn.Embedding(sizes.classes, sizes.ar_dim)

    def head(self):
        return self.semantic_emb.weight if self.sizes.tied else self.ar_model.out.weight

    def targets(self, indices):
        """Codebook indices [B, (K+)N] -> ids [B, T] in the AR vocabulary, EOS inserted."""
        if not self.sizes.has_prologue:
            return indices
        k = self.sizes.zlen
        return torch.cat([indices[:, :k] + self.sizes.vis, torch.full_like(indices[:, :1], self.eos), indices[:, k:]], 1)

    def forward(self, targets, labels, dropped=None, one_hot=None):
        """Logits [B, T, V].

        dropped: [B] bool, samples whose visual inputs become EOS. one_hot: [B, K, sem], straight-through prologue
        codes that replace the plain lookups, the only way of a gradient to the encoder.
        """
        k, ids = self.sizes.prologue, targets[:, :-1]
        if dropped is not None and self.sizes.has_prologue:
            visual = ids[:, k + 1 :]
            ids = torch.cat([ids[:, : k + 1], torch.where(dropped[:, None], self.eos, visual)], 1)
        inputs = self.semantic_emb(ids)
        if one_hot is not None:
            rows = self.semantic_emb.weight[self.sizes.vis : self.eos]
            inputs = torch.cat([one_hot @ rows, inputs[:, k:]], 1)
        return self.logits(torch.cat([self.bos_emb(labels)[:, None], inputs], 1))

    def logits(self, inputs):
        """Input embeddings [B, t, D] from BOS on, t <= T -> logits [B, t, V]."""
        c = self.ar_model.cond_proj()
        x = self.ar_model.run_layers(inputs, c, causal=True)
        return F.linear(self.ar_model.out_norm(x, c), self.head())

    def segment(self, t):
        """Ids [low, high) that position t may hold."""
        k = self.sizes.prologue
        if t < k:
            return self.sizes.vis, self.eos
        return (self.eos, self.eos + 1) if self.sizes.has_prologue and t == k else (0, self.sizes.vis)


class KeyValueCache:
    """Preallocated keys and values [B, H, T, d] of one layer, filled position by position."""

    def __init__(self, batch, heads, length, width, like):
        self.keys = torch.empty(batch, heads, length, width, dtype=like.dtype, device=like.device)
        self.values = torch.empty_like(self.keys)
        self.length = 0

    def attend(self, q, k, v):
        """Append k, v and let q attend to all so far, each [B, H, 1, d].

        Two plain products: for a single query on a CPU they are faster than PyTorch's fused attention.
        """
        t = self.length
        self.keys[:, :, t : t + 1], self.values[:, :, t : t + 1] = k, v
        self.length = t + 1
        scores = (q * q.shape[-1] ** -0.5) @ self.keys[:, :, : t + 1].transpose(-1, -2)
        return F.softmax(scores, dim=-1) @ self.values[:, :, : t + 1]


class IncrementalPrior:
    """One position at a time with cached keys and values; modulations are computed once."""

    def __init__(self, prior, batch):
        model, sizes = prior.ar_model, prior.sizes
        c = model.cond_proj()
        self.prior, self.t = prior, 0
        self.steps = [
            (layer, layer.modulation(c),
             KeyValueCache(batch, sizes.ar_heads, sizes.sequence, sizes.ar_dim // sizes.ar_heads, c))
            for layer in model.layers
        ]
        self.out_scale = model.out_norm.scale(c)

    def __call__(self, x, segment):
        """Input embeddings [B, 1, D] of position t -> logits [B, high - low] of that position's segment."""
        table = self.prior.ar_model.rope[self.t : self.t + 1]
        for layer, modulation, cache in self.steps:
            x = layer(x, modulation, table, cache=cache)
        self.t += 1
        low, high = segment
        return F.linear(rms(x[:, 0]) * self.out_scale, self.prior.head()[low:high])
