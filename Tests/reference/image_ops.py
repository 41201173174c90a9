"""Convolutions, norms, activations, pools and resizing of PyTorch in double precision, with their gradients, as a fixture.

Images are stored as [B, H, W, C] and convolution weights as [out, height, width, in]; a case `op.i` has its arguments in
`op.i.window` (height, width, stride, top, left, bottom, right) or `op.i.groups`, inputs, output `y`, and gradients `dx`, `dw`,
`db` of Σ dy·y. Weights of a depthwise convolution are [height, width, C].
"""

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

EPSILON, MOMENTUM, SLOPE = 1e-5, 0.1, 0.2

# Image [B, H, W, C], output channels, window.
CONVOLUTIONS = [
    ((2, 9, 7, 3), 5, (3, 3, 1, 1, 1, 1, 1)), ((1, 10, 11, 2), 4, (4, 4, 2, 1, 1, 1, 1)), ((2, 6, 8, 3), 3, (1, 7, 1, 0, 3, 0, 3)),
    ((2, 8, 6, 3), 2, (7, 1, 1, 3, 0, 3, 0)), ((1, 7, 9, 4), 3, (3, 2, 2, 0, 1, 2, 0)), ((3, 5, 5, 6), 7, (1, 1, 1, 0, 0, 0, 0)),
]
POOLS = [
    ((2, 9, 7, 3), (3, 3, 2, 0, 0, 0, 0)), ((1, 8, 8, 5), (3, 3, 1, 1, 1, 1, 1)), ((2, 6, 5, 2), (2, 2, 2, 0, 0, 0, 0)),
    ((1, 7, 6, 3), (3, 2, 2, 0, 1, 2, 0)),
]
NORMS = [(3, 5, 4, 6), (2, 3, 7, 8), (4, 2, 2, 5)]
DEPTHWISE = [((2, 9, 8, 5), (7, 7, 1, 3, 3, 3, 3)), ((1, 10, 7, 3), (3, 2, 2, 0, 1, 2, 0)), ((2, 4, 4, 19), (3, 3, 1, 1, 1, 1, 1))]
ANTIALIASED = [((2, 16, 16, 3), 14, 14), ((1, 28, 20, 1), 56, 60), ((1, 37, 29, 2), 7, 23), ((1, 5, 5, 2), 5, 5)]
SIZES = [((2, 7, 5, 3), 11, 13), ((1, 28, 28, 1), 61, 47), ((1, 9, 12, 2), 4, 5)]


def planes(x):
    return x.permute(0, 3, 1, 2)


def pixels(x):
    return x.permute(0, 2, 3, 1).contiguous()


def padded(x, window, value=0.0):
    _, _, _, top, left, bottom, right = window
    return F.pad(x, (left, right, top, bottom), value=value)


class Cases:
    def __init__(self):
        self.tensors, self.generator, self.counts = {}, torch.Generator().manual_seed(0), {}

    def random(self, *shape):
        # Values that float32 holds exactly.
        return torch.randn(shape, generator=self.generator).double()

    def add(self, op, call, x, parameters, **more):
        number = self.counts[op] = self.counts.get(op, -1) + 1
        inputs = {"x": x} | parameters
        for value in inputs.values():
            value.requires_grad_()
        y = call(*inputs.values())
        dy = self.random(*y.shape)
        gradients = torch.autograd.grad((y * dy).sum(), list(inputs.values()))
        record = inputs | {"y": y, "dy": dy} | {f"d{name}": g for name, g in zip(inputs, gradients)}
        record = {name: value.detach().float().contiguous() for name, value in record.items()}
        record |= {name: value if torch.is_tensor(value) else torch.tensor(value) for name, value in more.items()}
        self.tensors |= {f"{op}.{number}.{name}": value.clone() for name, value in record.items()}


def average(x, window, counts_padding):
    kernel, stride = window[:2], window[2]
    total = F.avg_pool2d(padded(planes(x), window), kernel, stride, divisor_override=1)
    ones = padded(torch.ones_like(planes(x)), window)
    area = kernel[0] * kernel[1] if counts_padding else F.avg_pool2d(ones, kernel, stride, divisor_override=1)
    return pixels(total / area)


def resize(x, height, width):
    """Output pixel i reads input position i·in/out; the last row and column go on."""
    def axis(out, size):
        return (torch.arange(out).double() * size / out).clamp(max=size - 1) * 2 / (size - 1) - 1
    y, w = torch.meshgrid(axis(height, x.shape[1]), axis(width, x.shape[2]), indexing="ij")
    grid = torch.stack([w, y], -1).expand(x.shape[0], -1, -1, -1)
    return pixels(F.grid_sample(planes(x), grid, mode="bilinear", padding_mode="border", align_corners=True))


def make_image_ops(path):
    cases = Cases()
    for shape, out, window in CONVOLUTIONS:
        cases.add("conv2d", lambda x, w, b: pixels(F.conv2d(padded(planes(x), window), planes(w), b, stride=window[2])),
                  cases.random(*shape), {"w": cases.random(out, *window[:2], shape[-1]), "b": cases.random(out)}, window=window)
    for shape, window in POOLS:
        x = cases.random(*shape)
        cases.add("max_pool", lambda x: pixels(F.max_pool2d(padded(planes(x), window, -torch.inf), window[:2], window[2])),
                  x, {}, window=window)
        for op, counts in [("average_pool", False), ("average_pool_padding", True)]:
            cases.add(op, lambda x: average(x, window, counts), x.detach().clone(), {}, window=window)
        # PyTorch's own way of leaving padding out, where it has one.
        if len(set(window[3:])) == 1:
            own = F.avg_pool2d(planes(x), window[:2], window[2], window[3], count_include_pad=False)
            assert torch.allclose(average(x, window, False), pixels(own), atol=1e-12)
    for shape in NORMS:
        x, channels = 2 * cases.random(*shape) + 1, shape[-1]
        parameters = lambda: {"w": cases.random(channels), "b": cases.random(channels)}
        mean, variance = torch.zeros(channels).double(), torch.ones(channels).double()
        F.batch_norm(planes(x), mean, variance, training=True, momentum=MOMENTUM)
        cases.add("batch_norm", lambda x, w, b: pixels(F.batch_norm(planes(x), None, None, w, b, training=True, eps=EPSILON)),
                  x.clone(), parameters(), running_mean=mean.float(), running_variance=variance.float())
        cases.add("frozen_batch_norm", lambda x, w, b: pixels(F.batch_norm(planes(x), mean, variance, w, b, eps=EPSILON)),
                  x.clone(), parameters(), mean=mean.float(), variance=variance.float())
    cases.add("leaky_relu", lambda x: F.leaky_relu(x, SLOPE), cases.random(2, 3, 5), {})
    cases.add("softplus", F.softplus, 8 * cases.random(2, 3, 5), {})
    for shape, height, width in SIZES:
        cases.add("resize", lambda x: resize(x, height, width), cases.random(*shape), {})
    for shape, window in DEPTHWISE:
        channels = shape[-1]
        cases.add("depthwise",
                  lambda x, w, b: pixels(F.conv2d(padded(planes(x), window), w.permute(2, 0, 1)[:, None], b, window[2], groups=channels)),
                  cases.random(*shape), {"w": cases.random(*window[:2], channels), "b": cases.random(channels)}, window=window)
    for shape in NORMS:
        channels = shape[-1]
        cases.add("layer_norm", lambda x, w, b: F.layer_norm(x, [channels], w, b, 1e-6), 2 * cases.random(*shape) + 1,
                  {"w": cases.random(channels), "b": cases.random(channels)})
    cases.add("exact_gelu", F.gelu, torch.linspace(-9, 9, 181).double(), {})
    for shape, height, width in ANTIALIASED:
        cases.add("antialiased", lambda x: pixels(F.interpolate(planes(x), (height, width), mode="bilinear", antialias=True)),
                  cases.random(*shape), {})
    save_file(cases.tensors, path)
    print(f"{path.stem}: {path.stat().st_size} bytes", flush=True)
