#!/usr/bin/env python3
"""Tables as VLMEvalKit reads them: pandas' read_csv(sep="\\t"), on cases written here and drawn at random.

    tables.py > tests/data/eval/tables.jsonl

A line is {"tsv": the file, "names": [...], "rows": [[str() of each cell, null if missing], ...]}, or
{"tsv": ..., "refused": true}.  Where the first column would become the index, as pandas has it if every
row has one cell more than the header, omma refuses the file; such a line says so.

Made with pandas 3.1.1.
"""
import io
import json
import random

import pandas

WORDS = ["", "NA", "None", "nan", "null", "N/A", "n/a", "<NA>", "NULL", "none", "Na"]
NUMBERS = ["0", "7", "007", "+5", "-0", "-12", " 5 ", "42", "9007199254740993", "1234567890123456789"]
LARGE = ["9223372036854775807", "9223372036854775808", "18446744073709551615", "18446744073709551616",
         "99999999999999999999", "-9223372036854775808", "-9223372036854775809"]
REALS = ["1.5", "1e5", ".5", "5.", "1e-5", "0.0001", "1e16", "123456.789e3", "3.14159265358979312", "1e400", "-1e-400",
         "inf", "-Infinity", "+inf", "1E+3", "2.50", "0.1", "1e22", "1.7976931348623157e308", "-0.0", "5e-324",
         "00012.25", "0.30000000000000004", "123456789012345678901"]
BOOLEANS = ["True", "TRUE", "true", "False", "FALSE", "false"]
TEXTS = ["a", "1_0", "0x10", ".", "1e", "-", "+", "1 2", "yes", "\u4e94", "B) 5", "$5$", "e5", "--5", "1e5x", "infi"]
QUOTED = ['"a\tb"', '"two\nlines"', '"say ""no"""', '"x"y', '"7"', '""', '"NA"', 'a"b', '"a"b"c', '" 5"', '"cr\rin"']
ENDS = ["\n", "\r\n", "\r"]


def read(text):
    case = {"tsv": text}
    try:
        data = pandas.read_csv(io.BytesIO(text.encode()), sep="\t")
    except (pandas.errors.ParserError, pandas.errors.EmptyDataError):
        return case | {"refused": True}
    if type(data.index) is not pandas.RangeIndex:
        return case | {"refused": True}
    rows = [[None if pandas.isna(data[name].iloc[i]) else str(data[name].iloc[i]) for name in data.columns]
            for i in range(len(data))]
    return case | {"names": [str(name) for name in data.columns], "rows": rows}


def column(draw, n):
    pools = draw.choice([[NUMBERS], [NUMBERS, WORDS], [NUMBERS, REALS], [REALS, WORDS], [NUMBERS, LARGE], [LARGE, WORDS],
                         [LARGE, NUMBERS, REALS], [BOOLEANS], [BOOLEANS, WORDS], [BOOLEANS, NUMBERS], [TEXTS, NUMBERS],
                         [TEXTS, WORDS], [WORDS], [QUOTED], [QUOTED, NUMBERS], [NUMBERS, REALS, WORDS]])
    return [draw.choice(draw.choice(pools)) for _ in range(n)]


def table(draw):
    n_columns, n_rows, end = draw.randint(1, 4), draw.randint(1, 5), draw.choice(ENDS)
    columns = [column(draw, n_rows) for _ in range(n_columns)]
    lines = ["\t".join(draw.choice(["index", "A", "A", "B", "", '"q ""n"""', "A.1"]) for _ in range(n_columns))]
    for i in range(n_rows):
        cells = [column[i] for column in columns]
        if draw.random() < 0.05:
            cells = cells[:-1] or [""]
        if draw.random() < 0.02:
            cells.append("more")
        lines.append("\t".join(cells))
        if draw.random() < 0.1:
            lines.append(draw.choice(["", " ", "   "]))
    return draw.choice(["", "", "", "\ufeff"]) + end.join(lines) + draw.choice([end, ""])


def decimals(draw, n):
    """One column of reals of all lengths."""
    cells = []
    for _ in range(n):
        digits = "".join(draw.choice("0123456789") for _ in range(draw.randint(1, 22)))
        at = draw.randint(0, len(digits))
        exponent = draw.choice(["", "", f"e{draw.randint(-330, 320)}", f"e{draw.randint(-9, 9)}"])
        cells.append(draw.choice(["", "-"]) + digits[:at] + "." + digits[at:] + exponent)
    return "x\n" + "\n".join(cells) + "\n"


def main():
    draw = random.Random(6)
    fixed = ["", "\n", "A\n", "A", "A\tB\n1\n", "A\tB\n1\t2\t3\n", "A\tB\n1\t2\n1\t2\t3\n", "A\n\"open\n", "A\tB\n\t\n",
             "A\tA\tA\n1\t2\t3\n", "A\tA.1\tA\n1\t2\t3\n", "\t\n1\t2\n", "A\n1\n\n\n2\n", "A\tB\n  \tx\n", "A\r1\r2", "A\r\r\n1"]
    for text in fixed + [table(draw) for _ in range(600)] + [decimals(draw, 60) for _ in range(4)]:
        print(json.dumps(read(text), ensure_ascii=True))


main()
