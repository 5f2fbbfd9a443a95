#!/usr/bin/env python3
"""The negative log-likelihoods that PyTorch gives a text, window by window: what `omma perplexity` is held against.

    expected.py MODEL TEXT [--context 512] [--stride 0] [--chunks 0] [--name NAME]

MODEL is a folder in the published layout.  Prints a line of JSON: for each window the mean over its scored tokens,
of cross entropy in float32 by the language model of transformers (Qwen2ForCausalLM), one window a call.  Windows are
those of llama.cpp's llama-perplexity.  Needs torch, transformers >= 5, safetensors.
"""
import argparse
import json
import math
import os

import torch
from safetensors import safe_open
from transformers import Qwen2Config, Qwen2ForCausalLM, Qwen2Tokenizer

PREFIX = "language_model."


def load(folder):
    c = json.load(open(os.path.join(folder, "config.json"), encoding="utf8"))["llm_config"]
    rope = {"rope_type": "default", "rope_theta": c["rope_theta"]}
    if c.get("rope_scaling"):
        rope = {"rope_type": "dynamic", "rope_theta": c["rope_theta"], "factor": c["rope_scaling"]["factor"]}
    config = Qwen2Config(
        hidden_size=c["hidden_size"], num_hidden_layers=c["num_hidden_layers"], intermediate_size=c["intermediate_size"],
        num_attention_heads=c["num_attention_heads"], num_key_value_heads=c["num_key_value_heads"],
        vocab_size=c["vocab_size"], rms_norm_eps=c["rms_norm_eps"],
        max_position_embeddings=c["max_position_embeddings"], rope_parameters=rope,
        tie_word_embeddings=bool(c.get("tie_word_embeddings")), use_sliding_window=False)
    config._attn_implementation = "eager"
    model = Qwen2ForCausalLM(config).eval().float()
    state = {}
    for name in sorted(os.listdir(folder)):
        if name.endswith(".safetensors"):
            with safe_open(os.path.join(folder, name), "pt") as f:
                state.update({k[len(PREFIX):]: f.get_tensor(k).float() for k in f.keys() if k.startswith(PREFIX)})
    missing, extra = model.load_state_dict(state, strict=False)
    if extra or [m for m in missing if "rotary" not in m]:
        raise SystemExit(f"missing {missing}, extra {extra}")
    return model


def tokenizer(folder):
    """Without added tokens: their names are plain text."""
    return Qwen2Tokenizer(vocab=os.path.join(folder, "vocab.json"), merges=os.path.join(folder, "merges.txt"),
                          unk_token=None, eos_token=None, pad_token=None)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("model")
    p.add_argument("text")
    p.add_argument("--context", type=int, default=512)
    p.add_argument("--stride", type=int, default=0)
    p.add_argument("--chunks", type=int, default=0)
    p.add_argument("--name")
    a = p.parse_args()
    text = open(a.text, encoding="utf8", newline="").read()
    text = text[:-1] if text.endswith("\n") else text
    ids = tokenizer(a.model)(text, add_special_tokens=False)["input_ids"]
    window = a.context + a.stride // 2
    first = window - a.stride if a.stride else window // 2 + 1  # that is scored
    step = a.stride or window
    n = math.ceil((len(ids) - window) / a.stride) if a.stride else len(ids) // window
    model = load(a.model)
    means, total = [], []
    with torch.no_grad():
        for k in range(min(n, a.chunks or n)):
            for m in model.modules():  # dynamic NTK remembers the longest text seen
                if hasattr(m, "original_inv_freq"):
                    m.inv_freq, m.max_seq_len_cached = m.original_inv_freq.clone(), m.original_max_seq_len
            part = torch.tensor(ids[k * step:k * step + window])
            logits = model(part[None], use_cache=False).logits[0]
            nll = torch.nn.functional.cross_entropy(logits[first - 1:-1], part[first:], reduction="none").double()
            means.append(float(nll.mean()))
            total.append(nll)
    total = torch.cat(total)
    print(json.dumps({
        "model": a.name or a.model, "context": a.context, "stride": a.stride, "n_tokens": len(ids),
        "scored": len(total), "nll": float(total.mean()), "perplexity": math.exp(float(total.mean())),
        "error": float(total.std(correction=0)) / math.sqrt(len(total) - 1) * math.exp(float(total.mean())),
        "chunks": means}))


if __name__ == "__main__":
    main()
