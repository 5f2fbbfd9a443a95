#!/usr/bin/env python3
"""Train the demo model: an InternVL3 of a few million parameters that answers questions about drawn
scenes.

    train.py OUT [--minutes 100] [--from-stage N] [--threads N]

OUT receives a checkpoint in the official layout (config.json, tokenizer files, model.safetensors in
bf16) and state.pt to go on from.  The scenes are drawn as they are needed; the seed of the held-out
set is never trained on.  Four stages share the time: the encoder learns from a probe that reads
colour, shape and character off each visual token, first on quarters of a tile, then on whole tiles;
then the language model on frozen visual tokens; then all of it.
"""
import argparse
import os
import random
import time

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

import tokenizer as bpe
from held_out import MEAN, STD, tiles
from model import InternVL
from scenes import CHARS, COLORS, GRID, SHAPES, TILE, dialogue, scene

HELD_OUT = 1_000_003  # the seed of held_out.py
VOCABULARY = 640  # at most
TURNS = 12  # questions a scene: most of the supervision for one encoding
PROBE_SIZES = (len(COLORS) + 1, len(SHAPES) + 1, len(CHARS) + 1)
IGNORE = -100  # cross_entropy() leaves out targets of this value

STAGES = [  # name, share of the time, peak learning rate, batch
    ("windows", 0.20, 2e-3, 32),  # the encoder alone, on parts of a tile: what is in each cell
    ("tiles", 0.15, 1e-3, 12),  # the encoder alone, on whole tiles
    ("language", 0.40, 2e-3, 12),  # the language model on frozen visual tokens
    ("all", 0.25, 6e-4, 12),  # everything, several tiles among them
]


def config(tok):
    language = {
        "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_size": 192,
        "num_hidden_layers": 6, "intermediate_size": 512, "num_attention_heads": 3,
        "num_key_value_heads": 1, "vocab_size": len(tok.vocab) + len(tok.added),
        "rms_norm_eps": 1e-6, "rope_theta": 1e6, "rope_scaling": None,
        "max_position_embeddings": 8192, "hidden_act": "silu", "tie_word_embeddings": False,
        "torch_dtype": "bfloat16", "eos_token_id": tok.added["<|im_end|>"],
        "bos_token_id": tok.added["<|endoftext|>"]}
    vision = {
        "architectures": ["InternVisionModel"], "model_type": "intern_vit_6b", "hidden_size": 128,
        "num_hidden_layers": 4, "intermediate_size": 512, "num_attention_heads": 2,
        "image_size": TILE, "patch_size": 14, "num_channels": 3, "hidden_act": "gelu",
        "layer_norm_eps": 1e-6, "norm_type": "layer_norm", "qk_normalization": False,
        "qkv_bias": True, "torch_dtype": "bfloat16"}
    return {
        "architectures": ["InternVLChatModel"], "model_type": "internvl_chat",
        "template": "internvl2_5", "downsample_ratio": 0.5, "dynamic_image_size": True,
        "force_image_size": TILE, "max_dynamic_patch": 4, "min_dynamic_patch": 1,
        "pad2square": False, "ps_version": "v2", "select_layer": -1, "use_thumbnail": True,
        "torch_dtype": "bfloat16", "tie_word_embeddings": False,
        "llm_config": language, "vision_config": vision}


class Samples:
    """Scenes with dialogues, as tensors."""

    def __init__(self, tok, seed):
        self.tok, self.rng = tok, random.Random(seed)

    def scene(self, multi):
        """A scene as its tiles; with the probability multi, two or four and the thumbnail."""
        rng = self.rng
        several = rng.random() <= multi
        cols, rows = rng.choice([(2, 1), (1, 2), (2, 2)]) if several else (1, 1)
        image, cells, facts = scene(rng, TILE * cols, TILE * rows)
        return tiles(image), cells, facts

    def sample(self, multi):
        """-> pixels, cells, ids, targets: the ids of the answers, IGNORE elsewhere"""
        pixels, cells, facts = self.scene(multi)
        ids, targets = [], []

        def say(text, learn=False):
            new = self.tok.encode(text)
            ids.extend(new)
            targets.extend(new if learn else [IGNORE] * len(new))

        say(f"<|im_start|>system\n{bpe.SYSTEM}<|im_end|>\n")
        for i, (question, answer) in enumerate(dialogue(self.rng, facts, TURNS)):
            say("<|im_start|>user\n")
            if i == 0:
                say(f"<img>{'<IMG_CONTEXT>' * (256 * len(pixels))}</img>\n")
            say(f"{question}<|im_end|>\n<|im_start|>assistant\n")
            say(f"{answer}<|im_end|>", learn=True)
            say("\n")
        return pixels, cells, ids, targets

    def batch(self, n, multi=0.0):
        """-> pixels of all tiles, cells, the index of each scene's whole tile, ids, targets"""
        rows = [self.sample(multi) for _ in range(n)]
        width = max(len(ids) for _, _, ids, _ in rows)
        ids = torch.full((n, width), self.tok.added["<|endoftext|>"])
        targets = torch.full((n, width), IGNORE)
        for i, (_, _, a, b) in enumerate(rows):
            ids[i, :len(a)], targets[i, :len(b)] = torch.tensor(a), torch.tensor(b)
        whole = torch.tensor([len(pixels) for pixels, _, _, _ in rows]).cumsum(0) - 1
        return (torch.cat([pixels for pixels, _, _, _ in rows]),
                torch.tensor([cells for _, cells, _, _ in rows]), whole, ids, targets)

    def windows(self, n):
        """n parts of 16 x 16 patches, each around something drawn -> pixels, cells, corners"""
        pixels, labels, corners = [], [], []
        while len(pixels) < n:
            image, cells, _ = scene(self.rng)
            drawn = [i for i, cell in enumerate(cells) if cell[0]]
            if not drawn:
                continue
            r, c = divmod(self.rng.choice(drawn), GRID)
            r, c = (min(max(0, v - self.rng.randint(1, 6)), GRID - 8) for v in (r, c))
            part = np.asarray(image.crop((c * 28, r * 28, c * 28 + 224, r * 28 + 224)), np.float32)
            pixels.append(((part / 255 - MEAN) / STD).transpose(2, 0, 1))
            labels.append([cells[(r + i) * GRID + c + j] for i in range(8) for j in range(8)])
            corners.append((2 * r, 2 * c))
        return torch.from_numpy(np.stack(pixels)), torch.tensor(labels), torch.tensor(corners)


def save(model, settings, out):
    """The official layout, but for the tokenizer's files."""
    state = {name: value.detach().to(torch.bfloat16).contiguous()
             for name, value in model.state_dict().items()}
    save_file(state, os.path.join(out, "model.safetensors"), {"format": "pt"})
    language = settings["llm_config"]
    bpe.write_json(out, "config.json", settings, indent=2)
    bpe.write_json(out, "generation_config.json", {
        "eos_token_id": [language["eos_token_id"], language["bos_token_id"]],
        "pad_token_id": language["bos_token_id"]}, indent=2)
    bpe.write_json(out, "preprocessor_config.json", {
        "crop_size": TILE, "size": TILE, "image_mean": MEAN.tolist(), "image_std": STD.tolist(),
        "do_normalize": True, "do_resize": True, "resample": 3}, indent=2)


def spans(inside):
    """The runs of True: [(begin, end), ...]"""
    edges = [i for i, (a, b) in enumerate(zip([False, *inside], [*inside, False])) if a != b]
    return list(zip(edges[::2], edges[1::2]))


@torch.no_grad()
def evaluate(model, tok, n, multi=0.0):
    """The share of held-out answers that are right to the last token, the right history given."""
    samples, right, total = Samples(tok, HELD_OUT), 0, 0
    for _ in range(n // 8):
        pixels, _, _, ids, targets = samples.batch(8, multi)
        chosen = model(ids, model.encode(pixels))[:, :-1].argmax(-1)
        for said, wanted in zip(chosen, targets[:, 1:]):
            for begin, end in spans((wanted != IGNORE).tolist()):
                right += bool((said[begin:end] == wanted[begin:end]).all())
                total += 1
    return right / total


def share_right(logits, cells):
    """Of the cells that show something: the share whose colour, shape and character are right."""
    shown = cells[..., 0] > 0
    return [float((part.argmax(-1) == cells[..., i])[shown].float().mean())
            for i, part in enumerate(logits.split(PROBE_SIZES, -1))]


def probe_loss(logits, cells):
    """Most cells are empty, so that class weighs less."""
    return sum(F.cross_entropy(part.flatten(0, 1), cells[..., i].flatten(),
                               weight=torch.tensor([0.15] + [1.0] * (size - 1)))
               for i, (part, size) in enumerate(zip(logits.split(PROBE_SIZES, -1), PROBE_SIZES)))


class Trainer:
    def __init__(self, out, from_stage):
        self.out = out
        self.tok = bpe.Tokenizer.load(out) if from_stage else bpe.train(VOCABULARY, out)
        self.settings = config(self.tok)
        self.model = InternVL(self.settings, self.tok.added["<IMG_CONTEXT>"])
        # reads each visual token while training
        self.probe = nn.Linear(self.settings["llm_config"]["hidden_size"], sum(PROBE_SIZES))
        self.state = os.path.join(out, "state.pt")
        if from_stage:
            state = torch.load(self.state)
            self.model.load_state_dict(state["model"])
            self.probe.load_state_dict(state["probe"])

    def parameters(self, stage):
        model = self.model
        vision = [*model.vision_model.parameters(), *model.mlp1.parameters(),
                  *self.probe.parameters()]
        language = list(model.language_model.parameters())
        return {"windows": vision, "tiles": vision, "language": language,
                "all": vision + language}[stage]

    def keep(self):
        torch.save({"model": self.model.state_dict(), "probe": self.probe.state_dict()}, self.state)
        save(self.model, self.settings, self.out)

    def losses(self, stage, samples, n, several):
        """One batch -> loss of the answers, loss of the probe, the probe's logits, cells"""
        answers, model = torch.tensor(0.0), self.model
        if stage == "windows":
            pixels, cells, corners = samples.windows(n)
            logits = self.probe(model.encode(pixels, corners))
            return answers, probe_loss(logits, cells), logits, cells
        pixels, cells, whole, ids, targets = samples.batch(n, 1.0 if several else 0.0)
        with torch.set_grad_enabled(stage != "language"):
            visual = model.encode(pixels)
        logits = self.probe(visual[whole])
        aux = probe_loss(logits, cells) if stage != "language" else torch.tensor(0.0)
        if stage != "tiles":
            said = model(ids, visual)[:, :-1]
            answers = F.cross_entropy(said.flatten(0, 1), targets[:, 1:].flatten())
        return answers, aux, logits, cells

    def run(self, number, seconds):
        """One stage."""
        stage, _, peak, n = STAGES[number]
        parameters, samples = self.parameters(stage), Samples(self.tok, 1 + number)
        optimizer = torch.optim.AdamW(parameters, lr=peak, betas=(0.9, 0.98), weight_decay=0.02)
        begin, step = time.time(), 0
        while (share := (time.time() - begin) / seconds) < 1:
            rate = peak * min(1, (step + 1) / 100) * (1 - share) + 1e-6
            for group in optimizer.param_groups:
                group["lr"] = rate
            several = stage == "all" and step % 4 == 0
            answers, aux, logits, cells = self.losses(stage, samples, n // 3 if several else n, several)
            weight = 0.3 if stage == "all" else 1.0
            (answers + weight * aux).backward()
            norm = nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            step += 1
            if step % 50 == 0:
                right = " ".join(f"{r:.2f}" for r in share_right(logits.detach(), cells))
                print(f"{stage} {step} loss {answers.item():.3f} probe {aux.item():.3f} cells {right} "
                      f"norm {norm:.2f} rate {rate:.1e} {share:.0%}", flush=True)
            if step % 400 == 0 and stage in ("language", "all"):
                right = evaluate(self.model, self.tok, 64)
                print(f"{stage} {step} held-out answers right {right:.3f}", flush=True)
                self.keep()
        self.keep()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("out")
    parser.add_argument("--minutes", type=float, default=100)
    parser.add_argument("--from-stage", type=int, default=0,
                        help="go on from state.pt at this stage (0 to 3)")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(options.threads)
    os.makedirs(options.out, exist_ok=True)
    trainer = Trainer(options.out, options.from_stage)
    count = sum(p.numel() for p in trainer.model.parameters())
    print(f"{count / 1e6:.2f} M parameters, "
          f"vocabulary {trainer.settings['llm_config']['vocab_size']}", flush=True)
    total = sum(share for _, share, _, _ in STAGES[options.from_stage:])
    for number in range(options.from_stage, len(STAGES)):
        trainer.run(number, options.minutes * 60 * STAGES[number][1] / total)
    one = evaluate(trainer.model, trainer.tok, 400)
    several = evaluate(trainer.model, trainer.tok, 64, 1.0)
    print(f"held-out answers right: one tile {one:.3f}, several tiles {several:.3f}", flush=True)


if __name__ == "__main__":
    main()
