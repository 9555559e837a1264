"""The server's side of RFC 6455, as far as a feed needs it: text out, short masked frames in."""

import asyncio
import base64
import hashlib
import struct

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA
LONGEST = 1 << 20


class Refused(Exception):
    """The peer isn't a WebSocket client, or doesn't keep to the protocol."""


async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Reads the client's upgrade request and answers it."""
    head = await reader.readuntil(b"\r\n\r\n")
    fields = dict(line.split(": ", 1) for line in head.decode("latin-1").split("\r\n")[1:] if ": " in line)
    key = next((value for name, value in fields.items() if name.lower() == "sec-websocket-key"), None)
    if key is None:
        raise Refused("no Sec-WebSocket-Key")
    digest = base64.b64encode(hashlib.sha1((key.strip() + GUID).encode()).digest()).decode()
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        + f"Sec-WebSocket-Accept: {digest}\r\n\r\n".encode()
    )


def frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """One whole frame, as servers send it: without a mask."""
    head = bytes([0x80 | opcode])
    if len(payload) < 126:
        return head + bytes([len(payload)]) + payload
    if len(payload) < 1 << 16:
        return head + b"\x7e" + struct.pack("!H", len(payload)) + payload
    return head + b"\x7f" + struct.pack("!Q", len(payload)) + payload


async def receive(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """The next message or control frame of the client; fragments are put together."""
    whole, kind = b"", 0
    while True:
        first, second = await reader.readexactly(2)
        opcode, length = first & 0x0F, second & 0x7F
        if length == 126:
            (length,) = struct.unpack("!H", await reader.readexactly(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", await reader.readexactly(8))
        if length > LONGEST or not second & 0x80:
            raise Refused("a frame that is too long, or without a mask")
        mask = await reader.readexactly(4)
        payload = bytes(byte ^ mask[place % 4] for place, byte in enumerate(await reader.readexactly(length)))
        if opcode >= CLOSE:
            return opcode, payload
        whole, kind = whole + payload, kind or opcode
        if first & 0x80:
            return kind, whole
