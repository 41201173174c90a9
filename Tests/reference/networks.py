"""Transformer parts shared by encoder, decoder and AR model (method §3).

Shape letters: B batch, T tokens, D model width, H heads, d head width (D = H*d), C condition width.
Module names are the published parameter names, so `state_dict()` keys are the keys of a pack.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

THETA_2D, THETA_1D = 2000.0, 10000.0
TOKENIZER_RATIO, PRIOR_RATIO = 8 / 3, 11 / 4  # FFN hidden width over model width


def rms(x):
    """x / max(|x|, 1e-12) * sqrt(width), over the last axis."""
    return F.normalize(x, dim=-1, eps=1e-12) * math.sqrt(x.shape[-1])


class RMSNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(width))

    def forward(self, x):
        return rms(x) * (1 + self.weight)


class ConditionalNorm(nn.Module):
    """RMS norm whose scale 1 + w comes from the condition instead of being learned directly."""

    def __init__(self, width, condition):
        super().__init__()
        self.affine = nn.Linear(condition, width)

    def scale(self, c):
        return 1 + self.affine(c)

    def forward(self, x, c):
        return rms(x) * self.scale(c)


class ConditionEmbedding(nn.Sequential):
    """`.0` linear on the one-hot label, `.1` norm, then GELU.

    Every network only ever sees the unconditional label (the last one), so one row [1, C] serves the whole batch.
    """

    def __init__(self, classes, condition):
        super().__init__(nn.Linear(classes, condition), RMSNorm(condition))

    def forward(self):
        linear, norm = self
        return F.gelu(norm(linear.weight[:, -1] + linear.bias), approximate="tanh")[None]


def rope_table(positions, axes, thetas):
    """cos and sin of the rotation angles, [T, 1, d/2, 2].

    positions: [T, 3] integers; axes: width of each of the three axes; thetas: [T], base per token.
    """
    angles = []
    for axis, width in enumerate(axes):
        exponents = -torch.arange(0, width, 2, dtype=torch.float64) / width
        angles.append(positions[:, axis : axis + 1].double() * thetas[:, None].double() ** exponents)
    angles = torch.cat(angles, dim=1)[:, None]
    return torch.stack([torch.cos(angles), torch.sin(angles)], dim=-1)


def positions_2d(side):
    """(row, col, 0) in raster order, with its base."""
    rows, cols = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    zeros = torch.zeros(side * side, dtype=torch.long)
    return torch.stack([rows.reshape(-1), cols.reshape(-1), zeros], 1), torch.full((side * side,), THETA_2D)


def positions_1d(count, axis):
    """l on one axis: axis 2 for a sequence that shares the attention with patches, axis 0 for one alone."""
    positions = torch.zeros(count, 3, dtype=torch.long)
    positions[:, axis] = torch.arange(count)
    return positions, torch.full((count,), THETA_1D)


def join(*parts):
    return tuple(torch.cat(column) for column in zip(*parts))


def rotate(x, table):
    """Rotate the interleaved pairs of x [B, T, H, d], in the precision of the table.

    Complex products are several times faster than strided real ones, but the compiler cannot fuse them.
    """
    pairs = x.to(table.dtype).unflatten(-1, (-1, 2))
    if not torch.compiler.is_compiling():
        return torch.view_as_real(torch.view_as_complex(pairs) * torch.view_as_complex(table)).flatten(-2)
    (a, b), (cos, sin) = pairs.unbind(-1), table.unbind(-1)
    return torch.stack([a * cos - b * sin, a * sin + b * cos], dim=-1).flatten(-2)


class Attention(nn.Module):
    def __init__(self, width, heads, bias):
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(width, width, bias=False)
        self.to_kv = nn.Linear(width, 2 * width, bias=False)
        self.q_norm = RMSNorm(width // heads)
        self.k_norm = RMSNorm(width // heads)
        self.proj = nn.Linear(width, width, bias=bias)

    def forward(self, x, table, causal, cache):
        split = lambda y: y.unflatten(-1, (self.heads, -1))
        k, v = self.to_kv(x).chunk(2, dim=-1)
        v = split(v).transpose(1, 2)
        q = rotate(self.q_norm(split(self.to_q(x))), table).transpose(1, 2).to(v.dtype)
        k = rotate(self.k_norm(split(k)), table).transpose(1, 2).to(v.dtype)
        if cache is None:
            y = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
        else:
            y = cache.attend(q, k, v)
        return self.proj(y.transpose(1, 2).flatten(-2))


class FeedForward(nn.Module):
    """GEGLU: the first half of fc1 is the gate, the second the value that passes through GELU."""

    def __init__(self, width, ratio, bias):
        super().__init__()
        hidden = round(width * ratio)
        self.fc1 = nn.Linear(width, 2 * hidden, bias=bias)
        self.fc2 = nn.Linear(hidden, width, bias=bias)

    def forward(self, x):
        gate, value = self.fc1(x).chunk(2, dim=-1)
        return self.fc2(F.gelu(value, approximate="tanh") * gate)


class Modulation(NamedTuple):
    """What the condition contributes to one layer; constant over tokens and samples, hence [1, D] each."""

    attention_scale: torch.Tensor
    attention_gate: torch.Tensor
    ffn_scale: torch.Tensor
    ffn_gate: torch.Tensor


class Layer(nn.Module):
    def __init__(self, width, heads, condition, ratio, bias):
        super().__init__()
        self.adaln_1 = ConditionalNorm(width, condition)
        self.attn1 = Attention(width, heads, bias)
        self.gate1 = nn.Linear(condition, width, bias=bias)
        self.adaln_mlp = ConditionalNorm(width, condition)
        self.ffn = FeedForward(width, ratio, bias)
        self.gate_mlp = nn.Linear(condition, width, bias=bias)

    def modulation(self, c):
        return Modulation(self.adaln_1.scale(c), self.gate1(c), self.adaln_mlp.scale(c), self.gate_mlp(c))

    def forward(self, x, m, table, causal=False, cache=None):
        x = x + m.attention_gate * self.attn1(rms(x) * m.attention_scale, table, causal, cache)
        return x + m.ffn_gate * self.ffn(rms(x) * m.ffn_scale)


class Transformer(nn.Module):
    """Condition embedding and layers; what encoder, decoder and AR model have in common."""

    def __init__(self, width, heads, layers, classes, condition, ratio, bias):
        super().__init__()
        self.cond_proj = ConditionEmbedding(classes, condition)
        self.layers = nn.ModuleList(Layer(width, heads, condition, ratio, bias) for _ in range(layers))

    def set_positions(self, positions, axes):
        table = rope_table(positions[0], axes, positions[1])
        self.register_buffer("rope", table.to(torch.get_default_dtype()), persistent=False)

    def run_layers(self, x, c, causal=False):
        for layer in self.layers:
            x = layer(x, layer.modulation(c), self.rope[: x.shape[1]], causal)
        return x
