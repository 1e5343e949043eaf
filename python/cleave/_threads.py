"""The threads on which calls go on that somebody does not wait for: the one place that has them."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import threading
from typing import Any, Callable, Optional

# Inferences of one device run one at a time, so that more threads bring nothing for it; those of
# other devices shall not wait for it either.
_MOST_THREADS = 32

_lock = threading.Lock()
_executor: Optional[concurrent.futures.ThreadPoolExecutor] = None
_process = 0


def _pool() -> concurrent.futures.ThreadPoolExecutor:
    global _executor, _process
    with _lock:
        # Those of a parent are not in its child.
        if _executor is None or _process != os.getpid():
            _executor = concurrent.futures.ThreadPoolExecutor(_MOST_THREADS, "cleave")
            _process = os.getpid()
        return _executor


def submit(function: Callable[..., Any], *arguments: Any) -> concurrent.futures.Future:
    """Run the function on a thread of the pool. At exit, the interpreter waits for those that run."""
    return _pool().submit(function, *arguments)


async def call(function: Callable[..., Any], *arguments: Any) -> Any:
    """Await the function, which runs on a thread of the pool. Cancelling the task lets go of the
    result; the function still runs to its end."""
    return await asyncio.wrap_future(submit(function, *arguments))
