"""The peer of the relay: a hub of the feed's protocol as one writes it by hand, on Python's websockets.

It parses each frame, picks out for each client what it has subscribed to, and sends it as one array.

usage: hub.py FEED_URL PORT
"""

import asyncio
import json
import sys

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

feed, port = sys.argv[1], int(sys.argv[2])
clients: dict = {}


def status(kind: str, message: str) -> str:
    return json.dumps([{"ev": "status", "status": kind, "message": message}])


async def client(socket) -> None:
    channels: set[str] = set()
    await socket.send(status("connected", "Connected Successfully"))
    async for text in socket:
        request = json.loads(text)
        if request["action"] == "auth":
            await socket.send(status("auth_success", "authenticated"))
            clients[socket] = channels
        elif request["action"] == "subscribe":
            for channel in request["params"].split(","):
                channels.add(channel)
                await socket.send(status("success", f"subscribed to: {channel}"))
    clients.pop(socket, None)


async def collect() -> None:
    async with connect(feed, max_size=None, compression=None) as upstream:
        await upstream.recv()
        await upstream.send(json.dumps({"action": "auth", "params": "bench"}))
        await upstream.recv()
        await upstream.send(json.dumps({"action": "subscribe", "params": "T.*"}))
        async for text in upstream:
            events = [event for event in json.loads(text) if event["ev"] != "status"]
            for socket, channels in list(clients.items()):
                wanted = [
                    event for event in events
                    if f"{event['ev']}.*" in channels or f"{event['ev']}.{event['sym']}" in channels]
                if wanted:
                    await socket.send(json.dumps(wanted))


async def main() -> None:
    async with serve(client, "127.0.0.1", port, compression=None, ping_interval=None):
        print("serving", flush=True)
        await collect()


asyncio.run(main())
