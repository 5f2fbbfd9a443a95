#!/usr/bin/env python3
"""What int8 does to the answers: omma's beside those of compressed-tensors' arithmetic on the same folder.

    evaluate.py REFERENCE SOURCE --omma BUILD [--held-out FOLDER [--dialogues N] | --texts N] [--precision auto] [--threads N]

REFERENCE is the folder of the reference's scripts, SOURCE a model in the original layout, BUILD omma's build folder with
`omma` and `tests/show/next_tokens` in it.  `omma quantize` makes int8 folders of SOURCE, one scale a row and one for 128
columns, and for 64.  The texts are the dialogues of --held-out (written by contrib/demo/held_out.py) with the reference's answers, or N of
random tokens, for a model of random weights.

Printed is the mean Kullback-Leibler divergence of the next token's distribution, from that of the bf16 weights computed in
float32, over all steps behind the picture, with its standard error:

  of omma on its folders and on SOURCE, of compressed-tensors' arithmetic on the same folders (quantize.py's: float32 but for
  the values that it rounds to int8), of what compressed-tensors writes itself, and of a simulated Q8_0: weights and activations
  in blocks of 32 with an f16 scale each;

and of the dialogues' answers, how many stay what they are with bf16 weights.  Exit code 1 where omma's divergence is more than
1.1 times that of compressed-tensors' arithmetic on the same folder, the largest groups that all linears can have are not better
than rows (the demo's inputs of 192 are no multiple of 128), or fewer answers stay equal than with that arithmetic, less 1 per cent.
Needs torch, transformers >= 5, safetensors, pillow, numpy.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import torch

FAILED = []


def expect(ok, what):
    print(f"{'ok  ' if ok else 'FAIL'} {what}", flush=True)
    if not ok:
        FAILED.append(what)


# ------------------------------------------------------------------------------------------------
# The model in torch, with other linears
# ------------------------------------------------------------------------------------------------


def int8_token(x):
    scale = x.abs().amax(-1, keepdim=True) / 127.5
    return (x / scale).round().clamp(-128, 127) * scale


def q8_0(x):
    """Blocks of 32 along the last dimension: scale largest / 127 in f16."""
    blocks = x.unflatten(-1, (-1, 32))
    scale = (blocks.abs().amax(-1, keepdim=True) / 127)
    inverse = torch.where(scale > 0, 1 / scale, 0)
    return ((blocks * inverse).round() * scale.half().float()).flatten(-2)


def coarse_rows(w):
    """As compressed-tensors rounds a bf16 weight: scale and quotient in bf16."""
    w = w.to(torch.bfloat16)
    scale = w.abs().amax(1, keepdim=True) / torch.tensor(127.5, dtype=torch.bfloat16)
    return (w / scale).round().clamp(-128, 127).float() * scale.float()


class Variant:
    """Replaces the language model's linears while it is entered."""

    def __init__(self, model, weight, activation):
        self.linears = {n: m for n, m in model.model.language_model.named_modules() if isinstance(m, torch.nn.Linear)}
        self.weight, self.activation = weight, activation

    def __enter__(self):
        self.kept, self.hooks = {}, []
        for name, module in self.linears.items():
            self.kept[name] = module.weight.data.to(torch.bfloat16)  # what it was: bf16 in the files
            module.weight.data = self.weight(name, module.weight.data)
            self.hooks.append(module.register_forward_pre_hook(lambda m, args: (self.activation(args[0]),)))

    def __exit__(self, *_):
        for hook in self.hooks:
            hook.remove()
        for name, module in self.linears.items():
            module.weight.data = self.kept[name].float()


def folder_weights(dump, folder):
    written = dump.read_checkpoint(folder)

    def weight(name, _):
        key = f"language_model.model.{name}.weight"
        scale = written[key + "_scale"].float()
        return (written[key].float().unflatten(1, (scale.shape[1], -1)) * scale.unsqueeze(2)).flatten(1)
    return weight


# ------------------------------------------------------------------------------------------------
# Texts
# ------------------------------------------------------------------------------------------------


def dialogues(dump, tok, context, folder, count, most):
    """-> texts [{image, pixels, ids, forced}], a dialogue each, split behind its picture; and questions [{..., ids, right}], a
    turn each, the reference's answers in the history."""
    from PIL import Image
    from tiles import tiles
    texts, questions = [], []
    for line in list(open(os.path.join(folder, "dialogues.jsonl"), encoding="utf8"))[:count]:
        d = json.loads(line)
        path = os.path.join(folder, d["image"])
        cut = tiles(Image.open(path).convert("RGB"), 1, most)[1]
        pixels = torch.from_numpy(np.stack([((np.asarray(t, np.float32) / 255 - dump.MEAN) / dump.STD).transpose(2, 0, 1) for t in cut]))
        text = None
        for turn in d["turns"]:
            if text is None:
                text = dump.prompt_text(turn["question"], [len(cut)])
            else:
                text += f"{before}<|im_end|>\n<|im_start|>user\n{turn['question']}<|im_end|>\n<|im_start|>assistant\n"
            before = turn["reference"]
            ids = tok.encode(text, add_special_tokens=False)
            questions.append({"image": path, "pixels": pixels, "ids": ids, "forced": [], "right": turn["ids"]})
        ids = ids + d["turns"][-1]["ids"]
        split = len(ids) - ids[::-1].index(context) + 1  # with </img>
        texts.append({"image": path, "pixels": pixels, "ids": ids[:split], "forced": ids[split:]})
    return texts, questions


def made_texts(rng, vocabulary, count, n_prompt=32, n_forced=48):
    low = min(vocabulary, 150000)
    return [{"image": None, "pixels": None, "ids": rng.integers(0, low, n_prompt).tolist(), "forced": rng.integers(0, low, n_forced).tolist()}
            for _ in range(count)]


@torch.no_grad()
def embed(model, items, context):
    """The embeddings of the texts, pictures through the vision tower, which is the same in all variants."""
    known = {}
    for item in items:
        ids = torch.tensor((item["ids"] + item["forced"])[: len(item["ids"]) + max(len(item["forced"]) - 1, 0)])
        rows = model.model.language_model.embed_tokens(ids).clone()
        if item["image"] is not None:
            if item["image"] not in known:
                tower = model.model
                seen = []
                hook = tower.multi_modal_projector.register_forward_hook(lambda m, a, o: seen.append(o.reshape(-1, o.shape[-1])))
                tower.get_image_features(pixel_values=item["pixels"])
                hook.remove()
                known[item["image"]] = torch.cat(seen)
            rows[ids == context] = known[item["image"]]
        item["rows"] = rows


@torch.no_grad()
def log_probabilities(model, dump, items):
    """[steps, vocabulary] of all continuations."""
    out = []
    for item in items:
        dump.forget_length(model)
        n = len(item["forced"])
        logits = model(inputs_embeds=item["rows"][None], use_cache=False, logits_to_keep=n).logits[0]
        out.append(logits.double().log_softmax(-1).float())
    return torch.cat(out)


@torch.no_grad()
def answers(model, dump, items, stop, most=64):
    out = []
    for item in items:
        dump.forget_length(model)
        chosen, past, at = [], None, 0
        rows = item["rows"][: len(item["ids"])]
        while len(chosen) < most:
            n = len(rows)
            o = model(inputs_embeds=rows[None], past_key_values=past, use_cache=True, logits_to_keep=1, position_ids=torch.arange(at, at + n)[None])
            past, at = o.past_key_values, at + n
            chosen.append(int(o.logits[0, -1].argmax()))
            if chosen[-1] == stop:
                break
            rows = model.model.language_model.embed_tokens(torch.tensor(chosen[-1:]))
        out.append(chosen)
    return out


# ------------------------------------------------------------------------------------------------
# omma
# ------------------------------------------------------------------------------------------------


def omma_lines(omma, folder, items, logits, new):
    lines = "".join(json.dumps({"image": i["image"], "ids": i["ids"]} | ({"new": new} if new else {"forced": i["forced"]})) + "\n" for i in items)
    threads = [str(omma.threads)] if omma.threads else []
    got = subprocess.run([os.path.join(omma.omma, "tests/show/next_tokens"), folder, omma.precision, logits, *threads],
                         input=lines, text=True, capture_output=True)
    if got.returncode:
        raise SystemExit(f"next_tokens {folder}: {got.stderr}")
    return [json.loads(line)["ids"] for line in got.stdout.splitlines()]


def omma_log_probabilities(omma, folder, items, vocabulary, scratch):
    path = os.path.join(scratch, "logits")
    omma_lines(omma, folder, items, path, 0)
    logits = torch.from_numpy(np.fromfile(path, np.float32).reshape(-1, vocabulary))
    os.remove(path)
    return logits.double().log_softmax(-1).float()


def divergence(p, q, items):
    """Mean over the steps of KL(p || q), from logarithms, and its standard error, the texts being the samples: steps of one text
    go together.  A text at a time, as the vocabulary may be large."""
    if p.shape != q.shape:
        raise SystemExit(f"{tuple(q.shape)} logits, expected {tuple(p.shape)}")
    sums, at = [], 0
    for item in items:
        a, b = (x[at:at + len(item["forced"])].double() for x in (p, q))
        sums.append(float((a.exp() * (a - b)).sum()))
        at += len(a)
    mean = sum(sums) / len(p)
    deviations = [s - mean * len(item["forced"]) for s, item in zip(sums, items)]
    return mean, np.sqrt(sum(d * d for d in deviations) * len(items) / max(len(items) - 1, 1)) / len(p)


def same(a, b):
    return sum(x == y for x, y in zip(a, b))


def main():
    a = argparse.ArgumentParser()
    a.add_argument("reference")
    a.add_argument("source")
    a.add_argument("--held-out")
    a.add_argument("--dialogues", type=int, default=100)
    a.add_argument("--texts", type=int, default=4)
    a.add_argument("--omma", required=True)
    a.add_argument("--precision", default="auto")
    a.add_argument("--threads", type=int, default=0)
    a = a.parse_args()
    if a.threads:
        torch.set_num_threads(a.threads)
    sys.path.insert(0, a.reference)
    import dump
    tok, added = dump.tokenizer(a.source)
    context = added["<IMG_CONTEXT>"]
    config = json.load(open(os.path.join(a.source, "config.json"), encoding="utf8"))
    vocabulary = config["llm_config"]["vocab_size"]
    model = dump.build(a.source, context)
    questions = []
    if a.held_out:
        items, questions = dialogues(dump, tok, context, a.held_out, a.dialogues, config["max_dynamic_patch"])
    else:
        items = made_texts(np.random.default_rng(5), vocabulary, a.texts)
    embed(model, items + questions, context)
    exact = log_probabilities(model, dump, items)
    print(f"{a.source}: {len(items)} texts, {len(exact)} steps; KL divergence from the bf16 weights in float32, nats a step, and its standard error", flush=True)

    def tell(what, found):
        value, error = divergence(exact, found, items)
        print(f"     {value:.3e} +- {error:.1e}  {what}", flush=True)
        return value
    with tempfile.TemporaryDirectory() as scratch:
        folders = {}
        for what, options in (("rows", []), ("groups of 128", ["--group", "128"]), ("groups of 64", ["--group", "64"])):
            folders[what] = os.path.join(scratch, what.replace(" ", "-"))
            subprocess.run([os.path.join(a.omma, "omma"), "quantize", *options, a.source, folders[what]], check=True, capture_output=True)
        stop = added["<|im_end|>"]
        found = {}
        for what, folder in folders.items():
            with Variant(model, folder_weights(dump, folder), int8_token):
                found[what] = tell(f"compressed-tensors' arithmetic, {what}", log_probabilities(model, dump, items))
                if what == "rows":
                    theirs = answers(model, dump, questions, stop)
        with Variant(model, lambda name, w: coarse_rows(w), int8_token):
            tell("compressed-tensors' arithmetic on what it writes itself", log_probabilities(model, dump, items))
        with Variant(model, lambda name, w: q8_0(w), q8_0):
            tell("Q8_0, simulated: blocks of 32", log_probabilities(model, dump, items))
        del model
        tell(f"omma, bf16 weights, precision {a.precision}",
             omma_log_probabilities(a, a.source, items, vocabulary, scratch))
        ours = {what: tell(f"omma, {what}, precision {a.precision}",
                           omma_log_probabilities(a, folder, items, vocabulary, scratch))
                for what, folder in folders.items()}
        for what in folders:
            expect(ours[what] <= 1.1 * found[what], f"{what}: omma {ours[what] / found[what]:.3f} times compressed-tensors' arithmetic on the same folder")
        widths = (config["llm_config"]["hidden_size"], config["llm_config"]["intermediate_size"])
        groups = next((g for g in (128, 64) if all(w % g == 0 for w in widths)), None)
        if groups:  # the largest that all linears can have
            ratio = ours[f"groups of {groups}"] / ours["rows"]
            expect(ratio < 1, f"groups of {groups} diverge {ratio:.3f} times as much as rows")
        if questions:
            plain = omma_lines(a, a.source, questions, os.devnull, 64)
            quantized = omma_lines(a, folders["rows"], questions, os.devnull, 64)
            right = [q["right"] for q in questions]
            n = len(questions)
            print(f"     of {n} answers equal to those of the bf16 weights: compressed-tensors' arithmetic {same(theirs, right)}, omma {same(quantized, plain)}"
                  f" ({same(quantized, right)} of the reference's own); omma with bf16 weights {same(plain, right)} of the reference's")
            expect(same(quantized, plain) >= same(theirs, right) - 0.01 * n, "as many answers stay equal, less 1 %")
    sys.exit(1 if FAILED else 0)


if __name__ == "__main__":
    main()
