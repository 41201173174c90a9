#!/usr/bin/env python3
"""The paper's AR-Base training step in JAX, written to run fast there: bfloat16 products, cuDNN's attention on a GPU, AdamW with
clipping and an average, state donated. One line of JSON, as peer.py's.

    jax_step.py [--toy] [--repetitions N]
"""

import argparse
import json
import time
from functools import partial

import jax
import jax.numpy as jnp

HALF = jnp.bfloat16
DECAY, RATE, BETAS, EPSILON, KEEP = 0.03, 1e-4, (0.9, 0.96), 1e-8, 0.9997


def sizes(toy):
    width, layers, heads, side, visual, prologue = (128, 2, 2, 2, 256, 4) if toy else (768, 12, 12, 16, 16384, 16)
    codes = 64 if toy else 1024
    return dict(
        width=width, layers=layers, heads=heads, length=prologue + 1 + side * side, vocabulary=visual + codes + 1,
        classes=11 if toy else 1001, condition=32, batch=4 if toy else 64)


def parameters(key, s):
    shapes, d = {"table": (s["vocabulary"], s["width"]), "bos": (s["classes"], s["width"]), "condition": (s["condition"],)}, s["width"]
    hidden = round(2.75 * d)
    for i in range(s["layers"]):
        shapes |= {
            f"{i}.qkv": (3 * d, d), f"{i}.out": (d, d), f"{i}.up": (2 * hidden, d), f"{i}.down": (d, hidden), f"{i}.q_norm": (d // s["heads"],),
            f"{i}.k_norm": (d // s["heads"],), f"{i}.norm1": (d, s["condition"]), f"{i}.norm2": (d, s["condition"]),
            f"{i}.gate1": (d, s["condition"]), f"{i}.gate2": (d, s["condition"]),
        }
    shapes |= {"norm": (d, s["condition"]), "head": (s["vocabulary"], d)}
    keys = jax.random.split(key, len(shapes))
    return {name: 0.02 * jax.random.normal(k, shape) for k, (name, shape) in zip(keys, shapes.items())}


def times(x, weight):
    return jnp.einsum("...i,oi->...o", x.astype(HALF), weight.astype(HALF))


def unit(x):
    x = x.astype(jnp.float32)
    return x * jax.lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + 1e-24)


def rotated(x, angles):
    a, b = jnp.split(x.reshape(*x.shape[:-1], -1, 2), 2, -1)
    c, s = jnp.cos(angles)[:, None, :, None], jnp.sin(angles)[:, None, :, None]
    return jnp.concatenate([a * c - b * s, a * s + b * c], -1).reshape(x.shape)


def loss_of(p, s, attention, targets, labels):
    x = jnp.concatenate([p["bos"][labels][:, None], p["table"][targets[:, :-1]]], 1)
    (batch, length, d), heads = x.shape, s["heads"]
    half = d // heads // 2
    angles = jnp.arange(length)[:, None] * 10000.0 ** (-jnp.arange(half) / half)
    c = p["condition"]
    for i in range(s["layers"]):
        h = unit(x) * (1 + p[f"{i}.norm1"] @ c)
        q, k, v = (t.reshape(batch, length, heads, -1) for t in jnp.split(times(h, p[f"{i}.qkv"]), 3, -1))
        q = rotated(unit(q) * (1 + p[f"{i}.q_norm"]), angles).astype(HALF)
        k = rotated(unit(k) * (1 + p[f"{i}.k_norm"]), angles).astype(HALF)
        mixed = jax.nn.dot_product_attention(q, k, v, is_causal=True, implementation=attention).reshape(batch, length, d)
        x = x + (p[f"{i}.gate1"] @ c) * times(mixed, p[f"{i}.out"])
        gate, value = jnp.split(times(unit(x) * (1 + p[f"{i}.norm2"] @ c), p[f"{i}.up"]), 2, -1)
        x = x + (p[f"{i}.gate2"] @ c) * times(jax.nn.gelu(value, approximate=True) * gate, p[f"{i}.down"])
    logits = times(unit(x) * (1 + p["norm"] @ c), p["head"]).astype(jnp.float32)
    own = jnp.take_along_axis(logits, targets[..., None], -1)[..., 0]
    return jnp.mean(jax.nn.logsumexp(logits, -1) - own)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--toy", action="store_true", help="a network so small that a processor runs it at once")
    parser.add_argument("--repetitions", type=int, default=10)
    options = parser.parse_args()
    s, device = sizes(options.toy), jax.devices()[0]
    attention = "cudnn" if device.platform == "gpu" else None

    @partial(jax.jit, donate_argnums=0)
    def step(state, targets, labels):
        p, first, second, average, n = state
        loss, g = jax.value_and_grad(loss_of)(p, s, attention, targets, labels)
        norm = jnp.sqrt(sum(jnp.sum(x * x) for x in g.values()))
        clip, n = jnp.minimum(1, 1 / (norm + 1e-6)), n + 1
        corrections = [1 - beta**n for beta in BETAS]
        new = {}
        for name in p:
            x = g[name] * clip
            m, v = (BETAS[0] * first[name] + (1 - BETAS[0]) * x, BETAS[1] * second[name] + (1 - BETAS[1]) * x * x)
            decay = 1 - RATE * DECAY if p[name].ndim > 1 and "norm" not in name else 1
            y = decay * p[name] - RATE * (m / corrections[0]) / (jnp.sqrt(v / corrections[1]) + EPSILON)
            new[name] = y, m, v, KEEP * average[name] + (1 - KEEP) * y
        return tuple({name: new[name][i] for name in p} for i in range(4)) + (n,), loss

    p = parameters(jax.random.key(0), s)

    def zeros():
        return {name: jnp.zeros_like(x) for name, x in p.items()}

    state = p, zeros(), zeros(), {name: x + 0 for name, x in p.items()}, jnp.float32(0)
    targets = jax.random.randint(jax.random.key(1), (s["batch"], s["length"]), 0, s["vocabulary"])
    labels = jax.random.randint(jax.random.key(2), (s["batch"],), 0, s["classes"])
    start = time.perf_counter()
    compiled = step.lower(state, targets, labels).compile()
    compiling = time.perf_counter() - start
    for _ in range(2):
        state, loss = compiled(state, targets, labels)
    first = float(loss)
    seconds = []
    for _ in range(options.repetitions):
        start = time.perf_counter()
        state, loss = compiled(state, targets, labels)
        loss.block_until_ready()
        seconds.append(round(time.perf_counter() - start, 6))
    start = time.perf_counter()
    for _ in range(options.repetitions):
        state, loss = compiled(state, targets, labels)
    loss.block_until_ready()
    chained = (time.perf_counter() - start) / options.repetitions
    print(json.dumps({
        "workload": "paper-ar-step", "side": "jax", "version": jax.__version__, "device": device.device_kind, "compiling_seconds": compiling,
        "seconds": seconds, "chained_seconds": chained, "loss": [first, float(loss)],
    }))


if __name__ == "__main__":
    main()
