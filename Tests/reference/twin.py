"""The method as one small PyTorch model, run the way a reference pack records it.

Written from docs/method.md; `check_packs.py` compares it with packs, `make_fixtures.py` writes packs with it.
"""

import copy
import json
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from prior import Prior
from sampling import UncachedPrior, decode_tokens, sample_greedy
from tokenizer import Decoder, Encoder, Sizes, patchify, unpatchify
from training import frozen, step_a, step_b, train

PARTS = ("encoder", "decoder", "ar")
INPUTS = ("io.images_uint8", "io.labels", "io.visual_dropped")


class Twin:
    """Encoder, decoder and AR model of one pack."""

    def __init__(self, sizes, dtype=torch.float32):
        default = torch.get_default_dtype()
        torch.set_default_dtype(dtype)  # also the precision of the rotation tables
        try:
            self.encoder, self.decoder, self.ar = Encoder(sizes), Decoder(sizes), Prior(sizes)
        finally:
            torch.set_default_dtype(default)
        self.sizes = sizes

    def parts(self):
        return {name: getattr(self, name) for name in PARTS}

    def parameters(self):
        """{"encoder.enc.…": tensor} under the names of a pack."""
        return {f"{part}.{name}": value for part, module in self.parts().items()
                for name, value in module.named_parameters()}

    def load(self, tensors):
        """Takes exactly the parameters of a pack; a missing, extra or misshapen one raises."""
        for part, module in self.parts().items():
            prefix = part + "."
            module.load_state_dict({key[len(prefix):]: value for key, value in tensors.items() if key.startswith(prefix)})
        return self

    def _inputs(self, tensors):
        dtype = next(self.encoder.parameters()).dtype
        images = tensors["io.images_uint8"].to(dtype) / 127.5 - 1
        return patchify(images, self.sizes.patch), tensors["io.labels"], tensors["io.visual_dropped"].bool()

    def _images(self, patches):
        return unpatchify(patches, self.sizes.patch, self.sizes.side, self.sizes.ch)

    def one_step(self, tensors):
        """The `io.*` and `grad.*` keys, from the three input keys."""
        patches, labels, dropped = self._inputs(tensors)
        with frozen(self.ar):
            a = step_a(self.encoder, self.decoder, self.ar, patches, labels, dropped)
            a.loss.backward()
        b = step_b(self.ar, a.targets, labels, dropped)
        b.backward()
        out = {
            "io.patches": patches,
            "io.indices": a.indices,
            "io.visual_quant": a.visual.values,
            "io.visual_entropies": a.visual.entropies,
            "io.visual_quant_loss": a.visual.loss.reshape(1),
            "io.l1": a.l1.reshape(1),
            "io.l2": a.l2.reshape(1),
            "io.recon_patches": a.patches,
            "io.recon_images": self._images(a.patches),
            "io.ar_targets": a.targets,
            "io.loss_encoder_step": a.loss.reshape(1),
            "io.loss_ar_step": b.reshape(1),
        }
        if a.prologue is None:
            out["io.ar_logits"] = self.ar(a.targets, labels)
            out["io.ce_visual"] = F.cross_entropy(out["io.ar_logits"].flatten(0, 1), a.targets.flatten()).reshape(1)
        else:
            out |= {
                "io.prologue_quant": a.prologue.values,
                "io.prologue_one_hot_ste_value": a.prologue.one_hot,
                "io.prologue_entropies": a.prologue.entropies,
                "io.ar_logits": a.logits,
                "io.ce_prologue_eos_visual": a.ce,
            }
        for name, parameter in self.parameters().items():
            out["grad." + name] = parameter.grad
            parameter.grad = None
        return {key: value.detach().contiguous() for key, value in out.items()}

    def samples(self, labels, settings):
        """The `sample.*` keys, and for each setting whether sampling without cache gives the same tokens."""
        out, cache_agrees = {}, {}
        for name, setting in settings.items():
            tokens = sample_greedy(self.ar, labels, setting)
            cache_agrees[name] = torch.equal(tokens, sample_greedy(self.ar, labels, setting, UncachedPrior(self.ar)))
            out[f"sample.{name}.tokens"] = tokens
        visual = out["sample.nocfg.tokens"][:, -self.sizes.patches :]
        out["sample.nocfg.images"] = self._images(decode_tokens(self.encoder, self.decoder, visual)).contiguous()
        return out, cache_agrees

    def trained(self, tensors, steps):
        """(a trained copy of the twin, the keys `train.losses` and `train.indices`)."""
        twin = copy.deepcopy(self)
        losses, indices = train(twin.encoder, twin.decoder, twin.ar, *twin._inputs(tensors), steps)
        return twin, {"train.losses": torch.tensor(losses, dtype=torch.float64), "train.indices": indices}

    def reproduce(self, tensors, settings, steps, final):
        """All result keys of a pack; `final` lists the parameter names of `train.final.*`."""
        out = self.one_step(tensors)
        samples, cache_agrees = self.samples(tensors["io.labels"], settings)
        twin, training = self.trained(tensors, steps)
        parameters = twin.parameters()
        finals = {f"train.final.{name}": parameters[name].detach() for name in final}
        return out | samples | training | finals, cache_agrees


def sizes_of(document, tensors):
    return Sizes.from_json(document, condition=tensors["encoder.enc.cond_proj.0.bias"].shape[0])


def load_pack(path):
    """(JSON document, tensors) of PATH.safetensors with PATH.json beside it."""
    path = Path(path)
    return json.loads(path.with_suffix(".json").read_text()), load_file(path)
