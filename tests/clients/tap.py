"""A wire tap between a client and the simulated endpoint.

It forwards requests byte by byte, keeps what passed, and on demand holds a request back or alters it on its way. What is altered, replayed or
sent late is therefore exactly what the client's own signer wrote.
"""

import socket
import threading
import urllib.parse

PATIENCE = 10.0


class Tap:
    """Listens on a free port of the loopback interface until it is closed."""

    def __init__(self, target_url):
        target = urllib.parse.urlsplit(target_url)
        self._target = (target.hostname, target.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self._listener.getsockname()[1]
        self.request = b""
        self.answer = b""
        self.alter = None
        self.hold = False
        serve_connections(self._listener, self._serve)

    def close(self):
        self._listener.close()

    def send(self, request):
        """Sends a request to the endpoint, past the client, and returns the answer."""
        with socket.create_connection(self._target, timeout=PATIENCE) as upstream:
            upstream.sendall(request)
            return read_message(upstream)

    def _serve(self, client):
        with client:
            client.settimeout(PATIENCE)
            while True:
                try:
                    request = read_message(client)
                except OSError:
                    return
                if not request:
                    return
                self.request = request
                if self.hold:
                    # Closed without an answer: the client cannot know whether it arrived.
                    return
                self.answer = self.send(self.alter(request) if self.alter else request)
                client.sendall(self.answer)


def serve_connections(listener, serve):
    """Hands each connection to `serve`, in a thread of its own, until the listener is closed."""

    def accept():
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(client,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


def read_message(stream):
    """Head and body of one message, or nothing if the connection has ended. Bodies have a length: neither side uses chunks."""
    message = b""
    while b"\r\n\r\n" not in message:
        part = stream.recv(65536)
        if not part:
            return b""
        message += part
    head, _, body = message.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            length = int(value)
        if name.strip().lower() == b"transfer-encoding":
            raise OSError("chunks are not understood here")
    while len(body) < length:
        part = stream.recv(65536)
        if not part:
            raise OSError("cut short")
        body += part
    return head + b"\r\n\r\n" + body


def body_of(message):
    return message.partition(b"\r\n\r\n")[2]
