"""ConvNeXt-S with torchvision's names, random weights, and the perceptual loss of its logits.

    convnext.main([FOLDER])

reads `images.safetensors` (`real`, `rebuilt`: [B, H, W, 1 or 3] in [-1, 1]) there, writes `weights.safetensors`, and `peer.safetensors`
with the logits of `rebuilt`, the loss and its gradient `dx`.
"""

import sys

import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

STAGES = [(3, 96), (3, 192), (27, 384), (3, 768)]


class Planes(nn.LayerNorm):
    """Over the channels of [B, C, H, W]."""

    def forward(self, x):
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Turn(nn.Module):
    def __init__(self, *axes):
        super().__init__()
        self.axes = axes

    def forward(self, x):
        return x.permute(*self.axes)


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.block = nn.Sequential(
            nn.Conv2d(width, width, 7, padding=3, groups=width), Turn(0, 2, 3, 1), nn.LayerNorm(width, eps=1e-6),
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width), Turn(0, 3, 1, 2))
        self.layer_scale = nn.Parameter(torch.empty(width, 1, 1))

    def forward(self, x):
        return x + self.layer_scale * self.block(x)


class ConvNeXt(nn.Module):
    def __init__(self):
        super().__init__()
        parts, width = [], 3
        for number, (count, channels) in enumerate(STAGES):
            if number:
                parts.append(nn.Sequential(Planes(width, eps=1e-6), nn.Conv2d(width, channels, 2, 2)))
            else:
                parts.append(nn.Sequential(nn.Conv2d(width, channels, 4, 4), Planes(channels, eps=1e-6)))
            parts.append(nn.Sequential(*(Block(channels) for _ in range(count))))
            width = channels
        self.features = nn.Sequential(*parts)
        self.classifier = nn.Sequential(Planes(width, eps=1e-6), nn.Flatten(1), nn.Linear(width, 1000))

    def forward(self, images):
        """images [B, H, W, 1 or 3] in [-1, 1] -> logits [B, 1000]."""
        x = (images.permute(0, 3, 1, 2).expand(-1, 3, -1, -1) + 1) / 2
        x = F.interpolate(x, (224, 224), mode="bilinear", antialias=True)
        mean, deviation = (torch.tensor(v)[:, None, None] for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
        x = self.features((x - mean) / deviation)
        return self.classifier(x.mean((2, 3), keepdim=True))


def randomized(seed=0):
    """Weights of such sizes that every part of the network matters to its logits."""
    network, generator = ConvNeXt(), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in network.named_parameters():
            if value.ndim > 1 and "layer_scale" not in name:
                value.normal_(0, (2 / value[0].numel()) ** 0.5, generator=generator)
            else:
                centre = 0.3 if "layer_scale" in name else 0.0 if "bias" in name else 1.0
                value.normal_(centre, 0.1, generator=generator)
    return network.requires_grad_(False)


def main(arguments):
    (folder,) = arguments
    network = randomized()
    save_file({k: v.contiguous() for k, v in network.state_dict().items()}, folder + "/weights.safetensors")
    data = load_file(folder + "/images.safetensors")
    rebuilt = data["rebuilt"].clone().requires_grad_()
    logits = network(rebuilt)
    loss = (logits - network(data["real"])).pow(2).mean()
    loss.backward()
    save_file({"logits": logits.detach(), "loss": loss.detach()[None], "dx": rebuilt.grad.contiguous()}, folder + "/peer.safetensors")


if __name__ == "__main__":
    main(sys.argv[1:])
