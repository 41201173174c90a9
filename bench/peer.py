#!/usr/bin/env python3
"""PyTorch peer of `prologue bench`: the same workloads on the twin of Tests/reference, written to run fast.

    peer.py --workload ar-step --mode eager-float32 --repetitions 5    one JSON line
    peer.py --mode compiled-bf16 --serve                               a JSON line per request line `<workload> <repetitions>`
    peer.py --workload paper-ar-step --mode compiled-bf16 --device cuda        on a GPU, at the paper's sizes

ar-step: forward, backward, clipping, AdamW and EMA of the AR model. tokenizer-step: one step A and one step B of the
prologue variant with their AdamW updates. sampling: greedy, constant guidance, both branches in one batch, cached.
"""

import argparse
import json
import os
import resource
import sys
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

import torch
import torch.nn.functional as F

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "Tests" / "reference"))

from networks import rms  # noqa: E402
from prior import Prior  # noqa: E402
from sampling import sample_greedy  # noqa: E402
from tokenizer import Decoder, Encoder, Sizes, patchify  # noqa: E402
from training import decay_groups, frozen, optimizers, step_a, step_b  # noqa: E402

MODES = ("eager-float32", "compiled-float32", "eager-bf16", "compiled-bf16")
BATCH, GUIDANCE, WARM_UP = 64, 2.0, 2
PRIOR_EMA_HALF_LIFE, PRIOR_DECAY, RATE = 2500, 0.03, 1e-4

# The paper's Base size: 16 + 1 + 256 tokens, 16384 + 1024 + 1 ids.
BASE_BATCH = 4
BASE_SIZES = Sizes(
    tokenizer="prologue", dim=256, heads=4, layers=6, axes=[16, 24, 24], img=64, ch=1, patch=4, vis=16384, sem=1024, zlen=16,
    zdim=14, classes=11, ar_dim=768, ar_heads=12, ar_layers=12, ar_axes=[16, 24, 24], condition=32,
)
SIZES = Sizes(
    tokenizer="prologue", dim=256, heads=4, layers=6, axes=[16, 24, 24], img=32, ch=1, patch=4, vis=1024, sem=256, zlen=16,
    zdim=14, classes=11, ar_dim=256, ar_heads=4, ar_layers=6, ar_axes=[16, 24, 24], condition=32,
)

# The paper's tokenizer, its joint AR model, and its Base prior; toys of them.
PAPER = dict(tokenizer="prologue", img=256, ch=3, patch=16, vis=16384, sem=1024, zlen=16, zdim=14, classes=1001, condition=32)
TOY = dict(PAPER, img=32, vis=256, sem=64, zlen=4, classes=11)
NETWORK, TOY_NETWORK = (768, 12, 12), (128, 2, 2)


def initialise(*modules):
    """Sizes decide the speed, values do not, as long as nothing is zero, infinite or denormal."""
    for module in modules:
        for name, parameter in module.named_parameters():
            torch.nn.init.normal_(parameter, std=0.3 if "quantizer.embedding" in name else 0.02)


def paper_sizes(toy, joint):
    """With the joint AR model in the place of the prior, or the prior."""
    width, heads, layers = TOY_NETWORK if toy else NETWORK
    ar_width, ar_heads, ar_layers = TOY_NETWORK if toy else (512, 8, 7) if joint else NETWORK
    axes = dict(axes=[16, 24, 24], ar_axes=[16, 24, 24])
    return Sizes(
        dim=width, heads=heads, layers=layers, ar_dim=ar_width, ar_heads=ar_heads, ar_layers=ar_layers, **axes, **(TOY if toy else PAPER))


def random_targets(prior, sizes, batch):
    k, n = sizes.zlen, sizes.patches
    indices = torch.cat([torch.randint(sizes.sem, (batch, k)), torch.randint(sizes.vis, (batch, n))], 1)
    return prior.targets(indices)


class Mode:
    def __init__(self, name, device="cpu", toy=False):
        self.device, self.toy = device, toy
        kind, precision = name.split("-")
        self.name, self.compiled, self.bf16 = name, kind == "compiled", precision == "bf16"

    def autocast(self):
        return torch.autocast(self.device, dtype=torch.bfloat16, enabled=self.bf16)

    def compile(self, function):
        return torch.compile(function, dynamic=False) if self.compiled else function


def ar_step(mode, sizes=SIZES, batch=BATCH):
    """Returns the function that does one repetition."""
    prior = Prior(sizes)
    initialise(prior)
    parameters = list(prior.parameters())
    ema = [parameter.detach().clone() for parameter in parameters]
    keep = 0.5 ** (1 / PRIOR_EMA_HALF_LIFE)
    optimizer = torch.optim.AdamW(decay_groups(prior, PRIOR_DECAY), lr=RATE, betas=(0.9, 0.96), fused=True)
    targets, labels = random_targets(prior, sizes, batch), torch.randint(sizes.classes, (batch,))
    loss_of = mode.compile(lambda targets, labels: step_b(prior, targets, labels, None))

    def repetition():
        with mode.autocast():
            loss = loss_of(targets, labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0, foreach=True)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        with torch.no_grad():
            torch._foreach_lerp_(ema, parameters, 1 - keep)

    return repetition


def tokenizer_step(mode, sizes=SIZES, batch=BATCH):
    encoder, decoder, prior = Encoder(sizes), Decoder(sizes), Prior(sizes)
    initialise(encoder, decoder, prior)
    side_a, side_b = optimizers(encoder, decoder, prior, RATE, PRIOR_DECAY, fused=True)
    images = torch.randint(256, (batch, sizes.ch, sizes.img, sizes.img), dtype=torch.uint8)
    labels = torch.full((batch,), sizes.classes - 1)

    def encoder_loss(patches, dropped):
        a = step_a(encoder, decoder, prior, patches, labels, dropped, monitor=False)
        return a.loss, a.targets

    encoder_loss = mode.compile(encoder_loss)
    prior_loss = mode.compile(lambda targets, dropped: step_b(prior, targets, labels, dropped))

    def repetition():
        patches = patchify(images.float() / 127.5 - 1, sizes.patch)
        dropped = torch.rand(batch) < 0.5
        with frozen(prior):
            with mode.autocast():
                loss, targets = encoder_loss(patches, dropped)
            loss.backward()
        side_a.step()
        side_a.zero_grad(set_to_none=True)
        with mode.autocast():
            loss = prior_loss(targets, dropped)
        loss.backward()
        side_b.step()
        side_b.zero_grad(set_to_none=True)

    return repetition


class MaskedCache(NamedTuple):
    """Keys and values [B, H, T, d] of full length under a mask: the same shapes for every position."""

    keys: torch.Tensor
    values: torch.Tensor
    position: torch.Tensor  # [1]
    visible: torch.Tensor  # [1, 1, 1, T] bool

    def attend(self, q, k, v):
        self.keys.index_copy_(2, self.position, k)
        self.values.index_copy_(2, self.position, v)
        return F.scaled_dot_product_attention(q, self.keys, self.values, attn_mask=self.visible)


class CompiledPrior:
    """IncrementalPrior with one compiled graph for all layers and positions."""

    def __init__(self, prior, branches, sizes):
        self.prior, self.sizes, self.t = prior, sizes, 0
        c = prior.ar_model.cond_proj()
        self.modulations = [layer.modulation(c) for layer in prior.ar_model.layers]
        self.out_scale = prior.ar_model.out_norm.scale(c)
        shape = branches, sizes.ar_heads, sizes.sequence, sizes.ar_dim // sizes.ar_heads
        self.caches = [(torch.zeros(shape, dtype=c.dtype), torch.zeros(shape, dtype=c.dtype)) for _ in self.modulations]
        self.run_layer = torch.compile(lambda layer, x, m, table, cache: layer(x, m, table, cache=cache), dynamic=False)

    def __call__(self, x, segment):
        position = torch.tensor([self.t])
        table = self.prior.ar_model.rope[position]
        visible = (torch.arange(self.sizes.sequence) <= position)[None, None, None]
        for layer, modulation, (keys, values) in zip(self.prior.ar_model.layers, self.modulations, self.caches):
            x = self.run_layer(layer, x, modulation, table, MaskedCache(keys, values, position, visible))
        self.t = (self.t + 1) % self.sizes.sequence  # ready for the next sequence
        low, high = segment
        return F.linear(rms(x[:, 0]) * self.out_scale, self.prior.head()[low:high])


def sampling(mode, sizes=SIZES, batch=BATCH):
    prior = Prior(sizes)
    initialise(prior)
    if mode.bf16:
        rope = prior.ar_model.rope
        prior.bfloat16()  # inference needs no float32 copy, so nothing is cast again for every token
        prior.ar_model.rope = rope
    labels = torch.arange(batch) % (sizes.classes - 1)
    setting = dict(cfg=GUIDANCE, cfg_schedule="constant", cfg_power=1.0)
    if not mode.compiled:
        return lambda: sample_greedy(prior, labels, setting)
    with torch.inference_mode():
        step = CompiledPrior(prior, 2 * batch, sizes)
    agreeing = (sample_greedy(prior, labels, setting, step) == sample_greedy(prior, labels, setting)).double().mean()
    if not mode.bf16 and agreeing < 0.9:  # rounding may decide a token now and then, and with it those that follow
        raise RuntimeError(f"the compiled model draws other tokens than the eager one: only {agreeing:.0%} agree")
    return lambda: sample_greedy(prior, labels, setting, step)


def base_ar_step(mode):
    return ar_step(mode, BASE_SIZES, BASE_BATCH)


def paper(workload, joint, batch):
    """At the paper's sizes; None in a batch's place of a toy."""
    return lambda mode: workload(mode, paper_sizes(mode.toy, joint), 4 if mode.toy else batch)


WORKLOADS = {"ar-step": ar_step, "base-ar-step": base_ar_step, "tokenizer-step": tokenizer_step, "sampling": sampling}
PAPER_WORKLOADS = {
    "paper-ar-step": (paper(ar_step, False, 64), 64), "paper-tokenizer-step": (paper(tokenizer_step, True, 64), 64),
    "paper-sampling": (paper(sampling, False, 256), 256),
}
WORKLOADS |= {name: make for name, (make, _) in PAPER_WORKLOADS.items()}


class Bench:
    def __init__(self, mode, threads):
        self.mode, self.threads, self.ready = mode, threads, {}

    def run(self, workload, repetitions):
        if workload not in self.ready:
            torch.manual_seed(0)
            torch.set_default_device(self.mode.device)
            self.ready[workload] = WORKLOADS[workload](self.mode)
            for _ in range(WARM_UP):
                self.ready[workload]()
        seconds = []
        for _ in range(repetitions):
            start = time.perf_counter()
            self.ready[workload]()
            if self.mode.device == "cuda":
                torch.cuda.synchronize()
            seconds.append(time.perf_counter() - start)
        typical = median(seconds)
        batch, sizes = (BASE_BATCH, BASE_SIZES) if workload == "base-ar-step" else (BATCH, SIZES)
        if workload in PAPER_WORKLOADS:
            batch, sizes = 4 if self.mode.toy else PAPER_WORKLOADS[workload][1], paper_sizes(self.mode.toy, False)
        return {
            "workload": workload,
            "side": "pytorch",
            "mode": self.mode.name,
            "seconds": [round(s, 6) for s in seconds],
            "tokens_per_second": round(batch * sizes.sequence / typical, 1),
            "images_per_second": round(batch / typical, 1),
            **({"device_peak_mib": round(torch.cuda.max_memory_allocated() / 2**20, 1)} if self.mode.device == "cuda" else {}),
            "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
            "threads": self.threads,
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workload", choices=WORKLOADS, help="default: all")
    parser.add_argument("--mode", choices=MODES, default="eager-float32")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--toy", action="store_true", help="networks of the paper's workloads so small that a processor runs them at once")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--serve", action="store_true", help="answer request lines `<workload> <repetitions>` from stdin")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    bench = Bench(Mode(options.mode, options.device, options.toy), options.threads)
    if not options.serve:
        for workload in [options.workload] if options.workload else [name for name in WORKLOADS if name not in PAPER_WORKLOADS]:
            print(json.dumps(bench.run(workload, options.repetitions)), flush=True)
        return
    for line in sys.stdin:
        words = line.split()
        if len(words) != 2 or words[0] not in WORKLOADS or not words[1].isdigit() or words[1] == "0":
            sys.exit(f"request {line.strip()!r}: expected `<workload> <repetitions>`, workload one of {', '.join(WORKLOADS)}")
        print(json.dumps(bench.run(words[0], int(words[1]))), flush=True)


if __name__ == "__main__":
    main()
