"""Functions in Python that hype runs. componentize-py compiles them, with CPython, to a component.

A component contains only the modules that are imported here. heapq is imported by Counter.most_common when it runs.
"""

import heapq  # noqa: F401
import math
import statistics
from collections import Counter

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.numbers import Problem_Empty, Problem_NotFinite, Summary
from wit_world.exports.words import Count


class Words(exports.Words):
    def top(self, text, n):
        return [Count(word, times) for word, times in Counter(text.split()).most_common(n)]


class Numbers(exports.Numbers):
    def summarize(self, numbers):
        for index, number in enumerate(numbers):
            if not math.isfinite(number):
                raise Err(Problem_NotFinite(index))
        if not numbers:
            raise Err(Problem_Empty())
        deviation = statistics.stdev(numbers) if len(numbers) > 1 else None
        return Summary(statistics.fmean(numbers), statistics.median(numbers), deviation)
