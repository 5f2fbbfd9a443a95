#!/usr/bin/env python3
"""The ids of the prompts of prompts.jsonl, as chat() of InternVL makes them, with the demo model's tokenizer.

    pip install transformers==5.24.0 torch; python3 prompt_ids.py share/omma/demo tests/data/eval/prompts

Adds to every line the number of its ids and the SHA-256 over them, 32 bits each, little-endian.  The template is internvl2_5, and the
n-th <image> becomes <img>, 256 <IMG_CONTEXT> a tile, </img>, as modeling_internvl_chat.py has it.
"""
import hashlib
import json
import os
import struct
import sys

from transformers import AddedToken, Qwen2Tokenizer

SYSTEM = '你是书生·万象，英文名是InternVL，是由上海人工智能实验室、清华大学及多家合作单位联合开发的多模态大语言模型。'


def tokenizer_of(folder):
    tokenizer = Qwen2Tokenizer(vocab=os.path.join(folder, 'vocab.json'), merges=os.path.join(folder, 'merges.txt'), unk_token=None, eos_token=None,
                               pad_token=None)
    added = json.load(open(os.path.join(folder, 'tokenizer_config.json')))['added_tokens_decoder']
    for number, token in sorted(added.items(), key=lambda item: int(item[0])):
        tokenizer.add_tokens(AddedToken(token['content'], normalized=False, special=token['special']), special_tokens=token['special'])
        assert tokenizer.convert_tokens_to_ids(token['content']) == int(number), token
    return tokenizer


def main():
    tokenizer = tokenizer_of(sys.argv[1])
    path = os.path.join(sys.argv[2], 'prompts.jsonl')
    lines = [json.loads(line) for line in open(path)]
    with open(path, 'w') as out:
        for line in lines:
            text = f'<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n{line["prompt"]}<|im_end|>\n<|im_start|>assistant\n'
            for n_tiles in line['tiles']:
                text = text.replace('<image>', '<img>' + '<IMG_CONTEXT>' * (256 * n_tiles) + '</img>', 1)
            ids = tokenizer(text)['input_ids']
            line.update(n_ids=len(ids), ids_sha256=hashlib.sha256(struct.pack(f'<{len(ids)}i', *ids)).hexdigest())
            print(json.dumps(line), file=out)


if __name__ == '__main__':
    main()
