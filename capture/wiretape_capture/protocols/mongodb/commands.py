"""What the server's commands are: which write, which concern only the connection, which fields say nothing of the data.

Names are those of the manual's page "Database Commands". Pure; documents are those of Extended JSON.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the forwarding process is to start fast
    from pydantic import JsonValue


type Command = Mapping[str, JsonValue]
"""A command's document; its first member names it."""

GREETINGS = frozenset({"hello", "ismaster"})
LOGINS = frozenset({"saslstart", "saslcontinue", "authenticate", "logout", "getnonce"})
"""In lower case, as the commands that carry secrets or belong to a login are looked for."""
SESSION = frozenset({
    "hello", "isMaster", "ismaster", "ping", "buildInfo", "buildinfo", "endSessions", "killSessions",
    "killAllSessions", "refreshSessions", "startSession", "killCursors", "commitTransaction", "abortTransaction",
    "saslStart", "saslContinue", "authenticate", "logout", "getnonce", "connectionStatus", "whatsmyuri",
    "getLastError", "killOp",
})  # fmt: skip
"""Commands that concern the connection and not the data."""
GET_MORE = "getMore"
_WRITES = frozenset({
    "insert", "update", "delete", "findAndModify", "findandmodify", "bulkWrite", "create", "drop", "dropDatabase",
    "createIndexes", "dropIndexes", "deleteIndexes", "renameCollection", "collMod", "convertToCapped",
    "cloneCollectionAsCapped", "reIndex", "createUser", "updateUser", "dropUser", "dropAllUsersFromDatabase",
    "createRole", "updateRole", "dropRole", "grantRolesToUser", "revokeRolesFromUser", "createSearchIndexes",
    "updateSearchIndex", "dropSearchIndex", "setFeatureCompatibilityVersion", "shardCollection", "enableSharding",
    "applyOps",
})  # fmt: skip
SECRETS = frozenset({"pwd", "payload", "key", "digestPassword", "speculativeAuthenticate"})
SECRET_COMMANDS = frozenset({"createuser", "updateuser", "copydb", "copydbsaslstart", "copydbgetnonce"})
NOT_KEPT = "(not kept)"

OF_SESSION = frozenset({
    "lsid", "txnNumber", "startTransaction", "autocommit", "recoveryToken", "stmtId", "stmtIds", "$clusterTime",
    "$db", "$readPreference", "readConcern", "writeConcern", "maxTimeMS", "maxAwaitTimeMS", "batchSize", "comment",
    "apiVersion", "apiStrict", "apiDeprecationErrors", "cursor", "singleBatch", "noCursorTimeout", "exhaust",
    "allowDiskUse", "awaitData", "oplogReplay", "clientOperationKey", "mayBypassWriteBlocking",
    "$configServerState", "$topologyTime",
})  # fmt: skip
"""Members of a command that say how it is carried out: batches, waits, sessions, concerns."""
DEFAULTS: Mapping[str, JsonValue] = {
    "ordered": True, "multi": False, "upsert": False, "new": False, "remove": False, "tailable": False,
    "bypassDocumentValidation": False, "returnKey": False, "showRecordId": False, "allowPartialResults": False,
    "fields": None, "sort": {}, "projection": {}, "nameOnly": False, "authorizedCollections": False,
    "allowDiskUseByDefault": False,
}  # fmt: skip
"""Members that a driver may write or leave out where they are as the server takes them to be."""


def name_of(command: Command) -> str:
    """The command's name: its first member."""
    return next(iter(command), "")


def target_of(command: Command) -> str:
    """`database.collection`, or the database alone for a command that is about no collection."""
    name = name_of(command)
    database, value = str(command.get("$db", "")), command.get(name)
    if name == GET_MORE:
        value = command.get("collection")
    return f"{database}.{value}" if isinstance(value, str) and value else database


def collection_of(command: Command) -> str:
    """What a command is about, for causal order: the collection with its database, else the database."""
    if name_of(command) == "bulkWrite":
        spaces = {str(each["ns"]) for each in _list(command.get("nsInfo")) if isinstance(each, dict) and "ns" in each}
        if len(spaces) == 1:
            return spaces.pop()
    return target_of(command)


def writes(command: Command) -> bool:
    """Whether a command changes data."""
    name = name_of(command)
    if name == "aggregate":
        return any(isinstance(stage, dict) and ("$out" in stage or "$merge" in stage)
                   for stage in _list(command.get("pipeline")))  # fmt: skip
    if name.lower() == "mapreduce":
        out = command.get("out")
        return isinstance(out, str) or (isinstance(out, dict) and "inline" not in out)
    return name in _WRITES


def explained(command: Command) -> Iterator[tuple[str, JsonValue]]:
    """The members that say what is asked, without those of the session and those that are as by default."""
    for name, value in command.items():
        if name not in OF_SESSION and not (name in DEFAULTS and DEFAULTS[name] == value):
            yield name, value


def without_secrets(command: Command) -> dict[str, JsonValue]:
    """A command as it is kept: passwords are left out."""
    if name_of(command).lower() not in SECRET_COMMANDS:
        return dict(command)
    return {name: NOT_KEPT if name in SECRETS else value for name, value in command.items()}


def _list(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []
