#!/usr/bin/env python3
"""What `omma quantize` wrote, seen by compressed-tensors and transformers.

    check.py REFERENCE SOURCE FOLDER --image FILE --prompt TEXT [--dump OUT.safetensors]

REFERENCE is the folder of the reference's scripts (dump.py, quantize.py), SOURCE the model in the original layout, FOLDER
what omma wrote of it.  Three things are shown, and the exit code is 1 if one does not hold:

  1  the scales are those of compressed-tensors' calculate_qparams, byte for byte, and each weight is the f32 quotient by the
     scale as stored, rounded to nearest even; told besides is how many weights are others where the quotient is bf16, as
     compressed-tensors computes it
  2  transformers loads FOLDER with compressed-tensors, every tensor in its place, and its logits in float32 are those of
     quantize.py's arithmetic on the same folder
  3  what is not quantized is the source, rounded to bf16

--dump writes what quantize.py's arithmetic gives on FOLDER, for `omma compare`.
Needs torch, transformers >= 5, compressed-tensors, safetensors, pillow, numpy.
"""
import argparse
import contextlib
import io
import json
import os
import sys

import torch
from compressed_tensors.quantization import QuantizationArgs
from compressed_tensors.quantization.utils import calculate_qparams
from safetensors.torch import save_file
from transformers import InternVLForConditionalGeneration

FAILED = []


def expect(ok, what):
    print(f"{'ok  ' if ok else 'FAIL'} {what}")
    if not ok:
        FAILED.append(what)


def source_by_module(dump, folder):
    """Names of the -hf layout without "model." -> tensors of the source."""
    out = {}
    for name, value in dump.to_transformers(dump.read_checkpoint(folder)).items():
        name = name.removeprefix("model.")
        name = "language_model." + name if name == "lm_head.weight" else name.replace("language_model.", "language_model.model.", 1)
        out[name] = value
    return out


def check_weights(source, written):
    per_row = QuantizationArgs(num_bits=8, type="int", symmetric=True, strategy="channel")
    n = wrong_scales = wrong = others = 0
    kept_equal = True
    for name, value in written.items():
        if name.endswith("_scale"):
            continue
        w = source[name]
        scale = written.get(name + "_scale")
        if scale is None:
            kept_equal &= torch.equal(value, w.to(torch.bfloat16)) and value.dtype == torch.bfloat16
            continue
        groups = w.unflatten(1, (scale.shape[1], -1))
        expected, _ = calculate_qparams(groups.amin(2), groups.amax(2), per_row)
        wrong_scales += int((expected.to(torch.bfloat16) != scale).sum())
        quotient = groups.float() / scale.float().unsqueeze(2)
        wrong += int((quotient.round().clamp(-128, 127).flatten(1) != value).sum())
        coarse = quotient.to(torch.bfloat16).float() if w.dtype == torch.bfloat16 else quotient
        others += int((coarse.round().clamp(-128, 127).flatten(1) != value).sum())
        n += value.numel()
    expect(wrong_scales == 0, "scales are those of calculate_qparams")
    expect(wrong == 0 and n > 0, f"all {n} weights are the f32 quotients, rounded to nearest even")
    expect(kept_equal, "all other tensors are the source's, in bf16")
    print(f"     {others} of them ({100 * others / max(n, 1):.2f} %) are others where the quotient is bf16")


def load_quantized(model, written):
    """quantize.py's arithmetic, for scales of rows and of groups and for any linear that has some."""
    def into(module, args):
        x = args[0]
        scale = x.abs().amax(-1, keepdim=True) / 127.5
        return ((x / scale).round().clamp(-128, 127) * scale,)
    modules = dict(model.model.named_modules())
    for key in [k.removesuffix("_scale") for k in written if k.endswith(".weight_scale")]:
        scale = written[key + "_scale"].float()
        module = modules[key.removesuffix(".weight").replace("language_model.model.", "language_model.")]
        module.weight.data = (written[key].float().unflatten(1, (scale.shape[1], -1)) * scale.unsqueeze(2)).flatten(1)
        module.register_forward_pre_hook(into)


def main():
    a = argparse.ArgumentParser()
    a.add_argument("reference")
    a.add_argument("source")
    a.add_argument("folder")
    a.add_argument("--image", required=True)
    a.add_argument("--prompt", required=True)
    a.add_argument("--dump")
    a = a.parse_args()
    sys.path.insert(0, a.reference)
    import dump
    written = dump.read_checkpoint(a.folder)
    check_weights(source_by_module(dump, a.source), written)

    tok, added = dump.tokenizer(a.source)
    cut, pixels = dump.read_images([a.image], 1)
    ids = torch.tensor([tok.encode(dump.prompt_text(a.prompt, [len(c) for c in cut]), add_special_tokens=False)])
    model = dump.build(a.source, added["<IMG_CONTEXT>"])
    exact = dump.stages(model, ids, pixels)
    load_quantized(model, written)
    quantized = dump.stages(model, ids, pixels)
    with contextlib.redirect_stderr(io.StringIO()):
        theirs, info = InternVLForConditionalGeneration.from_pretrained(a.folder, dtype=torch.float32, attn_implementation="eager",
                                                                       output_loading_info=True)
        expect(not any(info[k] for k in ("missing_keys", "unexpected_keys", "mismatched_keys")), f"transformers loads {a.folder}")
        loaded = dump.stages(theirs.eval(), ids, pixels)
    for name in ("projector", "language.layer.0", "logits"):
        distance = float((loaded[name] - quantized[name]).norm() / quantized[name].norm())
        error = float((quantized[name] - exact[name]).norm() / exact[name].norm())
        expect(distance <= 1e-2 * error + 1e-6, f"{name}: transformers {distance:.1e} from quantize.py's arithmetic, which is {error:.1e} from the source")
    if a.dump:
        chosen, margins = dump.greedy(model, ids, pixels, 16, added["<|im_end|>"])
        tensors = {"ids": ids[0], "greedy": chosen, "greedy.margin": margins}
        notes = dump.notes_of(a.prompt, [a.image], 1, cut) | {"quantization": "int-quantized, W8A8"}
        for name, value in quantized.items():
            notes[f"error.int8.{name}"] = f"{float((value - exact[name]).norm() / exact[name].norm()):.6e}"
            dump.keep_rows(tensors, name, value, 32)
        save_file(tensors, a.dump, notes)
    sys.exit(1 if FAILED else 0)


if __name__ == "__main__":
    main()
