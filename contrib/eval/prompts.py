#!/usr/bin/env python3
"""Suites made up, and what VLMEvalKit's InternVL code asks of each row, one JSON object a line.

    git clone https://github.com/open-compass/VLMEvalKit && git -C VLMEvalKit checkout e8e78f0
    pip install pandas==3.1.1 pillow==13.0.0 torch transformers==5.24.0 pyyaml validators
    python3 prompts.py VLMEvalKit share/omma/demo > tests/data/eval/prompts/prompts.jsonl
    python3 prompts.py VLMEvalKit > tools/eval/suite_kinds.def

The second form writes how each of its suites of pictures is asked.  The first
writes the suites beside (tests/data/eval/prompts/SUITE.tsv).  A line: suite, cot, index, the question that chat() is given
(prompt), the tiles of each picture, SHA-256 over each one's tiles as RGB, and the ids of the whole prompt with the demo model's
tokenizer: how many, and SHA-256 over them as int32.

The code that asks is VLMEvalKit's own: the dataset's class reads the file and dumps pictures, InternVLChat.build_prompt(),
set_max_num() and generate_v2() do the rest.  Packages that it imports and that are not needed are replaced by empty ones, and
so is what comes after the tiles are cut: their normalisation, and the model.
"""
import base64
import hashlib
import importlib.machinery
import io
import json
import os
import random
import struct
import sys
import tempfile

import pandas
import torch
import sympy
import torch.distributed.tensor
import transformers
import validators
import yaml
from PIL import Image

from matching import Absent

SYSTEM = "你是书生·万象，英文名是InternVL，是由上海人工智能实验室、清华大学及多家合作单位联合开发的多模态大语言模型。"
KEPT = {"vlmeval", "pyarrow", "numexpr", "bottleneck", "yaml", "validators"}


class Unneeded(Absent):
    def find_spec(self, name, path, target=None):
        top = name.split(".")[0]
        if top in KEPT or top in sys.stdlib_module_names or (top in sys.modules and not hasattr(sys.modules[top], "assert_called")):
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)


def picture(draw, width, height, mode):
    """A few rectangles: small as a file, and another one if it is doubled or turned."""
    image = Image.new("RGB", (width, height), tuple(draw.randrange(256) for _ in range(3)))
    for _ in range(3):
        x, y = draw.randrange(width), draw.randrange(height)
        image.paste(tuple(draw.randrange(256) for _ in range(3)), (x, y, x + width // 3 + 1, y + height // 3 + 1))
    image = image.quantize(16) if mode == "P" else image.convert(mode)
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return base64.b64encode(out.getvalue()).decode()


SIZES = ((64, 48), (48, 64), (100, 100), (150, 50), (30, 200), (448, 448), (317, 316), (318, 317), (96, 54), (500, 375), (900, 20),
         (320, 480), (460, 455), (225, 224), (60, 61))
WORDS = ("red", "Blue", "a dog", "None", "NA", "1", "2.50", "007", "1e5", "三角形", "$x^2$", " padded ", "two\nlines", 'a "quote"', "-", "the tab",
         "TRUE", "left of it", "ﬁn", "<image 1>", "\\boxed{C}", "é")
QUESTIONS = ("What is shown in <image 1>?", "Which is larger, <image 1> or <image 2>?", "图中有什么？", "How many\ndots are there?", "Is it a dog?",
             "Answer with the option's letter from the given choices directly. Well?", "  What colour?  ", 'The sign says "stop".', "x < 3 & y > 4, <b>?",
             "What is Image-1: <image> here?", "Please answer yes or no. Answer the question using a single word or phrase.", "请直接回答选项字母。",
             "Why?\n", "What is it?<Image-1><Image-2>", "What is <Image-1> beside <Image-2>?", "<Image-1>?", "Describe <|im_end|> it.", "2",
             "please directly answer the question and tell it. Question: what?\nChoices:\n(A) 1", "<image>", "日本語ではなく", "Ω or ω?", "\u3000全角",
             "한국어", "What then?")


def tsv(rows, columns):
    def cell(text):
        return '"' + text.replace('"', '""') + '"' if any(c in text for c in '\t\n\r"') else text
    return "\n".join("\t".join(cell(row.get(name, "")) for name in columns) for row in [dict(zip(columns, columns)), *rows]) + "\n"


def make_suite(draw, suite, n, options, most_pictures, hints=False, more=(), paths=False):
    pools, rows = [], []
    for i in range(n):
        row = {"index": f"{suite[:2]}_{i}" if suite.startswith("MMM") else str(i), "question": draw.choice(QUESTIONS), "answer": "A",
               "category": draw.choice(("one", "two")), "split": "validation"}
        count = 1 + i % most_pictures
        pictures = [picture(draw, *draw.choice(SIZES), draw.choice(("RGB", "RGB", "RGB", "L", "RGBA", "P", "LA", "1")))
                    for _ in range(count)]
        row["image"] = pictures[0] if count == 1 else str(pictures)
        if count == 1 and pools and draw.random() < 0.25:
            row["image"] = draw.choice(pools)
        elif count == 1 and len(row["image"]) > 64:
            pools.append(row["index"])
        if i == n - 1:
            row["image"] = ""
        if paths:
            row["image_path"] = f"p{i}.png" if count == 1 else str([f"p{i}_{k}.png" for k in range(count)])
        if hints and draw.random() < 0.5:
            row["hint"] = draw.choice(("Look closely.", "提示", "N/A", "two\nlines", "3"))
        if draw.random() < 0.85:
            for letter in "ABCDEFGHI"[:draw.randint(1, options) if options else 0]:
                if draw.random() < 0.9:
                    row[letter] = draw.choice(WORDS)
        for name, values in more:
            row[name] = draw.choice(values)
        rows.append(row)
    columns = ["index", "image", *(["image_path"] if paths else []), "question", *(["hint"] if hints else []), *"ABCDEFGHI"[:options], "answer", "category",
               "split", *(name for name, _ in more)]
    return tsv(rows, columns)


VISTA = (("question_type", ("multi_choice", "free_form")), ("answer_type", ("text", "integer", "float", "list")), ("choices", ("['1', '2']", "")))
# name, rows, options, most pictures, hints, more columns, image_path
SUITES = (("MMMU_DEV_VAL", 50, 9, 7, True, (), False), ("MathVista_MINI", 30, 0, 1, False, VISTA, False), ("SEEDBench_IMG", 20, 4, 1, False, (), False),
          ("MMBench_DEV_CN_V11", 16, 4, 1, True, (), False), ("MMStar", 6, 4, 1, False, (), True), ("MMMU_Pro_10c", 8, 9, 4, False, (), False),
          ("BLINK", 10, 4, 4, True, (), True), ("MUIRBench", 12, 4, 5, False, (), False), ("MME", 8, 0, 1, False, (), False),
          ("HallusionBench", 6, 0, 1, False, (), False), ("ChartQA_TEST", 6, 0, 1, False, (), False), ("DocVQA_VAL", 6, 0, 1, False, (), False),
          ("OCRBench", 6, 0, 1, False, (), False), ("MathVerse_MINI", 8, 0, 1, False, (), False), ("MMVet", 6, 0, 1, False, (), False),
          ("LLaVABench", 4, 0, 1, False, (), False), ("POPE", 6, 0, 1, False, (), False), ("RealWorldQA", 4, 4, 1, False, (), False),
          ("VizWiz", 4, 0, 1, False, (), False), ("AMBER", 4, 0, 1, False, (), False))


class Model:
    """In place of the model: keeps what chat() is given."""

    def chat(self, tokenizer, pixel_values, num_patches_list, question, generation_config, verbose):
        self.question, self.tiles = question, num_patches_list
        return ""


def tokenizer(folder):
    t = transformers.Qwen2Tokenizer(vocab=os.path.join(folder, "vocab.json"), merges=os.path.join(folder, "merges.txt"), unk_token=None, eos_token=None,
                                    pad_token=None)
    with open(os.path.join(folder, "added_tokens.json"), encoding="utf8") as file:
        added = json.load(file)
    for name, number in sorted(added.items(), key=lambda item: item[1]):
        t.add_tokens([transformers.AddedToken(name, normalized=False, special=True)], special_tokens=True)
        assert t.convert_tokens_to_ids(name) == number
    return t


def ids_of(tokenizer, question, tiles):
    """As chat() of the released models' modeling_internvl_chat.py makes the prompt."""
    if tiles and "<image>" not in question:
        question = "<image>\n" + question
    query = f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n"
    for n in tiles:
        query = query.replace("<image>", "<img>" + "<IMG_CONTEXT>" * (256 * n) + "</img>", 1)
    return tokenizer(query)["input_ids"]


def print_kinds(datasets, model):
    """All names but those of plain multiple choice, which is what VLMEvalKit takes a name for that it does not know."""
    kinds, base = {}, datasets.image_base.ImageBaseDataset
    model._use_custom_prompt = True
    for reader in datasets.DATASET_CLASSES:
        for name in reader.supported_datasets():
            kind = datasets.DATASET_TYPE(name)
            is_plain = getattr(reader, "dump_image", None) is base.dump_image and reader.__init__ is base.__init__ and model.use_custom_prompt(name)
            if kind == "MCQ_MMMU_Pro":
                kinds[name] = "BARE"
            elif datasets.DATASET_MODALITY(name) != "IMAGE" or not is_plain or "BMMR" in name:
                kinds[name] = "OWN"
            elif kind != "MCQ":
                kinds[name] = {"VQA": "QUESTION", "Y/N": "YES_NO", "Caption": "BARE", "Short": "BARE"}.get(kind, "OWN")
    print("/* By contrib/eval/prompts.py: suites of VLMEvalKit e8e78f0 that are not asked as multiple choice. */")
    for name, kind in sorted(kinds.items()):
        print(f'SUITE_KIND("{name}", {kind})')


def main():
    root = os.path.abspath(sys.argv[1])
    tokens = tokenizer(sys.argv[2]) if len(sys.argv) > 2 else None
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "data", "eval", "prompts")
    os.environ["LMUData"] = tempfile.mkdtemp()
    sys.path.insert(0, root)
    sys.meta_path.insert(0, Unneeded())
    import num2words
    num2words.num2words = lambda n, lang: f"word{n}"  # a dataset's module makes a regular expression of it
    from vlmeval import dataset as datasets
    from vlmeval.vlm.internvl import internvl_chat, utils

    if tokens is None:
        print_kinds(datasets, object.__new__(internvl_chat.InternVLChat))
        return
    digests, draw, version = [], random.Random(10), internvl_chat.InternVLChat

    def keep(tiles):
        digests.append(hashlib.sha256(b"".join(tile.convert("RGB").tobytes() for tile in tiles)).hexdigest())
        return torch.zeros(len(tiles), 1)

    cut = utils.dynamic_preprocess

    def dynamic_preprocess(*arguments, **named):
        tiles = cut(*arguments, **named)
        keep(tiles)
        return tiles

    utils.dynamic_preprocess = dynamic_preprocess
    utils.build_transform = lambda input_size: lambda tile: torch.zeros(1)
    for suite, *rest in SUITES:
        path = os.path.join(folder, suite + ".tsv")
        with open(path, "w", encoding="utf8", newline="") as file:
            file.write(make_suite(draw, suite, *rest))
        reader = next(c for c in datasets.DATASET_CLASSES if suite in c.supported_datasets())
        reader.prepare_tsv = lambda self, url, file_md5=None: pandas.read_csv(path, sep="\t")
        loaded = reader(dataset=suite)
        for cot in (False, True):
            os.environ["USE_COT"] = "1" if cot else "0"
            model = object.__new__(version)
            model.use_mpo_prompt, model.use_cot, model.use_postprocess, model._use_custom_prompt = False, cot, False, True
            model.cot_prompt = model.system_prompt = model.tokenizer = None
            model.version, model.best_of_n, model.use_lmdeploy, model.device, model.kwargs = "V2.0", 1, False, "cpu", {}
            model.screen_parse, model.model = True, Model()
            model.set_dump_image(loaded.dump_image)
            for i in range(len(loaded.data)):
                line = loaded.data.iloc[i]
                digests.clear()
                message = model.build_prompt(line, suite)
                stdout, sys.stdout = sys.stdout, sys.stderr
                model.generate_inner(message, suite)
                sys.stdout = stdout
                tiles = [int(n) for n in model.model.tiles]
                case = {"suite": suite, "cot": cot, "index": str(line["index"]), "prompt": model.model.question, "tiles": tiles, "sha256": list(digests)}
                ids = ids_of(tokens, model.model.question, tiles)
                case |= {"n_ids": len(ids), "ids_sha256": hashlib.sha256(struct.pack(f"<{len(ids)}i", *ids)).hexdigest()}
                print(json.dumps(case, ensure_ascii=True))


main()
