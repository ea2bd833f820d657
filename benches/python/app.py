"""Functions in Python that hype runs: `spotify:hype/closure`, from wit/closure.wit.

componentize-py makes a component of it, in which CPython itself is compiled in; see ../README.md.
"""

from componentize_py_types import Err
from wit_world.exports import closure

import messagepack


def greet(name: str) -> str:
    return f"hello {name}"


def count(text: str) -> dict:
    """How often each word of `text` occurs."""
    counts: dict = {}
    for word in text.lower().split():
        counts[word] = counts.get(word, 0) + 1
    return counts


FUNCTIONS = {"greet": greet, "count": count}


class Closure:
    """The export: one call, by which all functions are reached."""

    def call(self, function: str, arguments: bytes) -> bytes:
        # Says when the guest is entered, to whoever measures the start.
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
