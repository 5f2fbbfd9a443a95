#!/usr/bin/env python3
"""Files of predictions made up, and the scores that VLMEvalKit gives them without a judge.

    python3 scores.py VLMEvalKit tests/data/eval          (matching.py says what it needs)

Writes {suite}.tsv and scores.jsonl: a line for each group and split. The files are read and scored as VLMEvalKit's evaluate()
does: load(), mcq_vanilla_eval() or mcq_circular_eval(), report_acc(); MathVista_auxeval() without an answer of a judge, MathVista_acc().
"""
import json
import os
import random
import string
import sys
import tempfile

import pandas as pd

import matching

CATEGORIES = (('Instance Counting', 'Perception'), ('Scene Understanding', 'Perception'), ('Text "in" pictures', 'Reading'), ('图表', 'Reading'))


def questions(r, n, is_open):
    for i in range(n):
        choices = matching.choices_of(r, 2, 5)
        gold = r.choice(list(choices))
        if is_open and r.random() < 0.3:
            gold = r.choice(matching.WORDS)
            said = matching.prediction_of(r, {'A': gold, 'B': 'Other Answers'})
            choices = {}
        else:
            said = r.choice((matching.prediction_of(r, choices), gold, gold + '. ' + choices[gold]))
        category, l2 = r.choice(CATEGORIES)
        yield dict(index=i + 1, question=f'What is in picture {i}?', **choices, answer=gold, split=r.choice(('dev', 'validation')), category=category,
                   **{'l2-category': l2}, prediction=said)


def circles(r, n):
    for g in range(n):
        choices = matching.choices_of(r, 2, 4)
        category, l2 = r.choice(CATEGORIES)
        letters, texts = list(choices), list(choices.values())
        is_known = r.random() < 0.6
        for i in range(len(letters)):
            turned = dict(zip(letters, texts[i:] + texts[:i]))
            gold = letters[-i % len(letters)]
            said = gold if is_known else matching.prediction_of(r, turned)
            yield dict(index=i * 1000000 + g, question=f'Which is {g}?', **turned, answer=gold, split=('dev', 'test')[g % 2], category=category,
                       **{'l2-category': l2}, prediction=said)


def mathvista_rows(r, n):
    skills = ('algebraic reasoning', 'geometry reasoning', 'statistical reasoning')
    for i in range(n):
        kind = r.choice(('integer', 'float', 'text', 'choice'))
        row = dict(index=i + 1, question=f'How many {i}?', question_type='free_form', answer_type=kind, task=r.choice(('figure question answering', 'math word problem')),
                   skills=str(r.sample(skills, r.randint(1, 2))), answer=r.choice(matching.NUMBERS), prediction=r.choice(matching.NUMBERS))
        if kind == 'choice':
            items = list(matching.choices_of(r, 2, 5).values())
            option = r.choice(string.ascii_uppercase[:len(items)])
            row.update(question_type='multi_choice', answer_type='text', choices=str(items), answer_option=option,
                       prediction=r.choice((option, matching.prediction_of(r, dict(zip(string.ascii_uppercase, items))))))
        elif r.random() < 0.5:
            row['prediction'] = row['answer']
        yield row


def load(path):
    return pd.read_csv(path, sep='\t')


def score_choices(rules, path, name, is_circular):
    data = load(path).sort_values(by='index')
    data['prediction'] = [str(x) for x in data['prediction']]
    evaluate = rules.mcq_circular_eval if is_circular else rules.mcq_vanilla_eval
    with tempfile.TemporaryDirectory() as folder:
        data = evaluate(None, data, load(path), 1, os.path.join(folder, 'result.pkl'), name)
    table = rules.report_acc(data)
    for column in table.columns[1:]:
        for split, score in zip(table['split'], table[column]):
            if score == score:
                yield dict(suite=name, name=column, split=split, score=float(score))


def score_mathvista(rules, path, name):
    data = load(path)
    verdicts = [rules.MathVista_auxeval(matching.NoJudge(), data.iloc[i]) for i in range(len(data))]
    data['res'], data['log'] = [v['res'] for v in verdicts], [v['log'] for v in verdicts]
    with tempfile.TemporaryDirectory() as folder:
        judged = os.path.join(folder, 'judged.tsv')
        data.to_csv(judged, sep='\t', index=False)
        table = rules.MathVista_acc(judged)
    for _, row in table.iterrows():
        yield dict(suite=name, name=row['Task&Skill'], split='', score=float(row['acc']) / 100, rows=int(row['tot']))


def main():
    multiple_choice, mathvista = matching.vlmevalkit(sys.argv[1])
    multiple_choice.dump = lambda data, path: data.to_csv(path, sep='\t', index=False) if path.endswith('.tsv') else None
    multiple_choice.get_pred_file_format = lambda: 'tsv'
    r = random.Random(7)
    suites = {'SEEDBench_IMG': questions(r, 120, False), 'MMMU_DEV_VAL': questions(r, 120, True), 'MMBench_DEV_EN_V11': circles(r, 50),
              'MathVista_MINI': mathvista_rows(r, 120)}
    with open(os.path.join(sys.argv[2], 'scores.jsonl'), 'w') as out:
        for name, rows in suites.items():
            path = os.path.join(sys.argv[2], name + '.tsv')
            pd.DataFrame(rows).to_csv(path, sep='\t', index=False)
            scores = score_mathvista(mathvista, path, name) if name == 'MathVista_MINI' else \
                score_choices(multiple_choice, path, name, 'MMBench' in name)
            for score in scores:
                print(json.dumps(score), file=out)


if __name__ == '__main__':
    main()
