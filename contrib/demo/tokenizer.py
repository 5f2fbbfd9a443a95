"""Byte-level BPE in the Qwen2 form (vocab.json, merges.txt, added_tokens.json), trained on the
demo's own dialogues."""
import collections
import json
import os
import random
import unicodedata

import regex

from scenes import CHARS, WORDS, dialogue, scene

# The pre-tokenizer's expression of Qwen2.
SPLIT = regex.compile(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
ADDED = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<img>", "</img>", "<IMG_CONTEXT>",
         "<quad>", "</quad>", "<ref>", "</ref>", "<box>", "</box>"]
# The system message of the template internvl2_5.
SYSTEM = ("你是书生·万象，英文名是InternVL，是由上海人工智能实验室、清华大学及多家合作单位联合开发的"
          "多模态大语言模型。")


def byte_symbols():
    """GPT-2's printable stand-in for each byte."""
    keep = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    table = {byte: chr(byte) for byte in keep}
    for byte in range(256):
        if byte not in table:
            table[byte] = chr(256 + len(table) - len(keep))
    return table


def merge(parts, pair):
    """parts with every occurrence of pair joined, from the left."""
    out, i = [], 0
    while i < len(parts):
        if i + 1 < len(parts) and (parts[i], parts[i + 1]) == pair:
            out.append(parts[i] + parts[i + 1])
            i += 2
        else:
            out.append(parts[i])
            i += 1
    return out


def read(folder, name):
    with open(os.path.join(folder, name), encoding="utf8") as file:
        return file.read()


def write_json(folder, name, value, **how):
    with open(os.path.join(folder, name), "w", encoding="utf8") as file:
        json.dump(value, file, **how)


class Tokenizer:
    def __init__(self, vocab, merges, added):
        self.vocab, self.added = vocab, added
        self.ranks = {pair: rank for rank, pair in enumerate(merges)}
        self.symbols = byte_symbols()
        self.bytes = {symbol: byte for byte, symbol in self.symbols.items()}
        self.names = {i: t for t, i in vocab.items()} | {i: t for t, i in added.items()}
        self.special = regex.compile("(" + "|".join(map(regex.escape, added)) + ")")

    @classmethod
    def load(cls, folder):
        lines = read(folder, "merges.txt").split("\n")[1:]
        merges = [tuple(line.split(" ")) for line in lines if line.strip()]
        return cls(json.loads(read(folder, "vocab.json")), merges,
                   json.loads(read(folder, "added_tokens.json")))

    def word(self, text):
        parts = [self.symbols[byte] for byte in text.encode()]
        while len(parts) > 1:
            best = min(zip(parts, parts[1:]), key=lambda pair: self.ranks.get(pair, 1 << 30))
            if best not in self.ranks:
                break
            parts = merge(parts, best)
        return [self.vocab[part] for part in parts]

    def encode(self, text):
        ids = []
        for piece in self.special.split(unicodedata.normalize("NFC", text)):
            if piece in self.added:
                ids.append(self.added[piece])
            else:
                for match in SPLIT.finditer(piece):
                    ids += self.word(match.group())
        return ids

    def decode(self, ids):
        out = bytearray()
        for i in ids:
            name = self.names.get(i, "")
            out += name.encode() if name in self.added else bytes(self.bytes[c] for c in name)
        return out.decode("utf8", "replace")


def count_words():
    """How often each piece of the pre-tokenizer occurs in dialogues and in the template."""
    rng = random.Random(1)
    words = collections.Counter()
    for _ in range(4000):
        _, _, facts = scene(rng)
        for turn in dialogue(rng, facts, 3):
            for text in turn:
                words.update(match.group() for match in SPLIT.finditer(text))
    for text, n in ((SYSTEM, 4000), ("system\n", 4000), ("user\n", 9000), ("assistant\n", 9000),
                    ("\n", 9000), ("Image-1: ", 500), ("Frame1: ", 500)):
        for match in SPLIT.finditer(text):
            words[match.group()] += n
    for word in list(words):  # spelled text stays one token a character, as it is read
        bare = word.strip()
        if bare in WORDS or (len(bare) > 1 and all(c in CHARS for c in bare)):
            del words[word]
    return words


def learn_merges(words, size):
    """-> tokens in the order of their ids, merges in the order they were learnt"""
    symbols = byte_symbols()
    sequences = {word: [symbols[byte] for byte in word.encode()] for word in words}
    merges, tokens = [], list(symbols.values())
    while len(tokens) < size:
        pairs = collections.Counter()
        for word, sequence in sequences.items():
            for pair in zip(sequence, sequence[1:]):
                pairs[pair] += words[word]
        if not pairs:
            break
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        merges.append(best)
        tokens.append("".join(best))
        sequences = {word: merge(sequence, best) for word, sequence in sequences.items()}
    return tokens, merges


def train(size, folder):
    """Learn merges until the vocabulary, added tokens included, has `size` entries (fewer, if the
    text has no more pairs); write the files."""
    tokens, merges = learn_merges(count_words(), size - len(ADDED))
    added = {name: len(tokens) + i for i, name in enumerate(ADDED)}
    flags = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False,
             "special": True}
    os.makedirs(folder, exist_ok=True)
    write_json(folder, "vocab.json", {t: i for i, t in enumerate(tokens)}, ensure_ascii=False)
    with open(os.path.join(folder, "merges.txt"), "w", encoding="utf8") as file:
        file.write("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
    write_json(folder, "added_tokens.json", added, indent=2)
    write_json(folder, "tokenizer_config.json", {
        "tokenizer_class": "Qwen2Tokenizer", "add_bos_token": False, "add_prefix_space": False,
        "bos_token": None, "clean_up_tokenization_spaces": False, "eos_token": "<|im_end|>",
        "errors": "replace", "model_max_length": 8192, "pad_token": "<|endoftext|>",
        "split_special_tokens": False, "unk_token": None,
        "added_tokens_decoder": {str(i): {"content": t, **flags} for t, i in added.items()},
        "additional_special_tokens": ADDED[1:]}, indent=2)
    write_json(folder, "special_tokens_map.json", {
        "additional_special_tokens": ADDED[1:], "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>"}, indent=2)
    return Tokenizer.load(folder)
