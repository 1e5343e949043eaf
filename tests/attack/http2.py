"""A gRPC client over a raw socket, which may also do what no library lets one do.

It knows as much of HTTP/2 (RFC 9113) and HPACK (RFC 7541) as the tests need: header blocks are sent
as literals, and what gRPC's C core sends is read (it never uses the Huffman code for text).
"""
import socket
import struct
import time

DATA, HEADERS, RST_STREAM, SETTINGS, PUSH, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 5, 6, 7, 8, 9
END_STREAM, END_HEADERS, ACK = 1, 4, 1
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
INITIAL_WINDOW_SIZE = 4

OK, CANCELLED, INVALID_ARGUMENT, DEADLINE_EXCEEDED, NOT_FOUND = 0, 1, 3, 4, 5
RESOURCE_EXHAUSTED, FAILED_PRECONDITION, UNIMPLEMENTED, INTERNAL, UNAVAILABLE = 8, 9, 12, 13, 14

# Only the names of the static table, which is enough to find grpc-status and grpc-message.
STATIC_NAMES = (
    ":authority :method :method :path :path :scheme :scheme :status :status :status :status :status :status "
    ":status accept-charset accept-encoding accept-language accept-ranges accept "
    "access-control-allow-origin age allow authorization cache-control content-disposition "
    "content-encoding content-language content-length content-location content-range content-type cookie "
    "date etag expect expires from host if-match if-modified-since if-none-match if-range "
    "if-unmodified-since last-modified link location max-forwards proxy-authenticate "
    "proxy-authorization range referer refresh retry-after server set-cookie "
    "strict-transport-security transfer-encoding user-agent vary via www-authenticate").split()


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def grpc_message(payload):
    return b"\0" + struct.pack(">I", len(payload)) + payload


def literal(name, value):
    assert len(name) < 127 and len(value) < 127
    return b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


class Headers:
    """Reads header blocks, with the dynamic table of one connection."""

    def __init__(self):
        self.dynamic = []

    def read(self, block):
        self.block, self.at = block, 0
        found = {}
        while self.at < len(block):
            first = block[self.at]
            if first & 0x80:
                name, value = self._entry(self._number(7))
            elif first & 0x40:
                name, value = self._pair(6)
                self.dynamic.insert(0, (name, value))
            elif first & 0x20:
                self._number(5)
                continue
            else:
                name, value = self._pair(4)
            found[name] = value
        return found

    def _number(self, bits):
        most = (1 << bits) - 1
        value = self.block[self.at] & most
        self.at += 1
        if value < most:
            return value
        shift = 0
        while True:
            byte = self.block[self.at]
            self.at += 1
            value += (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return value

    def _text(self):
        size = self._number(7)
        text = self.block[self.at:self.at + size]
        self.at += size
        return text.decode("latin-1")

    def _entry(self, index):
        if index > 61:
            return self.dynamic[index - 62]
        return STATIC_NAMES[index - 1], "200" if index == 8 else ""

    def _pair(self, bits):
        index = self._number(bits)
        name = self._entry(index)[0] if index else self._text()
        return name, self._text()


class Answer:
    """What came back on one stream."""

    def __init__(self):
        self.data = b""
        self.status = None  # The gRPC status, or -1 where the stream was reset without one.
        self.message = ""

    @property
    def payload(self):
        return self.data[5:]


class Connection:
    """One connection. `window` is what the server may send on each stream before it is let send more."""

    def __init__(self, port, window=1 << 20, source="127.0.0.1", greet=True):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20, source_address=(source, 0))
        self.answers = {}
        self.headers = Headers()
        self.next_stream = 1
        self.buffer = b""
        self.closed = False
        self.credit = 0  # What the connection may still send, and ...
        self.stream_credit = {}  # ... each of its streams.
        self.first_credit = 0
        if greet:
            settings = struct.pack(">HI", INITIAL_WINDOW_SIZE, window)
            self.send(PREFACE + frame(SETTINGS, 0, 0, settings))
            self.credit = self.first_credit = 65535

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, data):
        self.socket.sendall(data)

    def start(self, path, deadline_s=None, encoding=None):
        """Sends the headers of a call and returns its stream."""
        stream = self.next_stream
        self.next_stream += 2
        self.answers[stream] = Answer()
        self.stream_credit[stream] = self.first_credit
        self.send(self.headers_frame(stream, path, deadline_s, encoding))
        return stream

    @staticmethod
    def headers_frame(stream, path, deadline_s=None, encoding=None):
        block = (b"\x83\x86" + literal(":path", path) + literal(":authority", "edge") +
                 literal("content-type", "application/grpc") + literal("te", "trailers"))
        if deadline_s is not None:
            block += literal("grpc-timeout", f"{int(deadline_s * 1000)}m")
        if encoding is not None:
            block += literal("grpc-encoding", encoding)
        return frame(HEADERS, END_HEADERS, stream, block)

    def send_data(self, stream, data, end=True):
        """Sends data as the server's flow control lets it; returns how much of it was sent."""
        at = 0
        while at < len(data):
            room = min(self.credit, self.stream_credit[stream], 16384, len(data) - at)
            if room <= 0:
                if self.answers[stream].status is not None or not self.pump(5):
                    return at
                continue
            last = end and at + room == len(data)
            self.send(frame(DATA, END_STREAM if last else 0, stream, data[at:at + room]))
            self.credit -= room
            self.stream_credit[stream] -= room
            at += room
        return at

    def pump(self, timeout):
        """Handles what arrives next; returns whether anything did."""
        self.socket.settimeout(timeout)
        try:
            received = self.socket.recv(1 << 18)
        except (socket.timeout, ConnectionError):
            return False
        if not received:
            self.closed = True
            return False
        self.buffer += received
        while len(self.buffer) >= 9:
            size = int.from_bytes(self.buffer[:3], "big")
            if len(self.buffer) < 9 + size:
                break
            kind, flags = self.buffer[3], self.buffer[4]
            stream = int.from_bytes(self.buffer[5:9], "big") & 0x7FFFFFFF
            payload = self.buffer[9:9 + size]
            self.buffer = self.buffer[9 + size:]
            self._take(kind, flags, stream, payload)
        return True

    def _take(self, kind, flags, stream, payload):
        answer = self.answers.get(stream)
        if kind == SETTINGS and not flags & ACK:
            self._take_settings(payload)
            self.send(frame(SETTINGS, ACK, 0))
        elif kind == PING and not flags & ACK:
            self.send(frame(PING, ACK, 0, payload))
        elif kind == WINDOW_UPDATE:
            more = int.from_bytes(payload, "big")
            if stream == 0:
                self.credit += more
            elif stream in self.stream_credit:
                self.stream_credit[stream] += more
        elif kind == HEADERS:
            found = self.headers.read(payload)
            if answer is not None and "grpc-status" in found:
                answer.status = int(found["grpc-status"])
                answer.message = found.get("grpc-message", "")
        elif kind == DATA and answer is not None:
            answer.data += payload
            if payload:
                self.send(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", len(payload))) +
                          frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", len(payload))))
        elif kind == RST_STREAM and answer is not None and answer.status is None:
            answer.status = -1
        elif kind == GOAWAY:
            self.closed = True

    def _take_settings(self, payload):
        for at in range(0, len(payload), 6):
            key, value = struct.unpack(">HI", payload[at:at + 6])
            if key != INITIAL_WINDOW_SIZE:
                continue
            for stream in self.stream_credit:
                self.stream_credit[stream] += value - self.first_credit
            self.first_credit = value

    def wait(self, streams, timeout):
        """Waits until all of these streams have ended; returns how many have."""
        due = time.monotonic() + timeout
        while any(self.answers[s].status is None for s in streams) and time.monotonic() < due:
            if not self.pump(max(0.01, min(0.5, due - time.monotonic()))) and self.closed:
                break
        return sum(self.answers[s].status is not None for s in streams)

    def call(self, path, payload, timeout=20, deadline_s=None):
        """One call from its start to its end."""
        stream = self.start(path, deadline_s)
        self.send_data(stream, grpc_message(payload))
        self.wait([stream], timeout)
        return self.answers[stream]


def call(port, path, payload, timeout=20, source="127.0.0.1", deadline_s=None):
    with Connection(port, source=source) as connection:
        return connection.call(path, payload, timeout, deadline_s)
