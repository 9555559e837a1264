"""The rows of the table, in its order."""

from . import (
    row_append, row_connections, row_decode, row_footprint, row_operation, row_relay, row_stream, row_universe, row_upload,
    row_wear)
from .row import Row

ALL: list[Row] = [
    Row("decode", row_decode.measure),
    Row("append", row_append.measure),
    Row("append-latency", row_append.latency),
    Row("append-latency-backlog", row_append.latency_backlog),
    Row("stream", row_stream.measure),
    Row("stream-peer", row_stream.peer),
    Row("upload-new", row_upload.new),
    Row("upload-existing", row_upload.existing),
    Row("upload-ticks-identity", row_upload.ticks_identity),
    Row("universe-hit", row_universe.hit),
    Row("universe-miss", row_universe.miss),
    Row("universe-join", row_universe.join),
    Row("universe-rebuild", row_universe.rebuild),
    Row("universe-validate", row_universe.validate),
    Row("universe-memory", row_universe.memory),
    Row("connections", row_stream.connections),
    Row("relay-latency", row_relay.latency),
    Row("relay-fan-out", row_relay.hub),
    Row("relay-fan-out-broker", row_relay.broker),
    Row("relay-replay", row_relay.replay),
    Row("relay-collecting", row_relay.collecting),
    Row("routing", row_connections.routing),
    Row("aggregation", row_connections.aggregation),
    Row("aggregation-redundant", row_connections.redundant),
    Row("connections-snapshot", row_connections.snapshot),
    Row("connect-3x100", row_operation.connect(100)),
    Row("connect-3x1000", row_operation.connect(1000)),
    Row("failover", row_operation.failover),
    Row("status", row_operation.status),
    Row("status-database-hangs", row_operation.status_database_hangs),
    Row("status-disk-full", row_operation.status_disk_full),
    Row("start", row_footprint.start),
    Row("memory", row_footprint.memory),
    Row("cpu", row_footprint.cpu),
    Row("binary", row_footprint.binary),
    *(Row(f"bytes-per-event-{rate}-{interval}", row_wear.measure(rate, interval))
      for rate in (100, 1000) for interval in ("50", "250", "1000", "auto")),
]
