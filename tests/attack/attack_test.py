#!/usr/bin/env python3
"""Attacks on `cleave serve`: what is right is that a polite client is answered all the while, and that
memory and threads stay below the numbers that docs/wire.md gives. CLEAVE_PROGRAM names the program."""
import os
import struct
import threading
import time
import unittest
import zlib

import http2
import messages
from messages import INFER
from server import Server

PROGRAM = os.environ["CLEAVE_PROGRAM"]
POLITE = "127.0.0.2"  # Another address than that of the attacks.
# gRPC's own threads, those of slow calls, of the log, of signals and so on, and 64 + 1 + 8 for inferences.
MOST_THREADS = 130


class Polite:
    """Asks for an inference again and again, and notes what comes back."""

    def __init__(self, port):
        self.port = port
        self.statuses = []
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._ask)

    def _ask(self):
        while not self.stop.is_set():
            self.statuses.append(http2.call(self.port, INFER, messages.pool_call(), source=POLITE).status)
            self.stop.wait(0.05)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()


class AttackCase(unittest.TestCase):
    def serve(self, *flags, models=None, **limits):
        server = Server(PROGRAM, models or {"pool": messages.pool_model()}, *flags, **limits)
        self.addCleanup(server.__exit__)
        self.before_mib = server.memory_mib()
        return server

    def assert_answers(self, server):
        self.assertEqual(http2.call(server.port, INFER, messages.pool_call(), source=POLITE).status, http2.OK)

    def assert_all_answered(self, polite):
        self.assertTrue(polite.statuses)
        self.assertEqual(set(polite.statuses), {http2.OK})


class AttackTest(AttackCase):
    def test_silent_connections_below_the_hard_limit(self):
        server = self.serve(files=(128, 4096))
        silent = [http2.Connection(server.port, greet=False) for _ in range(400)]
        self.assert_answers(server)
        for connection in silent:
            connection.close()
        self.assert_answers(server)

    def test_silent_connections_beyond_the_hard_limit_end_the_process_or_are_survived(self):
        server = self.serve("--self-check", "300ms", files=(160, 160))
        silent = [http2.Connection(server.port, greet=False) for _ in range(220)]
        time.sleep(1)
        for connection in silent:
            connection.close()
        due = time.monotonic() + 40
        while server.process.poll() is None and time.monotonic() < due:
            try:
                self.assert_answers(server)
                return
            except (AssertionError, OSError):
                time.sleep(0.2)
        self.assertEqual(server.process.poll(), 1, server.log())
        self.assertIn("accepts no connections any more", server.log())

    def test_an_idle_connection_is_closed(self):
        server = self.serve("--idle-timeout", "1s")
        with http2.Connection(server.port) as connection:
            self.assertEqual(connection.call(INFER, messages.pool_call()).status, http2.OK)
            due = time.monotonic() + 20
            while not connection.closed and time.monotonic() < due:
                connection.pump(0.5)
            self.assertTrue(connection.closed)
        self.assert_answers(server)

    def test_a_peer_that_takes_no_answers(self):
        server = self.serve("--message-timeout", "3s")
        calls = 400
        with http2.Connection(server.port, window=0) as attack, Polite(server.port) as polite:
            streams = [attack.start(messages.PROBE) for _ in range(calls)]
            for stream in streams:
                attack.send(http2.frame(http2.DATA, http2.END_STREAM, stream,
                                        http2.grpc_message(messages.probe(1 << 20))))
            time.sleep(1)
            attack.pump(1)
            self.assertLess(server.memory_mib() - self.before_mib, 300)
            self.assertLess(server.threads(), MOST_THREADS)
            self.assertEqual(attack.wait(streams, 20), calls, "answers that nobody takes are given up")
            refused = [a for a in attack.answers.values() if a.status == http2.RESOURCE_EXHAUSTED]
            self.assertTrue(any("each connection" in answer.message for answer in refused))
        self.assert_all_answered(polite)
        self.assert_answers(server)

    def test_large_messages_to_a_model_that_does_not_exist(self):
        server = self.serve()
        message = http2.grpc_message(messages.infer("none", [1, 25 << 18], b"\0" * (25 << 20)))
        with http2.Connection(server.port) as attack, Polite(server.port) as polite:
            for _ in range(12):
                stream = attack.start(INFER)
                attack.send_data(stream, message)
                attack.wait([stream], 20)
                self.assertIn(attack.answers[stream].status, (http2.NOT_FOUND, http2.RESOURCE_EXHAUSTED),
                              attack.answers[stream].message)
            self.assertLess(server.peak_mib() - self.before_mib, 400)
        self.assert_all_answered(polite)

    def test_messages_that_become_large_when_parsed(self):
        server = self.serve()
        strings = messages.text(1, "pool") + messages.text(
            5, messages.text(1, "x") + messages.text(2, "BYTES") + messages.number(3, 1) +
            messages.text(5, messages.text(8, "") * (6 << 20)))
        outputs = messages.text(1, "pool") + messages.text(6, "") * (6 << 20)
        with http2.Connection(server.port) as attack:
            self.assertIn(attack.call(INFER, strings).status, (http2.INVALID_ARGUMENT, http2.RESOURCE_EXHAUSTED))
            self.assertEqual(attack.call(INFER, outputs).status, http2.RESOURCE_EXHAUSTED)
        self.assertLess(server.peak_mib() - self.before_mib, 150)
        self.assert_answers(server)

    def test_a_message_that_becomes_large_when_inflated(self):
        server = self.serve()
        packer = zlib.compressobj(9, zlib.DEFLATED, 31)
        zeros = b"\0" * (1 << 20)
        packed = b"".join(packer.compress(zeros) for _ in range(1024)) + packer.flush()
        with http2.Connection(server.port) as attack, Polite(server.port) as polite:
            stream = attack.start(INFER, encoding="gzip")
            attack.send_data(stream, b"\1" + struct.pack(">I", len(packed)) + packed)
            attack.wait([stream], 20)
            self.assertEqual(attack.answers[stream].status, http2.UNIMPLEMENTED)
        self.assert_all_answered(polite)
        self.assertLess(server.peak_mib() - self.before_mib, 200)

    def test_rapid_reset(self):
        server = self.serve()
        with http2.Connection(server.port) as attack, Polite(server.port) as polite:
            message = http2.grpc_message(messages.pool_call())
            try:
                for i in range(3000):
                    stream = 2 * i + 1
                    attack.send(http2.Connection.headers_frame(stream, INFER) +
                                http2.frame(http2.DATA, http2.END_STREAM, stream, message) +
                                http2.frame(http2.RST_STREAM, 0, stream, struct.pack(">I", 8)))
            except OSError:
                pass  # A server may hang up on it.
            self.assertLess(server.threads(), MOST_THREADS)
        self.assert_all_answered(polite)
        self.assertLess(server.memory_mib() - self.before_mib, 200)
        self.assert_answers(server)

    def test_uploads_that_never_end(self):
        server = self.serve("--message-timeout", "3s")
        uploads = 48
        with http2.Connection(server.port) as attack, Polite(server.port) as polite:
            streams = [attack.start(INFER) for _ in range(uploads)]
            part = struct.pack(">BI", 0, 60 << 20) + b"\0" * (512 << 10)
            for stream in streams:
                attack.send_data(stream, part, end=False)
            self.assertLess(server.threads(), MOST_THREADS)
            self.assertEqual(attack.wait(streams, 20), uploads)
            self.assertEqual({attack.answers[s].status for s in streams} - {-1}, {http2.DEADLINE_EXCEEDED})
        self.assert_all_answered(polite)
        self.assertLess(server.memory_mib() - self.before_mib, 200)

    def test_uploads_that_never_end_and_are_large_together(self):
        server = self.serve("--max-message", "8MiB", "--message-timeout", "3s")
        with http2.Connection(server.port) as attack:
            streams = [attack.start(INFER) for _ in range(64)]
            part = struct.pack(">BI", 0, 7 << 20) + b"\0" * (6 << 20)
            for stream in streams:
                attack.send_data(stream, part, end=False)
            self.assertLess(server.peak_mib() - self.before_mib, 2 * 64 + 100, "twice --max-call-bytes, and change")
        self.assert_answers(server)

    def test_batches_over_the_limit(self):
        server = self.serve("--max-batch", "64")
        large = http2.call(server.port, INFER, messages.pool_call(batch=1000))
        self.assertEqual(large.status, http2.INVALID_ARGUMENT)
        self.assertIn("max-batch", large.message)
        picture = struct.pack("<I", 4) + b"tiny"
        how = ('{"preprocessing": {"height": 8, "width": 8, "fit": "stretch", "layout": "NCHW", '
               '"datatype": "FP32", "revision": 2}}')
        pictures = http2.call(
            server.port, INFER,
            messages.infer("pool", [400], picture * 400, name="", datatype="BYTES",
                           parameters=(("cleave_encoding", "image"), ("cleave_preprocessing", how))))
        self.assertEqual(pictures.status, http2.INVALID_ARGUMENT)
        self.assertIn("max-batch", pictures.message)
        self.assert_answers(server)

    def test_a_large_batch_leaves_no_memory_behind(self):
        server = self.serve(models={"wide": messages.wide_model(1 << 18), "pool": messages.pool_model()})
        for batch in (1, 128):
            wide = messages.infer("wide", [batch, 16], b"\0" * (batch * 16 * 4))
            self.assertEqual(http2.call(server.port, INFER, wide, timeout=60).status, http2.OK)
        self.assertGreater(server.peak_mib() - self.before_mib, 128, "the batch needed more than one tensor")
        self.assert_answers(server)
        self.assertLess(server.memory_mib() - self.before_mib, 64)

    def test_profiles_of_many_batches_let_requests_pass(self):
        server = self.serve(models={"mat": messages.matmul_model(512, 8), "pool": messages.pool_model()})
        profiles = []

        def measure():
            profiles.append(http2.call(server.port, messages.GET_PROFILE,
                                       messages.get_profile("mat", range(96, 100)), timeout=60))

        measuring = threading.Thread(target=measure)
        measuring.start()
        time.sleep(0.2)
        answered = 0
        while measuring.is_alive() or answered < 5:
            self.assertEqual(
                http2.call(server.port, INFER, messages.pool_call(), source=POLITE, deadline_s=10).status, http2.OK)
            answered += 1
        measuring.join()
        self.assertEqual(profiles[0].status, http2.OK)

    def test_a_greedy_client_does_not_starve_a_polite_one(self):
        server = self.serve("--queue", "8", models={"mat": messages.matmul_model(512, 60)})
        call = messages.infer("mat", [32, 512], b"\0" * (32 * 512 * 4))
        stop = threading.Event()
        greedy_statuses = []

        def greed():
            with http2.Connection(server.port) as connection:
                while not stop.is_set():
                    streams = [connection.start(INFER) for _ in range(16)]
                    for stream in streams:
                        connection.send_data(stream, http2.grpc_message(call))
                    connection.wait(streams, 30)
                    greedy_statuses.extend(connection.answers[s].status for s in streams)

        greedy = [threading.Thread(target=greed) for _ in range(2)]
        for thread in greedy:
            thread.start()
        time.sleep(1)
        polite = [http2.call(server.port, INFER, call, source=POLITE, timeout=30).status for _ in range(10)]
        stop.set()
        for thread in greedy:
            thread.join()
        self.assertEqual(polite, [http2.OK] * 10)
        self.assertIn(http2.RESOURCE_EXHAUSTED, greedy_statuses)
        self.assertIn(http2.OK, greedy_statuses)


class PushTest(AttackCase):
    def push(self, server, name, model, source="127.0.0.1", timeout=40):
        with http2.Connection(server.port, source=source) as connection:
            stream = connection.start(messages.PUSH)
            connection.send_data(stream, http2.grpc_message(messages.push_header(name, model)), end=False)
            chunk = 1 << 20
            parts = [model[at:at + chunk] for at in range(0, len(model), chunk)]
            for i, part in enumerate(parts):
                connection.send_data(stream, http2.grpc_message(messages.push_chunk(part)),
                                     end=i + 1 == len(parts))
            connection.wait([stream], timeout)
            return connection.answers[stream]

    def assert_not_served(self, server, name):
        call = messages.infer(name, [1, 4], b"\0" * 16)
        self.assertEqual(http2.call(server.port, INFER, call).status, http2.NOT_FOUND)
        self.assertEqual(server.kept(), [])

    def test_a_good_model_is_served(self):
        server = self.serve("--allow-push")
        self.assertEqual(self.push(server, "good", messages.pool_model()).status, http2.OK)
        self.assertEqual(http2.call(server.port, INFER, messages.pool_call("good")).status, http2.OK)
        self.assertEqual(server.kept(), ["good.onnx"])

    def test_a_model_that_never_ends(self):
        server = self.serve("--allow-push", "--push-time", "2s")
        with Polite(server.port) as polite:
            self.assertEqual(self.push(server, "loop", messages.endless_model()).status, http2.RESOURCE_EXHAUSTED)
        self.assert_all_answered(polite)
        self.assert_not_served(server, "loop")

    def test_a_model_that_folds_to_two_gibibytes(self):
        server = self.serve("--allow-push", "--push-memory", "512MiB", "--push-time", "20s")
        answer = self.push(server, "fold", messages.folding_model())
        self.assertIn(answer.status, (http2.INVALID_ARGUMENT, http2.RESOURCE_EXHAUSTED))
        self.assertNotIn(server.folder.name, answer.message)
        self.assertLess(server.peak_mib() - self.before_mib, 200)
        self.assert_not_served(server, "fold")

    def test_more_models_than_the_quota(self):
        server = self.serve("--allow-push", "--max-pushed", "2")
        statuses = [self.push(server, f"m{i}", messages.pool_model()).status for i in range(4)]
        self.assertEqual(statuses, [http2.OK] * 2 + [http2.RESOURCE_EXHAUSTED] * 2)
        self.assertEqual(server.kept(), ["m0.onnx", "m1.onnx"])

    def test_a_full_disk(self):
        server = self.serve("--allow-push", file_bytes=100_000)
        answer = self.push(server, "fat", messages.padded_model(400_000))
        self.assertEqual(answer.status, http2.RESOURCE_EXHAUSTED)
        self.assertNotIn(server.folder.name, answer.message)
        self.assert_not_served(server, "fat")
        self.assert_answers(server)

    def test_one_byte_now_and_then_does_not_hold_the_place(self):
        server = self.serve("--allow-push", "--message-timeout", "2s")
        with http2.Connection(server.port) as slow:
            stream = slow.start(messages.PUSH)
            slow.send_data(stream, http2.grpc_message(messages.push_header("slow", b"x" * 1000)), end=False)
            due = time.monotonic() + 20
            while slow.answers[stream].status is None and time.monotonic() < due:
                slow.send_data(stream, http2.grpc_message(messages.push_chunk(b"x")), end=False)
                time.sleep(0.3)
                slow.pump(0.01)
            self.assertEqual(slow.answers[stream].status, http2.DEADLINE_EXCEEDED)
        self.assertEqual(self.push(server, "good", messages.pool_model()).status, http2.OK)


if __name__ == "__main__":
    unittest.main(verbosity=2)
