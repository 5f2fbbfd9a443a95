#!/usr/bin/env python3
"""What scipy says of counts: Wilson's intervals and exact p-values, one JSON object a line.

    pip install scipy==1.17.1; python3 significance.py > tests/data/eval/statistics.jsonl
"""
import json

from scipy.stats import binomtest

for n in (1, 2, 10, 900, 14233):
    for k in sorted({0, 1, n // 3, n // 2, n - 1, n}):
        low, high = binomtest(k, n).proportion_ci(0.95, 'wilson')
        print(json.dumps(dict(hits=k, n=n, low=low, high=high)))
for first, second in ((0, 0), (0, 1), (1, 0), (0, 5), (0, 6), (3, 10), (10, 3), (7, 7), (7, 8), (100, 150), (150, 100), (60, 110), (0, 1074),
                      (1000, 1001), (4000, 4400), (4000, 6000), (20000, 20500)):
    p = binomtest(first, first + second, 0.5).pvalue if first + second else 1.0
    print(json.dumps(dict(first=first, second=second, p=p)))
