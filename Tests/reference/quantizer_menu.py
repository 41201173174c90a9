"""The quantizers of the ablation menu, from their papers' formulas, and the fixture that pins them down.

Shape letters: B batch, T tokens, D width of the hidden states, Z code width, V codes. Every kind has points z [B, T, Z] and
codes c [V, Z]; soft assignments are softmax(-|z - c|^2 / (2 tau)), which for unit vectors is softmax(cosine / tau).
"""

import itertools
import math

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

COMMITMENT = 0.3
# Weights of the scalars whose gradients are recorded, beside random ones for codes and probabilities.
LOSS, ENTROPY = 0.7, 0.4

CASES = {
    "vq": dict(kind="vq", width=9, codes=23, z=5, tau=0.5, entropy_tau=0.1),
    "probq": dict(kind="probq", width=8, codes=19, z=4, tau=0.2, entropy_tau=0.05),
    "lfq": dict(kind="lfq", width=10, codes=16, z=4, tau=0.3, entropy_tau=0.2),
    "fsq": dict(kind="fsq", width=7, codes=60, levels=[5, 4, 3], z=3, tau=0.25, entropy_tau=0.1),
    "gumbel": dict(kind="gumbel", width=8, codes=21, z=6, tau=0.3, relaxation=0.8, entropy_tau=0.1),
}


def binary_codes(bits):
    """All sign vectors / sqrt(bits); channel 0 changes fastest."""
    return torch.tensor([[1.0 if k >> i & 1 else -1.0 for i in range(bits)] for k in range(2**bits)]) / math.sqrt(bits)


def grid_codes(levels):
    """All grid points in units of L // 2; channel 0 changes fastest."""
    points = itertools.product(*[range(level) for level in reversed(levels)])
    return torch.tensor([[(k - level // 2) / (level // 2) for k, level in zip(reversed(p), levels)] for p in points])


def bound(x, levels, eps=1e-3):
    """FSQ's bounding function (Mentzer et al. 2023, appendix A.1) with shift = artanh(offset / half)."""
    level = torch.tensor(levels, dtype=x.dtype)
    half = (level - 1) * (1 - eps) / 2
    offset = torch.where(level % 2 == 0, 0.5, 0.0).to(x.dtype)
    return torch.tanh(x + torch.atanh(offset / half)) * half - offset


def straight_through(x, value):
    return x + (value - x).detach()


def quantize(case, use, h, weight, bias, embedding=None, noise=None):
    """(indices, codes, loss or None, probabilities, entropy loss, margin by which the indices were decided)."""
    kind, tau = case["kind"], case["tau"]
    x, loss, margin = F.linear(h, weight, bias), None, None
    if kind == "fsq":
        half_width = torch.tensor([level // 2 for level in case["levels"]], dtype=x.dtype)
        bounded = bound(x, case["levels"])
        rounded = bounded.round()
        margin = (0.5 - (bounded - rounded).abs()).min()
        basis = torch.tensor([1, *itertools.accumulate(case["levels"][:-1], lambda a, b: a * b)])
        indices = ((rounded + half_width).long() * basis).sum(-1)
        z, c = bounded / half_width, grid_codes(case["levels"]).to(x.dtype)
        value = rounded / half_width
        codes = straight_through(z, value)
    elif kind == "lfq":
        z = F.normalize(x, dim=-1)
        c = binary_codes(z.shape[-1]).to(x.dtype)
        margin = z.abs().min()
        indices = ((z > 0).long() * 2 ** torch.arange(z.shape[-1])).sum(-1)
        value = torch.sign(z) / math.sqrt(z.shape[-1])
        codes = straight_through(z, value)
        loss = COMMITMENT * F.mse_loss(z, value.detach())
    else:
        z, c = F.normalize(x, dim=-1), F.normalize(embedding, dim=-1)
    squared = ((z.unsqueeze(-2) - c) ** 2).sum(-1)
    logits = -squared / (2 * tau)
    if kind == "gumbel":
        logits = (logits + noise) / case["relaxation"]
    p = F.softmax(logits, dim=-1)
    if kind in ("vq", "probq", "gumbel"):
        top = (logits * tau).topk(2, dim=-1).values
        margin = (top[..., 0] - top[..., 1]).min()
        indices = logits.argmax(-1)
        value = F.embedding(indices, c)
        if kind == "vq":
            loss = F.mse_loss(value, z.detach()) + COMMITMENT * F.mse_loss(z, value.detach())
            codes = straight_through(z, value)
        else:
            one_hot = straight_through(p, F.one_hot(indices, len(c)).to(p.dtype))
            codes = one_hot @ c
    if use == "prologue":
        codes = value.detach()
    q = F.softmax(-squared / (2 * case["entropy_tau"]), dim=-1).flatten(0, -2)
    mean = q.mean(0)
    entropy = -(q * torch.log(q)).sum(-1).mean() + (mean * torch.log(mean + 1e-5)).sum()
    return indices, codes, loss, p, entropy, margin


def record(name, case, use, generator):
    """Keys of one case, or None where rounding could decide an index."""
    normal = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)
    inputs = {
        "h": normal(3, 6, case["width"]),
        "weight": normal(case["z"], case["width"]) / math.sqrt(case["width"]) * (2 if case["kind"] == "fsq" else 1),
        "bias": 0.3 * normal(case["z"]),
    }
    if case["kind"] not in ("lfq", "fsq"):
        inputs["embedding"] = normal(case["codes"], case["z"])
    fixed = {"weight_codes": normal(3, 6, case["z"]), "weight_probabilities": normal(3, 6, case["codes"])}
    if case["kind"] == "gumbel":
        fixed["noise"] = -torch.log(-torch.log(torch.rand(3, 6, case["codes"], generator=generator, dtype=torch.float64)))
    # What the Swift side reads is float32: so are the values that this is computed from.
    inputs = {key: value.float().double().requires_grad_() for key, value in inputs.items()}
    fixed = {key: value.float().double() for key, value in fixed.items()}
    indices, codes, loss, p, entropy, margin = quantize(case, use, **inputs, noise=fixed.get("noise"))
    if margin < 1e-3:
        return None
    total = (p * fixed["weight_probabilities"]).sum() + ENTROPY * entropy
    if codes.requires_grad:
        total = total + (codes * fixed["weight_codes"]).sum()
    if loss is not None:
        total = total + LOSS * loss
    total.backward()
    out = inputs | fixed | {"codes": codes, "probabilities": p, "entropy_loss": entropy.reshape(1)}
    if loss is not None:
        out["loss"] = loss.reshape(1)
    out |= {f"grad.{key}": value.grad for key, value in inputs.items()}
    out = {key: value.detach().float().contiguous() for key, value in out.items()} | {"indices": indices}
    return {f"{name}.{use}.{key}": value.clone() for key, value in out.items()}


def make_quantizer_fixture(out):
    tensors = {}
    for (name, case), use in itertools.product(CASES.items(), ("visual", "prologue")):
        for seed in itertools.count():
            found = record(name, case, use, torch.Generator().manual_seed(seed))
            if found is not None:
                break
        tensors |= found
    # Apart from the packs: these are layers, not models.
    (out / "layers").mkdir(exist_ok=True)
    save_file(tensors, out / "layers" / "quantizers.safetensors")
