"""`cleave serve` as a process, and what it needs."""
import os
import resource
import signal
import subprocess
import tempfile


class Server:
    """Serves the models (by name) until the end of the `with`."""

    def __init__(self, program, models, *flags, files=None, file_bytes=None):
        self.folder = tempfile.TemporaryDirectory(prefix="cleave-attack-")
        self.models = os.path.join(self.folder.name, "models")
        self.pushed = os.path.join(self.folder.name, "pushed")
        os.mkdir(self.models)
        for name, model in models.items():
            with open(os.path.join(self.models, name + ".onnx"), "wb") as out:
                out.write(model)
        cache = os.path.join(self.folder.name, "cache")
        os.mkdir(cache, 0o700)
        self.log_path = os.path.join(self.folder.name, "log")
        command = [program, "serve", "--models", self.models, "--listen", "127.0.0.1:0", "--push-dir", self.pushed,
                   *flags]

        def limit():
            if files is not None:
                resource.setrlimit(resource.RLIMIT_NOFILE, files)
            if file_bytes is not None:
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))

        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, preexec_fn=limit,
                                            env=dict(os.environ, CLEAVE_CACHE_DIR=cache))
        line = self.process.stdout.readline().decode()
        if not line.startswith("listening on"):
            self.process.wait()
            raise RuntimeError(f"{' '.join(command)}: {self.log()}")
        self.port = int(line.rsplit(":", 1)[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.folder.cleanup()

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def _field(self, key):
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as status:
            return next(int(line.split()[1]) for line in status if line.startswith(key + ":"))

    def memory_mib(self):
        return self._field("VmRSS") / 1024

    def peak_mib(self):
        return self._field("VmHWM") / 1024

    def threads(self):
        return self._field("Threads")

    def kept(self):
        return sorted(os.listdir(self.pushed)) if os.path.isdir(self.pushed) else []
