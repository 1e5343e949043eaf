"""Runs the program under test, `cleave`, and a server of it."""
import json
import os
import pathlib
import re
import selectors
import signal
import subprocess
import tempfile
import time

from corpus.fetch import sha256

START_SECONDS = 120
STOP_SECONDS = 20


class Failed(Exception):
    """What the program did in place of what was asked; the text is its own where it said any."""


def message(stderr):
    """Returns the program's own error without its name, on one line."""
    lines = [line for line in stderr.strip().splitlines() if line.strip()]
    text = " ".join(lines[-1].split()) if lines else "nothing was said"
    return re.sub(r"^cleave(-\w+)?: ", "", text)


class Program:
    """One `cleave`, with a cache folder of its own so that runs do not depend on earlier ones."""

    def __init__(self, path, folder):
        self.path = pathlib.Path(path).resolve()
        self.environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache")}
        (folder / "cache").mkdir(parents=True, exist_ok=True, mode=0o700)
        self.has_shape = "--shape" in self.call(["inspect", "--help"], 20)
        self.sha256 = sha256(self.path)
        self.version = self.call(["--version"], 20).strip()

    def call(self, arguments, seconds):
        """Returns the standard output; raises Failed on any other exit than 0 and on time-out."""
        try:
            done = subprocess.run([str(self.path), *map(str, arguments)], env=self.environment,
                                  check=False, text=True, capture_output=True, timeout=seconds,
                                  stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired as error:
            raise Failed(f"no end after {seconds} s") from error
        if done.returncode < 0:
            raise Failed(f"ended by {signal.Signals(-done.returncode).name}")
        if done.returncode != 0:
            raise Failed(message(done.stderr or done.stdout))
        return done.stdout

    def call_json(self, arguments, seconds):
        """Returns the first JSON value that the program prints."""
        printed = self.call(arguments, seconds)
        try:
            return json.JSONDecoder().raw_decode(printed.lstrip())[0]
        except json.JSONDecodeError as error:
            raise Failed(f"found no JSON on the standard output: {error}") from error


class Server:
    """`cleave serve MODEL` on a free port of this machine; a context manager."""

    def __init__(self, program, model, flags=()):
        self.errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")
        self.process = subprocess.Popen(
            [str(program.path), "serve", str(model), "--listen", "127.0.0.1:0", "--max-message",
             "512MiB", *flags], env=program.environment, text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=self.errors)
        try:
            self.address = self._address()
        except BaseException:
            self.stop()
            raise

    def _address(self):
        prefix = "listening on "
        end = time.monotonic() + START_SECONDS
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while selector.select(max(0, end - time.monotonic())):
                line = self.process.stdout.readline()
                if line.startswith(prefix):
                    return line[len(prefix):].strip()
                if not line:
                    break
        self.process.kill()
        self.process.wait()
        self.errors.seek(0)
        raise Failed(f"serve: {message(self.errors.read())}")

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()
        self.errors.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
