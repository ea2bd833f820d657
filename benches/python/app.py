"""Functions in Python for hype: implements `spotify:hype/closure` of wit/closure.wit.

componentize-py builds a component of this module and CPython; see ../README.md.
"""

from componentize_py_types import Err
from wit_world.exports import closure

import messagepack


def greet(name: str) -> str:
    return f"hello {name}"


def count(text: str) -> dict:
    """Counts the occurrences of each word of `text`."""
    counts: dict = {}
    for word in text.lower().split():
        counts[word] = counts.get(word, 0) + 1
    return counts


FUNCTIONS = {"greet": greet, "count": count}


class Closure:
    """The export: one call, which calls a function by its name."""

    def call(self, function: str, arguments: bytes) -> bytes:
        # The benchmark measures the time until this line is printed.
        print("entered", flush=True)
        try:
            chosen = FUNCTIONS[function]
            values = messagepack.decode(arguments)
            parameters = chosen.__code__.co_argcount
            if len(values) != parameters:
                raise ValueError(f"`{function}` takes {parameters} arguments, and {len(values)} were given")
        except KeyError:
            names = ", ".join(FUNCTIONS)
            raise incompatible(f"the component has no function `{function}`; it has: {names}")
        except ValueError as error:
            raise incompatible(str(error))
        try:
            return messagepack.encode(chosen(*values))
        except Exception as error:
            raise Err(closure.Failure(closure.FailureKind.FUNCTION, str(error), causes(error)))


def incompatible(message: str) -> Err:
    return Err(closure.Failure(closure.FailureKind.INCOMPATIBLE, message, []))


def causes(error: BaseException) -> list:
    found = []
    while error := error.__cause__ or error.__context__:
        found.append(str(error))
    return found
