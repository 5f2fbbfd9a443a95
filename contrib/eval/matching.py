#!/usr/bin/env python3
"""Predictions made up, and what VLMEvalKit's rules without a judge make of them, one JSON object a line.

    git clone https://github.com/open-compass/VLMEvalKit && git -C VLMEvalKit checkout e8e78f0
    pip install pandas==3.1.1 validators; python3 matching.py VLMEvalKit > tests/data/eval/matching.jsonl

The code that judges is VLMEvalKit's own (mcq_vanilla_eval, prefetch_circular_group, MathVista_auxeval, post_check);
packages that it imports beside and that are not installed are replaced by empty ones.
"""
import importlib.abc
import importlib.machinery
import json
import os
import pickle
import random
import string
import sys
import tempfile
import types
from unittest.mock import MagicMock

import pandas as pd


class Absent(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Empty modules for what is not installed, while VLMEvalKit is imported."""

    def find_spec(self, name, path, target=None):
        optional = ('vlmeval', 'pyarrow', 'numexpr', 'bottleneck')
        return None if name.split('.')[0] in optional else importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec):
        module = MagicMock(name=spec.name)
        module.__path__, module.__spec__ = [], spec
        return module

    def exec_module(self, module):
        pass


def vlmevalkit(root):
    """The modules with the rules; the packages' own __init__ are left out."""
    def package(name):
        module = types.ModuleType(name)
        module.__path__ = [os.path.join(root, *name.split('.'))]
        sys.modules[name] = module
        return module

    absent = Absent()
    sys.meta_path.append(absent)
    for name in ('vlmeval', 'vlmeval.dataset', 'vlmeval.dataset.utils'):
        package(name)
    utils = package('vlmeval.utils')
    from vlmeval.utils import matching_util
    utils.can_infer, utils.can_infer_lego = matching_util.can_infer, matching_util.can_infer_lego
    utils.track_progress_rich = one_by_one
    from vlmeval.dataset.utils import mathvista, multiple_choice
    sys.meta_path.remove(absent)
    return multiple_choice, mathvista


def one_by_one(function, tasks, nproc, chunksize, save, keys):
    results = [function(**task) for task in tasks]
    with open(save, 'wb') as file:
        pickle.dump(dict(zip(keys, results)), file)
    return results


WORDS = ('red', 'Blue', 'dog', 'a cat', 'the Eiffel Tower', 'None of the above', '3/11', '14', '0.5', '1.0', 'Σίσυφος',
         'ΟΔΟΣ', 'İstanbul', 'straße', '红色', '不知道', 'A', 'B and C', 'Cannot be determined', '$x^2$', 'É', 'µm', 'Z',
         'café au lait', 'left', 'left of the box', 'nan', '２', 'yes', 'No', '\u00a0', 'K', 'ﬁn')
TAILS = ('', '.', '!', '\n', ' I think.', ' for now', ' because it is so.', '，因为', '\u3000', '\u00a0so\u2003it\u2028is', '\x1cand\x1fso',
         ' and nothing else at all')


def choices_of(r, low, high):
    return {c: r.choice(WORDS) + r.choice(('', '', ' ' + r.choice(WORDS)))
            for c in string.ascii_uppercase[:r.randint(low, high)]}


def prediction_of(r, choices):
    """Something that a model might say, and much that none should."""
    letter = r.choice(list(choices) or ['A']) if r.random() < 0.9 else r.choice(string.ascii_uppercase)
    text = choices.get(letter, r.choice(WORDS))
    other = r.choice(list(choices.values()) or ['x'])
    form = r.choice((
        '{l}', '{l}', '{l}.', '({l})', ' {l}\n', '{l}: {t}', '{l}. {t}', '{l}) {t}', '**{l}**', '{{{l}}}', '#{l}', '"{l}"', '${l}$',
        '\\boxed{{{l}}}', 'Answer: \\boxed{{{l}}}', 'Answer: \\boxed{{\\text{{{l}}}}}', 'The answer is {l}', 'the ANSWER  is\n**{l}**, surely',
        'The correct answer is **{l}**. Here is why: {t} and {o} are not the same thing at all', 'The correct answer is a {t}',
        'anſwer İs {l} but then one two three four five', 'answer ıs\u00a0{s} one two three four five six', 'Answer is{l} or so they say here today',
        'Answer is {s}{t} or so they say here today', 'I would say {t}', '{T}', '{s}', '{t}', '{t}', '{t} or {o}', 'not {o} but {t}',
        '{l} is the one I choose', '{l} is one I choose now', 'Neither {l} nor B', 'A {t} is shown, so {l}', 'Option {l}', '选{l}', '选 {l}。', '答案是：{l}',
        "Sorry, I can't help with images of people yet. {l}", "I can't process this file.", "I'm sorry, but without the image provided {l}",
        'Cannot determine the answer. {l}', 'Failed to obtain answer via API. {l}', 'Failed to obtain answer via API {t}', 'Z', 'Z.', 'A or Z', '', 'nan', '-',
        'Let me think step by step. There are many things. ' * 3 + '{l}', 'Let me think. ' * 20 + '{t}', '[{l};{l}]', '{l}{l}', '{l}\u200b', '{l}\u3000{t}',
        '\u2009{l}\x85', '{l},{o}', 'the answer is {l} and not what the correct answer is B would be, no not at all'))
    return form.format(l=letter, s=letter.lower(), t=text, T=text.upper(), o=other) + r.choice(TAILS)


def table(rows):
    return pd.DataFrame([dict(row, question='What?') for row in rows], dtype=object)


def multiple_choice_cases(rules, name, rows, n_before):
    for i, row in enumerate(rows):
        row['index'] = n_before + i
    data = table(rows)
    with tempfile.TemporaryDirectory() as folder:
        judged = rules.mcq_vanilla_eval(None, data.copy(), data, 1, os.path.join(folder, 'result.pkl'), name)
    shown = rules.MMMU_preproc(data.copy()) if 'MMMU' in name else data
    for i, row in enumerate(rows):
        letter = rules.prefetch_answer(shown.iloc[i])
        yield dict(suite=name, **row, letter=letter or None, hit=int(judged.iloc[i]['hit']))


def circular_cases(rules, r, name, n_groups):
    for g in range(n_groups):
        choices = choices_of(r, 2, 4)
        is_known = r.random() < 0.6
        rows = []
        for i in range(len(choices)):
            letters = list(choices)
            texts = list(choices.values())
            turned = dict(zip(letters, texts[i:] + texts[:i]))
            gold = letters[-i % len(letters)]
            said = r.choice(('{}', '{}.', 'The answer is {}.')).format(gold) if is_known else prediction_of(r, turned)
            if is_known and r.random() < 0.1:
                said = 'I do not know'
            rows.append(dict(index=i * 1000000 + g, g_index=g, **turned, answer=gold, GT=gold, prediction=said))
        data = table(rows)
        verdict = rules.prefetch_circular_group(data, verbose=False)
        for i, row in enumerate(rows):
            del row['GT']
            yield dict(suite=name, **row, letter=rules.prefetch_answer(data.iloc[i]) or None, hit=int(bool(verdict and verdict['hit'])))


class NoJudge:
    def generate(self, prompt, temperature):
        return 'Failed to obtain answer via API.'


NUMBERS = ('14', ' 14 ', '+14', '-14', '0', '-0', '0.0', '1_4', '1__4', '_14', '14_', '14.0', '14.', '.5', '0.5', '5e-1', '5E-1', '1_0.5', '1._5', '1e5', '1e', '１４',
           '٣٤', '1４', '\u00a014', '\x1c14', '\u300014\n', '007', '0x0e', 'inf', '-Infinity', 'nan', 'NaN', '1e400', '123456789012345678901', '0.1', '0.10',
           'Answer: \\boxed{14}', '14 apples', 'fourteen', '', '-', '+', '+-1', '1 4', '14\u200b', '1' * 4301, '3.0000000000000001', '3', '12.50', '1.25e1')


def mathvista_cases(rules, r, name, n):
    for i in range(n):
        choices, answer, option = None, r.choice(NUMBERS), None
        kind = r.choice(('integer', 'float', 'choice', 'choice', 'other'))
        row = dict(index=i, question_type='free_form', answer_type=kind)
        said = r.choice(NUMBERS)
        if kind in ('integer', 'float'):
            if r.random() < 0.6:
                said = answer if r.random() < 0.5 else ' ' + answer
            if r.random() < 0.2:
                answer = r.choice((14, 0, 14.0, 0.5, 3.7, True, None))
            if r.random() < 0.2:
                said = r.choice((14, 14.0, 0.5, 3.2, 0, True, None))
        elif kind == 'choice':
            row.update(question_type='multi_choice', answer_type='text')
            items = list(choices_of(r, 2, 6).values())
            if r.random() < 0.2:
                items = [r.choice((1, 2, 3, 10, 0.5, 14)) for _ in items]
            if r.random() < 0.1:
                items[0] = ''
            choices = str(items)
            option = r.choice(string.ascii_uppercase[:len(items)])
            answer = str(items[ord(option) - 65])
            said = prediction_of(r, {c: str(t) for c, t in zip(string.ascii_uppercase, items)})
        else:
            row['answer_type'] = r.choice(('text', 'list'))
            answer = r.choice(('None', '[1, 2]', 'red', None))
        row.update(choices=choices, answer=answer, answer_option=option, prediction=said)
        line = table([{k: float('nan') if v is None else v for k, v in row.items()}]).iloc[0].copy()
        line['res'] = rules.MathVista_auxeval(NoJudge(), line)['res']
        taken = rules.post_check(line, prefetch=True) if line['res'] != '' else None
        if choices is not None:
            row['choices'] = [str(item) for item in items]
        yield dict(suite=name, **row, taken=None if taken is None else str(taken),
                   hit=int(bool(rules.post_check(line, prefetch=False))))


def main():
    multiple_choice, mathvista = vlmevalkit(sys.argv[1])
    r = random.Random(6)
    plain, open_or_not = [], []
    for _ in range(440):
        choices = choices_of(r, 1, 6)
        if r.random() < 0.15 and len(choices) > 1:
            del choices[r.choice(list(choices))]
        plain.append(dict(**choices, answer=r.choice(list(choices)), prediction=prediction_of(r, choices)))
    for _ in range(180):
        if r.random() < 0.5:
            gold = r.choice(WORDS + ('C', '[\'14\', \'fourteen\']', '7'))
            shown = {'A': gold, 'B': 'Other Answers'}
            open_or_not.append(dict(answer=gold, prediction=prediction_of(r, shown)))
        else:
            choices = choices_of(r, 2, 7)
            open_or_not.append(dict(**choices, answer=r.choice(list(choices)), prediction=prediction_of(r, choices)))
    cases = list(multiple_choice_cases(multiple_choice, 'SEEDBench_IMG', plain, 0))
    cases += multiple_choice_cases(multiple_choice, 'MMMU_DEV_VAL', open_or_not, 0)
    cases += mathvista_cases(mathvista, r, 'MathVista_MINI', 260)
    cases += circular_cases(multiple_choice, r, 'MMBench_DEV_EN_V11', 60)
    for case in cases:
        print(json.dumps({k: v for k, v in case.items() if v is not None}))


if __name__ == '__main__':
    main()
