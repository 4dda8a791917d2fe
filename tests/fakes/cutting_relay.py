"""Cutting relay: a server that dies in the middle of an answer."""

import contextlib
import math
import socket
import threading

__all__ = ["CuttingRelay"]


class CuttingRelay:
    """A TCP relay to `target`, HOST:PORT, that goes away for good once more than `most_bytes` of an answer passed."""

    def __init__(self, target: str, most_bytes: int) -> None:
        host, _, port = target.rpartition(":")
        self._target = (host, int(port))
        self._most_bytes = most_bytes
        self._listener = socket.create_server(("127.0.0.1", 0))

    def __enter__(self) -> str:
        threading.Thread(target=self._accept, daemon=True).start()
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        _close(self._listener)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
                threading.Thread(target=self._relay, args=(client, server), daemon=True).start()
                threading.Thread(target=self._relay, args=(server, client, self._most_bytes), daemon=True).start()

    def _relay(self, source: socket.socket, sink: socket.socket, most: float = math.inf) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while block := source.recv(65536):
                sink.sendall(block)
                passed += len(block)
                if passed > most:
                    _close(self._listener)
                    break
        _close(source)
        _close(sink)


def _close(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
