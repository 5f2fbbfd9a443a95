#!/usr/bin/env python3
"""Pictures the demo model never saw, dialogues about them, and what the model answers in PyTorch.

    held_out.py MODEL OUT [--seed 1000003] [--count 100]

OUT receives NNN.png and dialogues.jsonl, a line each:
{"image", "tiles", "turns": [{"question", "right", "answer", "ids"}]}.  "right" is the true answer,
"answer" the model's greedy one in float32 ("ids" with the closing token), its own earlier answers
standing in the history.  Every fifth picture has several tiles.
"""
import argparse
import json
import os
import random

import numpy as np
import torch
from safetensors.torch import load_file

import tokenizer as bpe
from model import InternVL
from scenes import TILE, dialogue, scene

MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)


def tiles(image):
    """A picture whose sides are multiples of a tile -> [tiles, 3, 448, 448] normalised; if there are
    several, the thumbnail is last."""
    cut = [image.crop((x, y, x + TILE, y + TILE))
           for y in range(0, image.height, TILE) for x in range(0, image.width, TILE)]
    if len(cut) > 1:
        cut.append(image.resize((TILE, TILE)))
    values = np.stack([(np.asarray(tile, np.float32) / 255 - MEAN) / STD for tile in cut])
    return torch.from_numpy(values.transpose(0, 3, 1, 2).copy())


def load(folder):
    with open(os.path.join(folder, "config.json"), encoding="utf8") as file:
        config = json.load(file)
    tok = bpe.Tokenizer.load(folder)
    model = InternVL(config, tok.added["<IMG_CONTEXT>"]).eval()
    state = load_file(os.path.join(folder, "model.safetensors"))
    model.load_state_dict({name: value.float() for name, value in state.items()})
    return model, tok


@torch.no_grad()
def greedy(model, ids, visual, count, stop):
    """Up to count tokens, the closing one included; each step computes the whole text anew."""
    chosen = []
    while len(chosen) < count and stop not in chosen:
        logits = model(torch.tensor([ids + chosen]), visual)[0, -1]
        chosen.append(int(logits.argmax()))
    return chosen


def talk(model, tok, image, questions):
    """Answer questions, a list of (question, right answer), one after the other."""
    stop = tok.added["<|im_end|>"]
    with torch.no_grad():
        visual = model.encode(tiles(image))
    turns = []
    text = (f"<|im_start|>system\n{bpe.SYSTEM}<|im_end|>\n<|im_start|>user\n"
            f"<img>{'<IMG_CONTEXT>' * (256 * len(visual))}</img>\n")
    for question, right in questions:
        text += f"{question}<|im_end|>\n<|im_start|>assistant\n"
        ids = greedy(model, tok.encode(text), visual, 64, stop)
        answer = tok.decode([i for i in ids if i != stop])
        text += f"{answer}<|im_end|>\n<|im_start|>user\n"
        turns.append({"question": question, "right": right, "answer": answer, "ids": ids})
    return len(visual), turns


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model")
    parser.add_argument("out")
    parser.add_argument("--seed", type=int, default=1_000_003)
    parser.add_argument("--count", type=int, default=100)
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    model, tok = load(options.model)
    rng = random.Random(options.seed)
    turns_of_all = []
    with open(os.path.join(options.out, "dialogues.jsonl"), "w", encoding="utf8") as file:
        for number in range(options.count):
            cols, rows = (1, 1) if number % 5 else rng.choice([(2, 1), (1, 2), (2, 2)])
            image, _, facts = scene(rng, TILE * cols, TILE * rows)
            name = f"{number:03}.png"
            image.save(os.path.join(options.out, name), optimize=True)
            n_tiles, turns = talk(model, tok, image, dialogue(rng, facts, 3))
            file.write(json.dumps({"image": name, "tiles": n_tiles, "turns": turns}) + "\n")
            turns_of_all += turns
    right = sum(turn["answer"] == turn["right"] for turn in turns_of_all)
    print(f"{right} of {len(turns_of_all)} answers right")


if __name__ == "__main__":
    main()
