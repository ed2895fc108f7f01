"""A webhook's receiver for tests: a real HTTP server that can fail, delay, and die."""
import contextlib
import http.server
import json
import socket
import ssl
import threading
import time


class Receiver:
    """Keeps what it has answered 200 to: (headers, message)."""

    def __init__(self, certificate=None):
        self.received, self.attempts = [], 0
        self.status, self.delay = 200, 0
        self.lock = threading.Lock()
        self.certificate = certificate
        self.port = 0
        self.connections = []
        self.start()

    def start(self):
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                super().setup()
                receiver.connections.append(self.connection)

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                time.sleep(receiver.delay)
                with receiver.lock:
                    receiver.attempts += 1
                    status = receiver.status
                    if status == 200:
                        receiver.received.append((dict(self.headers), json.loads(body)))
                self.send_response(status)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_):
                pass
        http.server.ThreadingHTTPServer.allow_reuse_address = True
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.server.daemon_threads = True
        if self.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self.certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self):
        """Ends its connections; its port refuses new ones until `start`."""
        self.server.shutdown()
        self.server.server_close()
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.connections = []

    @property
    def url(self):
        return f"{'https' if self.certificate else 'http'}://127.0.0.1:{self.port}/events"

    @property
    def records(self):
        with self.lock:
            return [record for _, message in self.received for record in message.get("Records", [])]

    @property
    def tests(self):
        with self.lock:
            return [message for _, message in self.received if message.get("Event") == "s3:TestEvent"]
