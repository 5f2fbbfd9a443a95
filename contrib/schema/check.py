#!/usr/bin/env python3
"""Answers of `omma run --json-schema` held against jsonschema.

Makes schemas at random out of all keywords that omma holds answers to, asks the model about each at a
high temperature, and validates what is finished.  Fails if an answer does not validate, or if hardly
any is finished.
"""
import argparse
import collections
import json
import os
import random
import subprocess
import sys
import tempfile

import jsonschema

WORDS = ["color", "shape", "count", "size", "left", "note", "caf\u00e9", "a b", 'q"uote', "\u4f60\u597d", "x/y", "\\"]


def scalar(rng):
    kind = rng.randrange(9)
    if kind == 0:
        low = rng.randrange(4)
        return {"type": "string", "minLength": low, "maxLength": low + rng.randrange(12)}
    if kind == 1:
        return {"type": "string", "maxLength": rng.randrange(20)}
    if kind == 2:
        return {"enum": rng.sample(WORDS + [1, -2.5, True, None, {"a": [1, {}]}, []], rng.randrange(1, 6))}
    if kind == 3:
        return {"const": rng.choice(WORDS + [0, 1e-7, False, {"k": "v"}, [1, 2]])}
    if kind == 4:
        return {"type": rng.sample(["string", "integer", "null", "boolean"], 2), "maxLength": 8}
    return {"type": ["integer", "number", "boolean", "null"][kind - 5]}


def schema(rng, depth, definitions):
    kind = rng.randrange(8) if depth > 0 else 7
    if kind < 3:
        names = rng.sample(WORDS, rng.randrange(5))
        made = {"type": "object", "properties": {name: schema(rng, depth - 1, definitions) for name in names},
                "required": rng.sample(names, rng.randrange(len(names) + 1))}
        if rng.random() < 0.6 or not names:
            made["additionalProperties"] = False
        return made
    if kind == 3:
        return {"type": "array", "items": schema(rng, depth - 1, definitions)}
    if kind == 4:
        return {"anyOf": [schema(rng, depth - 1, definitions) for _ in range(rng.randrange(1, 5))],
                "description": "one of them"}
    if kind == 5 and definitions:
        return {"$ref": "#/$defs/" + rng.choice(definitions)}
    if kind == 6:
        return {"type": "object", "additionalProperties": scalar(rng)}
    return scalar(rng)


def whole(rng):
    """A schema with definitions; those refer to themselves only below an array or an optional property."""
    if rng.random() < 0.3:
        node = {"type": "object",
                "properties": {"value": scalar(rng), "next": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/node"}]},
                               "more": {"type": "array", "items": {"$ref": "#/$defs/node"}}},
                "required": ["value"], "additionalProperties": False}
        made = schema(rng, 2, ["node"])
        return {**made, "$defs": {"node": node}, "$schema": "https://json-schema.org/draft/2020-12/schema"}
    return schema(rng, 3, [])


def ask(omma, model, path, seed, tokens):
    ended = subprocess.run([omma, "run", "-m", model, "-p", "Describe the shapes.", "--json", "--json-schema", path,
                            "--temperature", "2", "--seed", str(seed), "-n", str(tokens)],
                           capture_output=True, check=False)
    if ended.returncode != 0:
        raise SystemExit(f"omma: {ended.stderr.decode()}\n{open(path, encoding='utf-8').read()}")
    return json.loads(ended.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("omma", help="the program")
    parser.add_argument("--model", default="demo")
    parser.add_argument("--schemas", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tokens", type=int, default=600)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    counts = collections.Counter()
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "schema.json")
        for i in range(options.schemas):
            made = whole(rng)
            jsonschema.Draft202012Validator.check_schema(made)
            with open(path, "w", encoding="utf-8") as file:
                json.dump(made, file)
            answer = ask(options.omma, options.model, path, i, options.tokens)
            counts[answer["finish_reason"]] += 1
            if answer["finish_reason"] != "stop":
                continue
            try:
                jsonschema.validate(json.loads(answer["text"]), made, cls=jsonschema.Draft202012Validator)
            except (ValueError, jsonschema.ValidationError) as error:
                bad += 1
                print(f"FAIL {json.dumps(made)}\n     {answer['text']}\n     {error}")
    finished = counts["stop"]
    failed = bad > 0 or finished < options.schemas // 2
    print(f"{'FAIL' if failed else 'ok  '} {options.schemas} schemas at temperature 2: {finished} answers finished, "
          f"{finished - bad} of them valid; {options.schemas - finished} ended by {options.tokens} tokens")
    return failed


if __name__ == "__main__":
    sys.exit(main())
