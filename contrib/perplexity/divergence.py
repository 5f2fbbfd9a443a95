#!/usr/bin/env python3
"""The Kullback-Leibler divergences that PyTorch finds between two models: what `omma compare --against` is held against.

    divergence.py MODEL OTHER IN.jsonl [--name NAME]

MODEL is a folder in the published layout, OTHER one that `omma quantize` made of it, whose weights are taken times
their scales.  Every line of IN has one message, without pictures, and an "answer".  Prints a line of JSON: for each
line the mean and the maximum over the answer's tokens, its end included, and the numbers of all; in float32, the
divergence in float64.  Needs torch, transformers >= 5, safetensors.
"""
import argparse
import json
import os

import torch
from safetensors import safe_open

import expected

SYSTEM = "你是书生·万象，英文名是InternVL，是由上海人工智能实验室、清华大学及多家合作单位联合开发的多模态大语言模型。"


def load_int8(source, folder):
    """The source's model with the language weights of an -hf folder of int8."""
    model, state = expected.load(source), {}
    for name in sorted(os.listdir(folder)):
        if name.endswith(".safetensors"):
            with safe_open(os.path.join(folder, name), "pt") as f:
                state.update({k: f.get_tensor(k) for k in f.keys()})
    n_int8, new = 0, {}
    for key in model.state_dict():
        theirs = "lm_head.weight" if key == "lm_head.weight" else "model.language_model." + key.removeprefix("model.")
        if theirs not in state:
            theirs = "language_model." + key
        weight = state[theirs].float()
        if theirs + "_scale" in state:
            weight = weight * state[theirs + "_scale"].float()
            n_int8 += 1
        new[key] = weight
    if n_int8 == 0:
        raise SystemExit(f"{folder}: no int8 weights found")
    model.load_state_dict(new)
    return model


def main():
    p = argparse.ArgumentParser()
    p.add_argument("model")
    p.add_argument("other")
    p.add_argument("input")
    p.add_argument("--name")
    a = p.parse_args()
    tokenizer = expected.tokenizer(a.model)
    added = json.load(open(os.path.join(a.model, "added_tokens.json"), encoding="utf8"))
    start, end = added["<|im_start|>"], added["<|im_end|>"]

    def ids(text):
        return tokenizer(text, add_special_tokens=False)["input_ids"]

    first, other = expected.load(a.model), load_int8(a.model, a.other)
    means, maxima, every, same = [], [], [], []
    with torch.no_grad():
        for line in open(a.input, encoding="utf8"):
            row = json.loads(line)
            prompt = [start, *ids("system\n" + SYSTEM), end, *ids("\n"), start,
                      *ids("user\n" + row["messages"][0]["content"]), end, *ids("\n"), start, *ids("assistant\n")]
            answer = [*ids(row["answer"]), end]
            text = torch.tensor([prompt + answer])
            p_, q_ = (m(text, use_cache=False).logits[0, len(prompt) - 1:-1].double().log_softmax(-1)
                      for m in (first, other))
            kl = (p_.exp() * (p_ - q_)).sum(-1)
            means.append(float(kl.mean()))
            maxima.append(float(kl.max()))
            every.append(kl)
            same.append(p_.argmax(-1) == q_.argmax(-1))
    kl, same = torch.cat(every), torch.cat(same).double()
    print(json.dumps({
        "model": a.name or a.model, "tokens": len(kl), "mean": float(kl.mean()),
        "standard_error": float(kl.std()) / len(kl) ** .5, "median": float(kl.quantile(.5)),
        "percentile_99": float(kl.quantile(.99)), "max": float(kl.max()), "share": float(same.mean()),
        "means": means, "maxima": maxima}))


if __name__ == "__main__":
    main()
