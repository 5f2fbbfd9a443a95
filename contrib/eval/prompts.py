#!/usr/bin/env python3
"""Suites made up, and how VLMEvalKit asks an InternVL model their rows, one JSON object a line.

    pip install pandas==3.1.1 validators pillow==13.0.0
    python3 prompts.py VLMEvalKit tests/data/eval/prompts          (matching.py says more)

prompt_ids.py then adds ids.  Writes {suite}.tsv and prompts.jsonl: the text that model.chat() is given, with USE_COT unset and 1, and of each picture its tiles and the
SHA-256 over their pixels.  The code is VLMEvalKit's own: ImageBaseDataset.__init__() and dump_image(), InternVLChat.build_prompt(),
set_max_num() and generate_v2() with reorganize_prompt(), dynamic_preprocess().  Replaced are the types of the suites (DATASET_TYPE: multiple
choice, but MathVista's is VQA), the normalization of pixels, and model.chat(), which keeps what it is given.
"""
import base64
import hashlib
import io
import json
import os
import random
import sys
import tempfile
import types

import pandas as pd
from PIL import Image

import matching


class Tiles:
    """What is left of load_image()'s tensor: the count, and the pixels' hash."""

    def __init__(self, images):
        self.n = len(images)
        self.sha256 = hashlib.sha256(b''.join(image.tobytes() for image in images)).hexdigest()

    def size(self, axis):
        return self.n

    def to(self, where):
        return self


def internvl(root):
    matching.vlmevalkit(root)
    absent = matching.Absent()
    sys.meta_path.append(absent)
    for name in ('vlmeval.vlm', 'vlmeval.vlm.internvl', 'vlmeval.api'):
        module = types.ModuleType(name)
        module.__path__ = [os.path.join(root, *name.split('.'))]
        sys.modules[name] = module
    base = types.ModuleType('vlmeval.vlm.base')
    base.BaseModel = object
    sys.modules['vlmeval.vlm.base'] = base
    dataset = sys.modules['vlmeval.dataset']
    dataset.DATASET_TYPE = lambda name: 'VQA' if 'MathVista' in name else 'MCQ'
    dataset.DATASET_MODALITY = lambda name: 'IMAGE'
    dataset.build_dataset = dataset.infer_dataset_basename = dataset.img_root_map = lambda name: name
    sys.modules['vlmeval.dataset.utils'].build_judge = sys.modules['vlmeval.dataset.utils'].DEBUG_MESSAGE = None
    import torch
    torch.no_grad = lambda: lambda function: function
    from vlmeval.dataset import image_base
    from vlmeval.vlm.internvl import internvl_chat, utils
    sys.meta_path.remove(absent)
    image_base.img_root_map = lambda name: name

    def load_image(path, max_num, upscale=False):
        image = Image.open(path).convert('RGB')
        if upscale:
            image = image.resize((image.width * 2, image.height * 2), Image.BILINEAR)
        tiles = Tiles(utils.dynamic_preprocess(image, image_size=448, use_thumbnail=True, max_num=max_num))
        seen.append(tiles)
        return tiles

    seen = []
    internvl_chat.load_image = load_image
    return image_base, internvl_chat, seen


def picture(r, i):
    width, height = r.choice(((30, 20), (16, 16), (60, 10), (130, 10), (9, 40), (460, 230), (330, 330), (50, 31), (150, 450)))
    mode = ('RGB', 'RGBA', 'P', 'L', 'LA', 'RGB')[i % 6]
    image = Image.new('RGB', (width, height), tuple(r.randrange(256) for _ in range(3)))
    for _ in range(4):
        x, y = r.randrange(width), r.randrange(height)
        image.paste(tuple(r.randrange(256) for _ in range(3)), (x, y, min(width, x + 1 + width // 3), min(height, y + 1 + height // 3)))
    if mode == 'P':
        image = image.quantize(8)
    elif mode != 'RGB':
        image = image.convert(mode)
    out = io.BytesIO()
    if i % 6 == 5 and width * height < 4000:
        image.save(out, 'JPEG')
    else:
        image.save(out, 'PNG')
    return base64.b64encode(out.getvalue()).decode()


LETTER = "Answer with the option's letter from the given choices directly."
QUESTIONS = ('What is shown in <image 1>?', '图中有什么？', 'Which one?\nLook <closely>.', '  spaces at both ends \u3000', 'No. 1: <image> or <Image-1>?',
             '<Image-1><Image-2> are these equal?', 'ends like the names: <Image-1>', LETTER + ' Really?', 'Σ, É and ’quotes’ "here"', '7', 'a\tb', '',
             '『日本語』かな only: かな', 'Question: \\frac{1}{2}')


def rows(r, suite, n, pictures):
    for i in range(n):
        many = r.choice((1, 1, 2, 3, 4, 5, 6, 7)) if suite in ('MMMU_DEV_VAL', 'BLINK') else 1
        choice = [r.choice(pictures) for _ in range(many)]
        row = dict(index=i + 1, image=str(choice) if many > 1 else choice[0], question=r.choice(QUESTIONS) or None)
        if i % 9 == 4 and i > 0:
            row['image'] = str(r.choice((1, 2, 3)))
        if i % 31 == 30:
            row['image'] = None
        if 'MathVista' in suite:
            row.update(question='Hint: Please answer the question.\nQuestion: ' + r.choice(QUESTIONS) + '\n', question_type='free_form', answer_type='integer',
                       choices=None, answer_option=None, hint='never shown')
        else:
            if r.random() < 0.3:
                row['hint'] = r.choice(('A hint', '提示', 'line\nline', 'None'))
            for letter, text in matching.choices_of(r, 0, 6).items():
                if r.random() < 0.9:
                    row[letter] = text
        row['question'] = row['question'] or 'What?'
        row.update(answer='A', G=r.choice(('1', '2.50', None)) if 'MMMU' in suite else None)
        yield row


def main():
    image_base, internvl_chat, seen = internvl(sys.argv[1])
    r = random.Random(8)
    pictures = [p for p in (picture(r, i) for i in range(90)) if 64 < len(p) < 700]
    model = internvl_chat.InternVLChat.__new__(internvl_chat.InternVLChat)
    said = {}
    model.__dict__.update(use_mpo_prompt=False, _use_custom_prompt=True, use_postprocess=False, cot_prompt=None, kwargs=dict(max_new_tokens=4096),
                          best_of_n=1, use_lmdeploy=False, system_prompt=None, device='cpu', tokenizer=None, screen_parse=True,
                          model=types.SimpleNamespace(chat=lambda *_, question, **__: said.update(question=question) or ''))
    internvl_chat.torch.cat = lambda tensors, dim: None
    with open(os.path.join(sys.argv[2], 'prompts.jsonl'), 'w') as out:
        for suite, n in (('MMMU_DEV_VAL', 62), ('MathVista_MINI', 25), ('SEEDBench_IMG', 36), ('MMBench_DEV_EN_V11', 20), ('BLINK', 20)):
            path = os.path.join(sys.argv[2], suite + '.tsv')
            frame = pd.DataFrame(rows(r, suite, n, pictures))
            frame = frame[[c for c in frame.columns if c in ('index', 'image', 'question', 'hint') or len(c) > 1] +
                          [c for c in 'ABCDEFG' if c in frame.columns]] if 'MathVista' not in suite else frame.drop(columns='G')
            frame.to_csv(path, sep='\t', index=False)
            with tempfile.TemporaryDirectory() as folder:
                os.environ['LMUData'] = folder
                kind = type('Suite', (image_base.ImageBaseDataset,), dict(load_data=lambda self, name: pd.read_csv(path, sep='\t'),
                                                                         build_prompt=None, evaluate=None, __abstractmethods__=frozenset()))
                dataset = kind(suite)
                dataset.img_root = folder
                model.dump_image = lambda line, name: dataset.dump_image(line)
                for i in range(len(dataset.data)):
                    line = dataset.data.iloc[i]
                    for cot in ('', '1'):
                        os.environ['USE_COT'] = cot
                        model.use_cot = cot == '1'
                        message = model.build_prompt(line, suite)
                        model.set_max_num(suite)
                        del seen[:]
                        model.generate_v2(message, suite)
                        print(json.dumps(dict(suite=suite, index=str(line['index']), cot=model.use_cot, prompt=said['question'],
                                              tiles=[t.n for t in seen], sha256=[t.sha256 for t in seen])), file=out)


if __name__ == '__main__':
    main()
