"""What a Redis server answers without any data: replies that a client needs for its connection, as cells. Pure.

The recorded server's own words come first; these are for what the recording does not have.
"""

from __future__ import annotations

from collections.abc import Mapping

from wiretape_capture.protocols.redis.cells import OK, Cell
from wiretape_capture.protocols.redis.commands import meaning_of, word
from wiretape_capture.protocols.redis.requests import Arguments
from wiretape_replay.mock.redis.shapes import plain

VERSION = "7.2.0"
"""What a server says it is where none was recorded."""
INFO = f"""# Server\r
redis_version:{VERSION}\r
redis_mode:standalone\r
os:wiretape\r
tcp_port:6379\r
# Clients\r
connected_clients:1\r
# Persistence\r
loading:0\r
# Replication\r
role:master\r
connected_slaves:0\r
# Cluster\r
cluster_enabled:0\r
# Keyspace\r
"""
HELLO: Mapping[str, Cell] = {"server": "redis", "version": VERSION, "mode": "standalone", "role": "master",
                             "modules": []}  # fmt: skip


def hello(recorded: Mapping[str, Cell], resp: int, number: int) -> Cell:
    """The answer to HELLO, in the version that was asked for."""
    told = {**HELLO, **recorded, "proto": resp, "id": number}
    order = ("server", "version", "proto", "id", "mode", "role", "modules")
    pairs = [[name, told[name]] for name in (*order, *(each for each in told if each not in order))]
    return {"map": pairs} if resp == 3 else plain({"map": pairs})


def about_server(arguments: Arguments, resp: int) -> Cell | None:
    """The answer to a question about the server that the recording does not have; None where only it could say."""
    name = meaning_of(arguments).name
    match name.partition(" ")[0]:
        case "INFO":
            return {"verbatim": INFO, "format": "txt"} if resp == 3 else INFO
        case "COMMAND":
            return 0 if name == "COMMAND COUNT" else {"map": []} if resp == 3 and name == "COMMAND DOCS" else []
        case "CONFIG" if name == "CONFIG GET":
            return {"map": []} if resp == 3 else []
        case "CLUSTER":
            return {"error": "ERR This instance has cluster support disabled"}
        case "ROLE":
            return ["master", 0, []]
        case "MODULE" if name == "MODULE LIST":
            return []
        case "ACL" if name == "ACL WHOAMI":
            return "default"
        case _:
            return None


def about_client(arguments: Arguments, number: int, name: Cell, resp: int) -> Cell:
    """The answer to CLIENT; `name` is what the client called itself."""
    match word(arguments[1]) if len(arguments) > 1 else "":
        case "SETNAME" | "SETINFO" | "TRACKING" | "CACHING" | "NO-EVICT" | "NO-TOUCH" | "PAUSE" | "UNPAUSE" | "REPLY":
            return OK
        case "GETNAME":
            return name
        case "ID":
            return number
        case "GETREDIR":
            return -1
        case "KILL" | "UNBLOCK":
            return 0
        case "LIST" | "INFO":
            line = f"id={number} addr=127.0.0.1:0 name={name or ''} db=0 resp={resp}\n"
            return {"verbatim": line, "format": "txt"} if resp == 3 else line
        case other:
            return {"error": f"ERR unknown subcommand '{other}'. Try CLIENT HELP."}
