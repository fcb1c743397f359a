"""What the workers of a Dask cluster hold, and tasks on it: one for each worker, which stays where its things are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from typing import Any

import numpy as np

SLACK = 1.25  # of its share of the rows that a worker may have before some are moved to others


class Held:
    """Things in the memory of workers, by number. What a lost worker held is computed again from its source by others.

    Parameters
    ----------
    client : distributed.Client
    futures : list of distributed.Future
    sizes : ndarray of shape (n_things,)
        How much work each is, of any unit.
    """

    def __init__(self, client: Any, futures: Sequence[Any], sizes: np.ndarray) -> None:
        self.client, self.futures, self.sizes = client, list(futures), sizes
        self.shares: list[tuple[str, int, list[int]]] = []

    def cancel(self) -> None:
        """Let the workers forget what they hold."""
        self.client.cancel(self.futures)
        self.futures = []

    def submitted(self, submit: Callable[..., Any], task: Callable[..., Any]) -> list[Any]:
        """Give each worker that holds any a task, of its number of threads and of what it holds, by number.

        Another one takes it over where this is lost. While they work, we ask where things are, for the next time.
        """
        futures = [
            submit(
                task,
                n_threads,
                {number: self.futures[number] for number in numbers},
                workers=[worker],
                allow_other_workers=True,
            )
            for worker, n_threads, numbers in self.shares or self._shared()
        ]
        self.shares = self._shared()
        return futures

    def together(self, task: Callable[..., Mapping[int, Any]]) -> list[Any]:
        """Return what tasks give for each thing, in the order of their numbers."""
        with cancelling(self.client) as submit:
            found = self.client.gather(self.submitted(submit, task))
        by_number = {number: result for results in found for number, result in results.items()}
        return [by_number[number] for number in sorted(by_number)]

    def _shared(self) -> list[tuple[str, int, list[int]]]:
        """Return workers, their threads, and the numbers of the things that each is to work on."""
        from distributed import wait

        wait(self.futures)  # type: ignore[no-untyped-call]
        while not (threads := self.client.nthreads()):
            self.client.wait_for_workers(1)
        held = self.client.who_has(self.futures)
        shares = balanced([held.get(future.key, ()) for future in self.futures], self.sizes, threads)
        return [(worker, threads[worker], numbers) for worker, numbers in shares.items()]


def balanced(held: Sequence[Sequence[str]], sizes: np.ndarray, threads: Mapping[str, int]) -> dict[str, list[int]]:
    """Return the parts that each worker is to work on: those it holds, unless they are many more than its share.

    Parts that several workers hold are given out last, so that those which were moved once stay where they are.
    """
    most = SLACK * sizes.sum() / sum(threads.values())  # rows a thread
    load = dict.fromkeys(threads, 0.0)
    found: dict[str, list[int]] = {worker: [] for worker in threads}
    for number in sorted(range(len(held)), key=lambda number: len(held[number])):
        there = [worker for worker in held[number] if load.get(worker, most) < most]
        worker = min(there or load, key=load.__getitem__)
        found[worker].append(number)
        load[worker] += sizes[number] / threads[worker]
    return {worker: sorted(numbers) for worker, numbers in found.items() if numbers}


@contextmanager
def cancelling(client: Any) -> Iterator[Callable[..., Any]]:
    """Give a function that submits tasks, which are cancelled if one fails or waiting for them is interrupted.

    That of tasks themselves is told in a sentence: they lost what they worked on.
    """
    futures = []

    def submit(task: Callable[..., Any], *arguments: Any, **where: Any) -> Any:
        futures.append(client.submit(task, *arguments, pure=False, **where))
        return futures[-1]

    try:
        yield submit
    except CancelledError as error:
        error.__traceback__ = None  # the client keeps the error, and its frames would keep what they hold on workers
        raise RuntimeError(
            "A worker was lost with data that cannot be computed again, because they were scattered or cancelled; pass "
            "collections that know where their partitions come from, and fit again."
        ) from None
    except BaseException:
        client.cancel(futures)
        raise
