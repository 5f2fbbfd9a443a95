"""What VLMEvalKit asks a judge: judge.py CHECKOUT > tests/data/eval/judge.jsonl

CHECKOUT is VLMEvalKit e8e78f0.  Its functions are taken out of their files, so that nothing needs to be installed."""
import ast
import json
import pathlib
import sys

root = pathlib.Path(sys.argv[1])


class Pandas:
    @staticmethod
    def isna(value):
        return value is None


names = {"pd": Pandas}
for path, wanted in (("dataset/utils/multiple_choice.py", ["build_prompt", "build_prompt_cn", "build_prompt_blink"]),
                     ("dataset/utils/mathvista.py", ["get_gpt4_ICE", "build_mathvista_gpt4_prompt"]),
                     ("smp/vlm.py", ["build_option_str"]), ("smp/misc.py", ["cn_string"])):
    for node in ast.parse((root / "vlmeval" / path).read_text()).body:
        if isinstance(node, ast.FunctionDef) and node.name in wanted:
            exec(compile(ast.Module([node], []), path, "exec"), names)


def choice(suite, question, choices, prediction):
    """The order of extract_answer_from_item()."""
    options = names["build_option_str"](choices)
    make = ("build_prompt_blink" if suite == "BLINK" else
            "build_prompt_cn" if names["cn_string"](question) else "build_prompt")
    return names[make](question, options, prediction)


def write(suite, question, choices, prediction, prompt):
    print(json.dumps({"suite": suite, "question": question, "choices": choices, "prediction": prediction,
                      "prompt": prompt}, ensure_ascii=False))


questions = ["What is in the picture?", "图中是什么？", 'Which {} of {0} is "left"?\nLook.', "价", "\u3400 rare", "\u9fff", "\ua000 no"]
predictions = ["a dog", "", "It could be {either}\nof them", "也许是猫"]
options = [{"A": "cat", "B": "dog"}, {"A": "1", "C": "{}", "D": "猫"}, {}, {x: x.lower() * 3 for x in "ABCDEFGH"}]
for suite in ("SEEDBench_IMG", "BLINK", "MMMU_DEV_VAL", "MMBench_CN"):
    for i, question in enumerate(questions):
        for k, m in ((i, i), (i + 1, i + 2)):
            row = suite, question, options[k % 4], predictions[m % 4]
            write(*row, choice(*row))
for i, question in enumerate(questions):
    prediction = predictions[i % 4]
    write("MathVista_MINI", question, {}, prediction,
          names["build_mathvista_gpt4_prompt"]({"question": question, "prediction": prediction}))
