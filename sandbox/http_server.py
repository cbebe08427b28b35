"""The HTTP server before the control plane: waitress, with bounds on size, time and connections.

It reads each request to its end before a thread, or any lock, is taken up with it: a client that
sends slowly, or never ends, holds up nobody.
"""

import logging
import select
import socket
import threading
import time
from collections.abc import Sequence

from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer
from waitress.wasyncore import close_all

from sandbox.control import Application

LOOPBACK = "127.0.0.1"
CONNECTIONS = 2000
"""At the bound, the connection that has been silent for longest makes room for a new one."""
_WITHOUT_POLL = 300
FILES_LEFT = 200
"""What a process opens beside its connections."""
HEADER_BYTES = 16 * 1024
BODY_BYTES = 512 * 1024
"""AWS IoT takes no request that is larger: a message has 128 KB at most."""
REQUEST_SECONDS = 10.0
"""How long a request may take to arrive, from its first byte to its last."""
IDLE_SECONDS = 60.0
"""How long a connection may stay open between two requests."""


class _Channel(HTTPChannel):
    """A connection that knows since when its client owes the rest of a request."""

    began = 0.0

    def received(self, data: bytes) -> bool:
        if self.request is None:
            self.began = time.time()
        return bool(super().received(data))

    def overdue(self, now: float) -> bool:
        if self.requests:  # the client waits for the sandbox, not the sandbox for it
            return False
        if self.request is not None:
            return bool(now - self.began > REQUEST_SECONDS)
        return bool(now - self.last_activity > IDLE_SECONDS)


class HttpServer(TcpWSGIServer):
    """A running server: ``effective_port`` says where."""

    channel_class = _Channel
    connections = CONNECTIONS

    def maintenance(self, now: float) -> None:
        """Close the connections whose time is up; waitress calls it each second."""
        for channel in self.active_channels.values():
            if channel.overdue(now):
                channel.will_close = True

    def handle_accept(self) -> None:
        """Accept a connection, in place of another if there are too many."""
        if len(self.active_channels) >= self.connections:
            waiting = [each for each in self.active_channels.values() if not each.requests]
            if waiting:
                min(waiting, key=lambda each: each.last_activity).handle_close()
        super().handle_accept()

    def shutdown(self) -> None:
        """Finish the requests that are being answered, then close everything."""
        self.task_dispatcher.shutdown()
        self.trigger.pull_trigger(lambda: close_all(self._map, ignore_all=True))


def serve(
    application: Application, ports: Sequence[int], *, connections: int = CONNECTIONS
) -> HttpServer:
    """Serve *application* on loopback, in threads of its own.

    Args:
        application: What answers; a WSGI application.
        ports: Where to listen: the first of them that is free; 0 is any port.
        connections: How many clients may be connected at once.

    Raises:
        OSError: none of them is free.
    """
    for name in ("waitress", "waitress.queue"):
        logging.getLogger(name).setLevel(logging.ERROR)  # it warns of each client that hangs up
    adjustments = Adjustments(
        sockets=[_listen(ports)],
        backlog=1024,
        connection_limit=connections + FILES_LEFT,  # never reached: see handle_accept
        asyncore_use_poll=True,  # select() ends at 1024 files
        cleanup_interval=1,
        max_request_header_size=HEADER_BYTES,
        max_request_body_size=BODY_BYTES,
        inbuf_overflow=BODY_BYTES,  # in memory: a request leaves no file
        log_socket_errors=False,
        ident=None,
    )
    listener = adjustments.sockets[0]
    server = HttpServer(
        application,
        _sock=listener,
        adj=adjustments,
        bind_socket=False,
        sockinfo=(listener.family, listener.type, listener.proto, listener.getsockname()),
    )
    server.connections = connections
    threading.Thread(target=server.run, name="control plane", daemon=True).start()
    return server


def room_for_connections(others: int) -> int:
    """Let this process open as many files as it needs, where the system allows that.

    Args:
        others: How many connections the process has beside those of this server.

    Returns:
        How many connections this server may have.
    """
    if not hasattr(select, "poll"):  # Windows: it counts no files, and select() takes 512
        return _WITHOUT_POLL
    import resource

    wanted = CONNECTIONS + others + FILES_LEFT
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return max(min(CONNECTIONS, max(soft, allowed) - others - FILES_LEFT), FILES_LEFT // 2)


def _listen(ports: Sequence[int]) -> socket.socket:
    *first, last = ports
    for port in first:
        try:
            return socket.create_server((LOOPBACK, port))
        except OSError:
            continue  # taken: the next one
    return socket.create_server((LOOPBACK, last))
