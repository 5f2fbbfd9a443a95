#!/usr/bin/env python3
"""A suite of drawn scenes that the demo model never saw, and what it answers in PyTorch, in float32.

    pip install torch transformers==5.24.0 numpy pillow safetensors; python3 demo_suite.py share/omma/demo OUT [--rows 400]

OUT/MMMU_demo.tsv is the suite: two rows a scene, the second by reference to the first one's picture, every third with options, the others
open.  OUT/reference_MMMU_demo.tsv are the predictions, asked as VLMEvalKit asks MMMU (the picture doubled, six tiles), greedy.  The demo model was not trained on such tiles and endings, so most answers are wrong.
"""
import argparse
import base64
import csv
import io
import os
import random
import sys

import numpy as np
import torch
from PIL import Image

for folder in ('demo', 'perplexity'):
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', folder))
import expected  # noqa: E402
import held_out  # noqa: E402
import tokenizer as bpe  # noqa: E402
from scenes import TILE, ask_choice, kinds_of_questions, question, scene  # noqa: E402

COLUMNS = ('index', 'image', 'question', 'A', 'B', 'C', 'D', 'answer', 'category', 'l2-category', 'split')


def grid(width, height, most):
    """find_closest_aspect_ratio() of InternVL."""
    ratios = sorted({(i, j) for n in range(1, most + 1) for i in range(1, n + 1) for j in range(1, n + 1) if i * j <= most}, key=lambda x: x[0] * x[1])
    best, least = (1, 1), float('inf')
    for ratio in ratios:
        difference = abs(width / height - ratio[0] / ratio[1])
        if difference < least:
            least, best = difference, ratio
        elif difference == least and width * height > 0.5 * TILE * TILE * ratio[0] * ratio[1]:
            best = ratio
    return best


def tiles(image):
    image = image.convert('RGB').resize((image.width * 2, image.height * 2), Image.BILINEAR)
    columns, rows = grid(image.width, image.height, 6)
    scaled = image.resize((columns * TILE, rows * TILE), Image.BICUBIC)
    cut = [scaled.crop((x, y, x + TILE, y + TILE)) for y in range(0, scaled.height, TILE) for x in range(0, scaled.width, TILE)]
    if len(cut) > 1:
        cut.append(image.resize((TILE, TILE), Image.BICUBIC))
    values = np.stack([(np.asarray(tile, np.float32) / np.float32(255) - held_out.MEAN) / held_out.STD for tile in cut])
    return torch.from_numpy(values.transpose(0, 3, 1, 2).copy())


def prompt(row):
    text = row['question'] + ''.join(f'\n{c}. {row[c]}' for c in 'ABCD' if row[c])
    return text + ("\nAnswer with the option's letter from the given choices directly." if row['A'] else '\nAnswer the question directly.')


def rows_of(r, facts, image, first):
    """Two rows about a scene."""
    for number in (first, first + 1):
        row = dict.fromkeys(COLUMNS, '')
        row.update(index=number, image=image if number == first else str(first), split=('dev', 'validation')[number % 4 == 0])
        _, unique = kinds_of_questions(facts)
        if number % 3 == 0 and facts['objects'] and unique:
            text, row['answer'] = ask_choice(r, r.choice(unique))
            row['question'], *options = text.split('\n')[:-1]
            row.update({option[0]: option[3:] for option in options}, category='colour')
        else:
            while True:
                row['question'], row['answer'] = question(r, facts)
                if '\n' not in row['question'] and len(row['answer']) < 30:
                    break
            row['category'] = 'text' if 'text' in row['question'] or 'written' in row['question'] else 'shapes'
        row['l2-category'] = 'several' if len(facts['objects']) > 1 else 'few'
        yield row


@torch.no_grad()
def answer(language, tok, visual, text, most):
    """The greedy answer of the language model, with a KV cache."""
    stop = tok.added['<|im_end|>']
    text = (f'<|im_start|>system\n{bpe.SYSTEM}<|im_end|>\n<|im_start|>user\n<img>{"<IMG_CONTEXT>" * (256 * len(visual))}</img>\n{text}<|im_end|>\n'
            '<|im_start|>assistant\n')
    ids = torch.tensor([tok.encode(text)])
    rows = language.get_input_embeddings()(ids).clone()
    rows[ids == tok.added['<IMG_CONTEXT>']] = visual.flatten(0, 1)
    chosen, cache = [], None
    while len(chosen) < most:
        out = language(inputs_embeds=rows, cache=cache, use_cache=True, logits_to_keep=1)
        token = int(out.logits[0, -1].argmax())
        if token == stop:
            break
        chosen.append(token)
        cache, rows = out.past_key_values, language.get_input_embeddings()(torch.tensor([[token]]))
    return tok.decode(chosen).strip()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('model')
    parser.add_argument('out')
    parser.add_argument('--rows', type=int, default=400)
    parser.add_argument('--seed', type=int, default=2_000_003)
    parser.add_argument('--max-tokens', type=int, default=24)
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    model, tok = held_out.load(options.model)
    language = expected.load(options.model)
    r = random.Random(options.seed)
    with open(os.path.join(options.out, 'MMMU_demo.tsv'), 'w') as suite, open(os.path.join(options.out, 'reference_MMMU_demo.tsv'), 'w') as said:
        suite, said = (csv.writer(file, delimiter='\t', lineterminator='\n') for file in (suite, said))
        shown = [c for c in COLUMNS if c != 'image']
        suite.writerow(COLUMNS)
        said.writerow(shown + ['prediction'])
        for first in range(1, options.rows, 2):
            image, _, facts = scene(r, TILE, TILE)
            out = io.BytesIO()
            image.save(out, 'PNG', optimize=True)
            with torch.no_grad():
                visual = model.encode(tiles(image))
            for row in rows_of(r, facts, base64.b64encode(out.getvalue()).decode(), first):
                suite.writerow([row[c] for c in COLUMNS])
                said.writerow([row[c] for c in shown] + [answer(language, tok, visual, prompt(row), options.max_tokens)])


if __name__ == '__main__':
    main()
