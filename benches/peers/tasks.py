"""The tasks of the benchmark `peers`: the same as the functions `greet`, `spin` and `echo` in `../closures`."""

MASK = (1 << 64) - 1


def greet(name):
    return f"hello {name}"


def spin(steps):
    """Computes numbers of the generator xorshift64, which needs nothing but a processor."""
    state = 88172645463325252
    for _ in range(steps):
        state ^= (state << 13) & MASK
        state ^= state >> 7
        state ^= (state << 17) & MASK
    return state


def echo(data):
    return data


def run_batch(task, batch):
    """Runs several tasks as one, for peers whose documentation recommends it and which have no function for it."""
    return [task(item) for item in batch]
