"""Guidance schedules and greedy sampling (method §5)."""

import math

import torch
import torch.nn.functional as F

from prior import IncrementalPrior


def ramp(schedule, fraction, power):
    """How far the guidance scale has moved from its start to its end after this fraction of the steps."""
    if schedule == "constant":
        return 1.0
    if schedule == "linear":
        return fraction
    if schedule == "cosine":
        return 0.5 * (1 - math.cos(math.pi * fraction**power))
    raise ValueError(f"guidance schedule {schedule!r} is none of constant, linear, cosine")


def guidance_scale(setting, sizes, t):
    """Scale of step t for one sampling setting of a pack's JSON."""
    k, total = sizes.prologue, sizes.sequence
    if "visual_cfg_schedule" not in setting:
        return 1 + (setting["cfg"] - 1) * ramp(setting["cfg_schedule"], t / total, setting.get("cfg_power", 1.0))
    segment, start, fraction = ("semantic", 0.0, t / k) if t < k else ("visual", 1.0, (t - k) / (total - k))
    scale = setting[f"{segment}_cfg_scale"]
    shape = ramp(setting[f"{segment}_cfg_schedule"], fraction, setting.get(f"{segment}_cfg_power", 1.0))
    return start + (scale - start) * shape


def guided(setting):
    """Whether a second, unconditional branch runs: a `cfg` of 0 turns guidance off."""
    return "visual_cfg_schedule" in setting or setting["cfg"] != 0


class UncachedPrior:
    """Recomputes the whole sequence for every position, to check the cached way: the inputs so far are kept instead."""

    def __init__(self, prior):
        self.prior, self.inputs = prior, []

    def __call__(self, x, segment):
        self.inputs.append(x)
        low, high = segment
        return self.prior.logits(torch.cat(self.inputs, 1))[:, -1, low:high]


@torch.inference_mode()
def sample_greedy(prior, labels, setting, step=None):
    """Most likely tokens [B, T] under guidance. Both branches run as one batch of 2B.

    step: called with the input embeddings [B, 1, D] of each position in turn and its segment, gives the logits.
    """
    sizes, both = prior.sizes, guided(setting)
    branches = torch.cat([labels, torch.full_like(labels, sizes.classes - 1)]) if both else labels
    step = step or IncrementalPrior(prior, len(branches))
    tokens = torch.empty(len(labels), sizes.sequence, dtype=torch.long, device=labels.device)
    x = prior.bos_emb(branches)[:, None]
    for t in range(sizes.sequence):
        low, high = prior.segment(t)
        logits = step(x, (low, high))
        if both:
            conditional, unconditional = logits.chunk(2)
            s = guidance_scale(setting, sizes, t)
            logits = s * conditional + (1 - s) * unconditional
        tokens[:, t] = low + logits.argmax(-1)
        x = prior.semantic_emb(tokens[:, t : t + 1]).repeat(2 if both else 1, 1, 1)
    return tokens


@torch.inference_mode()
def decode_tokens(encoder, decoder, visual):
    """Visual ids [B, N] -> patches [B, N, p*p*C]."""
    return decoder(F.embedding(visual, encoder.quantizer.codebook()))
