"""Losses and the alternating optimisation of tokenizer and joint AR model (method §4.2 and §4.3)."""

from typing import NamedTuple

import torch
import torch.nn.functional as F

CE_WEIGHT = 3.0
EXEMPT = ("bias", "norm", "adaln")


class StepA(NamedTuple):
    """Everything one encoder step computes."""

    loss: torch.Tensor
    l1: torch.Tensor
    l2: torch.Tensor
    patches: torch.Tensor  # reconstruction [B, N, p*p*C]
    visual: tuple
    prologue: tuple | None
    indices: torch.Tensor  # [B, (K+)N]
    targets: torch.Tensor  # [B, T]
    logits: torch.Tensor | None  # [B, T, V]
    ce: torch.Tensor | None  # [3]: prologue, EOS, visual; each summed over its tokens, divided by T


def cross_entropies(logits, targets):
    """[B, T] negative log likelihoods."""
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none").view(targets.shape)


def step_a(encoder, decoder, prior, patches, labels, dropped, monitor=True):
    """L1 + L2 + quantizer loss (+ 3 * CE through straight-through prologue inputs), AR model frozen by the caller.

    The baselines train without CE, so their AR model is not run.
    """
    visual, prologue = encoder(patches, monitor)
    reconstruction = decoder(visual.values)
    l1, l2 = F.l1_loss(reconstruction, patches), F.mse_loss(reconstruction, patches)
    loss = l1 + l2 + visual.loss
    if prologue is None:
        targets = prior.targets(visual.indices)
        return StepA(loss, l1, l2, reconstruction, visual, None, visual.indices, targets, None, None)
    indices = torch.cat([prologue.indices, visual.indices], 1)
    targets = prior.targets(indices)
    logits = prior(targets, labels, dropped, prologue.one_hot)
    per_token = cross_entropies(logits, targets).mean(0) / targets.shape[1]
    k = prior.sizes.zlen
    ce = torch.stack([per_token[:k].sum(), per_token[k], per_token[k + 1 :].sum()])
    loss = loss + CE_WEIGHT * ce.sum()
    return StepA(loss, l1, l2, reconstruction, visual, prologue, indices, targets, logits, ce)


def step_b(prior, targets, labels, dropped):
    """Mean CE of the AR model with plain lookups."""
    logits = prior(targets, labels, dropped)
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


def decay_groups(module, decay):
    """AdamW groups: decay on matrices only, and not on names with bias, norm or adaln."""
    groups = {decay: [], 0.0: []}
    for name, parameter in module.named_parameters():
        exempt = parameter.ndim < 2 or any(word in name for word in EXEMPT)
        groups[0.0 if exempt else decay].append(parameter)
    return [{"params": parameters, "weight_decay": d} for d, parameters in groups.items()]


def optimizers(encoder, decoder, prior, rate, decay, fused=False):
    """The two AdamW: (autoencoder, AR model)."""
    autoencoder = [*encoder.parameters(), *decoder.parameters()]
    return (
        torch.optim.AdamW(autoencoder, lr=rate, betas=(0.0, 0.99), eps=1e-8, weight_decay=0.0, fused=fused),
        torch.optim.AdamW(decay_groups(prior, decay), lr=rate, betas=(0.9, 0.99), eps=1e-8, fused=fused),
    )


def frozen(module):
    """Context in which gradients flow through `module` but never to it."""
    return _Frozen(module)


class _Frozen:
    def __init__(self, module):
        self.module = module

    def __enter__(self):
        self.module.requires_grad_(False)

    def __exit__(self, *_):
        self.module.requires_grad_(True)


def train(encoder, decoder, prior, patches, labels, dropped, steps, rate=1e-3, decay=1.0):
    """Steps on one batch; returns (losses before each update, indices [A steps, B, (K+)N] of every step A)."""
    side_a, side_b = optimizers(encoder, decoder, prior, rate, decay)
    losses, indices, targets = [], [], None
    for step in range(steps):
        if prior.sizes.has_prologue and step % 2 == 1:
            side, loss = side_b, step_b(prior, targets, labels, dropped)
            loss.backward()
        else:
            with frozen(prior):
                result = step_a(encoder, decoder, prior, patches, labels, dropped)
                result.loss.backward()
            side, loss, targets = side_a, result.loss, result.targets
            indices.append(result.indices)
        side.step()
        side.zero_grad(set_to_none=True)
        losses.append(loss.item())
    return losses, torch.stack(indices)
