"""ActionCable over a WebSocket: the handshake and one subscription."""

from __future__ import annotations

import json
import ssl

import websocket

PROTOCOLS = ["actioncable-v1-json", "actioncable-unsupported"]


class Cable:
    """Asks `/cable`."""

    def subscribe(
        self,
        url: str,
        identifier: dict[str, object],
        *,
        headers: dict[str, str] | None = None,
        timeout: float = 10,
    ) -> str:
        """Subscribes to a channel; returns "confirmed", or what went wrong in a few words.

        The welcome proves only that the web server speaks WebSocket; the confirmation proves Redis (facts, 2.4).
        """
        try:
            connection = websocket.create_connection(url, timeout=timeout, subprotocols=PROTOCOLS, header=headers or {})
        except (OSError, websocket.WebSocketException, ssl.SSLError) as error:
            return f"no handshake ({type(error).__name__}: {str(error)[:80]})"
        try:
            connection.send(json.dumps({"command": "subscribe", "identifier": json.dumps(identifier)}))
            return self._wait_for_confirmation(connection)
        except (OSError, ValueError, websocket.WebSocketException) as error:
            return f"welcome, but no confirmed subscription ({type(error).__name__})"
        finally:
            connection.close()

    @staticmethod
    def _wait_for_confirmation(connection: websocket.WebSocket) -> str:
        # Pings come every 3 s for ever, so the number of frames is the time limit.
        for _ in range(8):
            kind = json.loads(connection.recv()).get("type")
            if kind == "confirm_subscription":
                return "confirmed"
            if kind in {"reject_subscription", "disconnect"}:
                return f"the server answered {kind}"
        return "welcome, but no confirmed subscription"
