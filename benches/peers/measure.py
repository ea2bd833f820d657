"""Measures one peer in a process of its own: `measure.py PEER STEPS CORES`, where a CPU-bound task has STEPS steps.

Prints a JSON object with the seconds of each workload in each way: `each` makes one task of each item, `batched` is the
way that the peer's documentation recommends for many small tasks. `measure.py calibrate` prints the number of steps that
take 50 ms, and `measure.py bare STEPS CORES` measures processes without any framework.
"""

import contextlib
import json
import os
import sys
import threading
import time

import tasks

GREETINGS = 10_000
SPINS = 200
ECHOES = 1_000
ECHO_BYTES = 1_000_000

# A peer that hangs is measured as one that cannot run.
TIMEOUT_SECONDS = 900


class Peer:
    # The maximum number of tasks of a kind, for peers that would take an hour for all; the rate of these counts.
    most_tasks = GREETINGS


class Ray(Peer):
    def __init__(self, cores):
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        import ray

        self.ray = ray
        ray.init(
            num_cpus=cores, include_dashboard=False, log_to_driver=False, logging_level="error", _node_ip_address="127.0.0.1"
        )
        self.remote = {task: ray.remote(task) for task in (tasks.greet, tasks.spin, tasks.echo)}
        self.remote_batch = ray.remote(tasks.run_batch)

    def each(self, task, items):
        return self.ray.get([self.remote[task].remote(item) for item in items])

    def batched(self, task, items, size):
        """https://docs.ray.io/en/latest/ray-core/patterns/too-fine-grained-tasks.html"""
        return flatten(self.ray.get([self.remote_batch.remote(task, batch) for batch in split(items, size)]))

    def stop(self):
        self.ray.shutdown()


class Dask(Peer):
    def __init__(self, cores):
        from dask.distributed import Client, LocalCluster

        self.cluster = LocalCluster(n_workers=cores, threads_per_worker=1, host="127.0.0.1", dashboard_address=None)
        self.client = Client(self.cluster)

    def each(self, task, items):
        # Without `pure`, equal arguments would be one task.
        return self.client.gather(self.client.map(task, items, pure=False))

    def batched(self, task, items, size):
        """https://docs.dask.org/en/stable/delayed-best-practices.html#avoid-too-many-tasks"""
        batches = list(split(items, size))
        futures = self.client.map(tasks.run_batch, [task] * len(batches), batches, pure=False)
        return flatten(self.client.gather(futures))

    def stop(self):
        self.client.close()
        self.cluster.close()


class Lithops(Peer):
    # Each task starts a process.
    most_tasks = 200

    def __init__(self, cores):
        # The workers import `tasks`: a copy of it that Lithops sends with each job is replaced while they read it.
        os.environ["PYTHONPATH"] = os.path.dirname(os.path.abspath(__file__))
        import lithops

        config = {
            "lithops": {
                "backend": "localhost",
                "storage": "localhost",
                "log_level": "ERROR",
                "telemetry": False,
                # The default is 4 MB for all items of a map together.
                "data_limit": None,
            },
            "localhost": {"worker_processes": cores},
        }
        self.executor = lithops.FunctionExecutor(config=config)

    def each(self, task, items):
        return self.map(task, items, None)

    def batched(self, task, items, size):
        """The parameter `chunksize` of `FunctionExecutor.map`."""
        return self.map(task, items, size)

    def map(self, task, items, size):
        futures = self.executor.map(task, items, chunksize=size, exclude_modules=["tasks"])
        return self.executor.get_result(futures, show_progressbar=False)

    def stop(self):
        self.executor.clean(clean_cloudobjects=False)
        self.executor.__exit__(None, None, None)


class Multiprocessing(Peer):
    def __init__(self, cores):
        import multiprocessing

        self.pool = multiprocessing.Pool(cores)

    def each(self, task, items):
        return self.pool.map(task, items, chunksize=1)

    def batched(self, task, items, size):
        """The parameter `chunksize` of `Pool.map`."""
        return self.pool.map(task, items, chunksize=size)

    def stop(self):
        self.pool.terminate()
        self.pool.join()


class Joblib(Peer):
    def __init__(self, cores):
        import joblib

        self.delayed = joblib.delayed
        self.parallel = lambda size: joblib.Parallel(n_jobs=cores, batch_size=size)

    def each(self, task, items):
        return self.parallel(1)(self.delayed(task)(item) for item in items)

    def batched(self, task, items, size):
        """The default `batch_size` of `Parallel`, which adapts to the duration of the tasks."""
        return self.parallel("auto")(self.delayed(task)(item) for item in items)

    def stop(self):
        from joblib.externals.loky import get_reusable_executor

        get_reusable_executor().shutdown(wait=True, kill_workers=True)


PEERS = {"ray": Ray, "dask": Dask, "lithops": Lithops, "multiprocessing": Multiprocessing, "joblib": Joblib}


def split(items, size):
    for start in range(0, len(items), size):
        yield items[start : start + size]


def flatten(batches):
    return [item for batch in batches for item in batch]


def measure(peer, steps, cores):
    """Returns the seconds of each workload in both ways. Checks every result."""
    greetings = [f"item {index}" for index in range(GREETINGS)]
    echoes = [bytes([index % 256]) * ECHO_BYTES for index in range(ECHOES)]
    workloads = {
        "greet": (tasks.greet, greetings, [f"hello {name}" for name in greetings]),
        "spin": (tasks.spin, [steps] * SPINS, [tasks.spin(steps)] * SPINS),
        "echo": (tasks.echo, echoes, echoes),
    }
    seconds = {}
    for name, (task, items, expected) in workloads.items():
        number = len(items)
        items, expected = items[: peer.most_tasks], expected[: peer.most_tasks]
        # As many batches as `Pool.map` makes of itself: four for each worker.
        size = -(-len(items) // (4 * cores))
        ways = {"each": lambda: peer.each(task, items), "batched": lambda: peer.batched(task, items, size)}
        for way, run in ways.items():
            started = time.perf_counter()
            returned = run()
            seconds[f"{name} {way}"] = (time.perf_counter() - started) * number / len(items)
            assert returned == expected, f"{name} {way} returned something else"
    return seconds


def give_up():
    """Ends a peer that hangs, with the processes that it has started: they would keep the output open."""
    import psutil

    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    print(f"it had no results after {TIMEOUT_SECONDS} s", file=sys.stderr, flush=True)
    os._exit(1)


def calibrate():
    """Returns the number of steps that take 50 ms of processor time."""
    steps = 100_000
    times = []
    for _ in range(5):
        started = time.process_time()
        tasks.spin(steps)
        times.append(time.process_time() - started)
    return round(steps * 0.05 / sorted(times)[2])


def bare(steps, cores):
    """Returns the seconds of the CPU-bound tasks in processes that share them evenly."""
    import multiprocessing

    shares = [[steps] * len(range(core, SPINS, cores)) for core in range(cores)]
    processes = [multiprocessing.Process(target=tasks.run_batch, args=(tasks.spin, share)) for share in shares]
    started = time.perf_counter()
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    seconds = time.perf_counter() - started
    assert all(process.exitcode == 0 for process in processes), "a process failed"
    return seconds


def main():
    timer = threading.Timer(TIMEOUT_SECONDS, give_up)
    timer.daemon = True
    timer.start()
    name, *numbers = sys.argv[1:]
    if name == "calibrate":
        result = {"steps": calibrate()}
    elif name == "bare":
        result = {"spin": bare(*map(int, numbers))}
    else:
        steps, cores = map(int, numbers)
        started = time.perf_counter()
        peer = PEERS[name](cores)
        # All workers run once before the measurement.
        peer.each(tasks.greet, ["you"] * 4 * cores)
        start = time.perf_counter() - started
        result = {"start": start, **measure(peer, steps, cores)}
        peer.stop()
    print(json.dumps(result))


if __name__ == "__main__":
    main()
