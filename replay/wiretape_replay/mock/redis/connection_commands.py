"""Commands that concern only the connection or the server, answered as the recorded server would.

Each is a function of the session and the command; it returns True where the desk journaled it already.
"""

from __future__ import annotations

from collections.abc import Mapping

from wiretape_capture.protocols.redis.buffer import Malformed
from wiretape_capture.protocols.redis.cells import OK, Cell, error_of
from wiretape_capture.protocols.redis.commands import PROBES, SUBSCRIBING, meaning_of, word
from wiretape_capture.protocols.redis.requests import Arguments
from wiretape_capture.protocols.redis.secrets import without_secrets
from wiretape_capture.protocols.redis.subscriptions import Subscriptions, kind_of
from wiretape_capture.protocols.redis.template import script_sha
from wiretape_replay.mock.redis.recording import login_of, told_of
from wiretape_replay.mock.redis.session import Session, Simulated, Transaction
from wiretape_replay.mock.redis.simulated import about_client, about_server, hello


def _recorded_error(session: Session, arguments: Arguments) -> bool:
    """Say the error that the recorded server had for this very command."""
    said = session.desk.said(without_secrets(arguments), session.resp)
    if said is None or error_of(said) is None:
        return False
    session.say(said)
    return True


def _denied(session: Session, arguments: Arguments) -> bool:
    """Refuse a login that was refused at this place of the recording."""
    login = login_of(arguments)
    problem = session.desk.denial(login) if login is not None else ""
    if problem:
        session.fail(problem)
    return bool(problem)


def _auth(session: Session, arguments: Arguments) -> bool:
    if not _denied(session, arguments):
        session.say(OK)
    return False


def _hello(session: Session, arguments: Arguments) -> bool:
    if len(arguments) > 1:
        if _denied(session, arguments) or _recorded_error(session, arguments):
            return False
        if arguments[1] not in (b"2", b"3"):
            session.fail("NOPROTO unsupported protocol version")
            return False
        session.resp = 3 if arguments[1] == b"3" else 2
        for at, raw in enumerate(arguments[:-1]):
            if at > 1 and word(raw) == "SETNAME":
                session.name = told_of(arguments[at + 1])
    session.say(hello(session.desk.recording.hello, session.resp, session.number))
    return False


def _ping(session: Session, arguments: Arguments) -> bool:
    if session.resp == 2 and session.subscriptions:
        session.say(["pong", told_of(arguments[1]) if len(arguments) > 1 else ""])
    else:
        session.say(told_of(arguments[1]) if len(arguments) > 1 else {"simple": "PONG"})
    return False


def _echo(session: Session, arguments: Arguments) -> bool:
    if len(arguments) == 2:
        session.say(told_of(arguments[1]))
    else:
        session.fail("ERR wrong number of arguments for 'echo' command")
    return False


def _quit(session: Session, _arguments: Arguments) -> bool:
    session.say(OK)
    session.closing = True
    session.discard()
    return False


def _reset(session: Session, _arguments: Arguments) -> bool:
    session.discard()
    session.db, session.resp, session.name = 0, 2, None
    session.subscriptions, session.tracks, session.silent = Subscriptions(), False, ""
    session.say({"simple": "RESET"})
    return False


def _select(session: Session, arguments: Arguments) -> bool:
    if _recorded_error(session, arguments):
        return False
    raw = arguments[1] if len(arguments) == 2 else b""
    if isinstance(raw, bytes) and raw.isdigit() and len(raw) < 6:
        session.db = int(raw)
        session.say(OK)
    else:
        session.fail("ERR value is not an integer or out of range")
    return False


def _fine(session: Session, arguments: Arguments) -> bool:
    if not _recorded_error(session, arguments):
        session.say(OK)
    return False


def _multi(session: Session, _arguments: Arguments) -> bool:
    if session.transaction is not None:
        session.fail("ERR MULTI calls can not be nested")
    else:
        session.transaction = Transaction()
        session.say(OK)
    return False


def _exec(session: Session, _arguments: Arguments) -> bool:
    return session.execute()


def _discard(session: Session, _arguments: Arguments) -> bool:
    if session.transaction is None:
        session.fail("ERR DISCARD without MULTI")
        return False
    journaled = bool(session.transaction.commands)
    session.discard()
    session.say(OK)
    return journaled


def _watch(session: Session, arguments: Arguments) -> bool:
    if session.transaction is not None:
        session.fail("ERR WATCH inside MULTI is not allowed")
    else:
        _fine(session, arguments)
    return False


def _subscribe(session: Session, arguments: Arguments) -> bool:
    name = word(arguments[0]).lower()
    kind = kind_of(name)
    subscriptions = session.subscriptions
    names: list[Cell] = [told_of(raw) for raw in arguments[1:]]
    if name.endswith("unsubscribe"):
        names = names or subscriptions.names(kind) or [None]
    elif not names:
        session.fail(f"ERR wrong number of arguments for '{name}' command")
        return False
    for each in names:
        if each is not None:
            subscriptions.apply([name, each])
        session.push([name, each, subscriptions.count(kind)])
    if not name.endswith("unsubscribe"):
        session.hall.deliver(session.hear)
    return False


def _script(session: Session, arguments: Arguments) -> bool:
    known = session.hall.scripts
    match word(arguments[1]) if len(arguments) > 1 else "":
        case "LOAD" if len(arguments) == 3:
            sha = script_sha([b"EVAL", arguments[2]])
            known.add(sha)
            session.say(sha)
        case "EXISTS":
            recording = session.desk.recording
            told = [str(told_of(raw)).lower() for raw in arguments[2:]]
            session.say([int(each in known or each in recording.known_scripts - recording.unknown_scripts)
                         for each in told])  # fmt: skip
        case "FLUSH":
            known.clear()
            session.say(OK)
        case _:
            return _server(session, arguments)
    return False


def _client(session: Session, arguments: Arguments) -> bool:
    what = word(arguments[1]) if len(arguments) > 1 else ""
    said = session.desk.said(without_secrets(arguments), session.resp)
    if said is not None and (error_of(said) is not None or what not in ("GETNAME", "ID")):
        session.say(said)
    else:
        session.say(about_client(arguments, session.number, session.name, session.resp))
    if what == "SETNAME" and len(arguments) == 3 and (said is None or error_of(said) is None):
        session.name = told_of(arguments[2]) or None
    elif what == "TRACKING" and len(arguments) > 2:
        session.tracks = word(arguments[2]) == "ON"
    return False


def _client_or_reply(session: Session, arguments: Arguments) -> bool:
    """CLIENT REPLY decides whether it is answered itself."""
    if len(arguments) == 3 and word(arguments[1]) == "REPLY":
        wanted = word(arguments[2])
        session.silent = {"OFF": "off", "SKIP": "skip"}.get(wanted, "")
        if wanted == "ON":
            session.say(OK)
        return False
    return _client(session, arguments)


def _server(session: Session, arguments: Arguments) -> bool:
    """A question about the server: as it was recorded, else in general, else a miss. What changes it is matched."""
    changes = meaning_of(arguments).writes
    said = None if changes else session.desk.said(without_secrets(arguments), session.resp)
    cell = said if said is not None or changes else about_server(arguments, session.resp)
    if cell is None:
        asked = session.desk.ask([without_secrets(arguments)], session.db, session.resp)
        session.put(session.desk.answer(asked).data)
        return True
    session.say(cell)
    return False


def _wait(session: Session, arguments: Arguments) -> bool:
    said = session.desk.said(arguments, session.resp)
    session.say(0 if said is None else said)
    return False


def _http(_session: Session, _arguments: Arguments) -> bool:
    """The server hangs up on these words, too: they are HTTP, whose first line was taken for a command (server.c)."""
    raise Malformed("this is HTTP, and the port speaks Redis, plain or in TLS")


def _not_mocked(session: Session, arguments: Arguments) -> bool:
    session.fail(f"WT001 wiretape: {word(arguments[0])} is not mocked")
    return False


COMMANDS: Mapping[str, Simulated] = {
    **dict.fromkeys(PROBES, _server),
    "AUTH": _auth, "HELLO": _hello, "PING": _ping, "ECHO": _echo, "QUIT": _quit, "RESET": _reset, "SELECT": _select,
    "MULTI": _multi, "EXEC": _exec, "DISCARD": _discard, "WATCH": _watch, "UNWATCH": _fine, "ASKING": _fine,
    "READONLY": _fine, "READWRITE": _fine, "SCRIPT": _script, "CLIENT": _client_or_reply, "WAIT": _wait,
    "WAITAOF": _wait, "MONITOR": _not_mocked, "SYNC": _not_mocked, "PSYNC": _not_mocked, "REPLCONF": _not_mocked,
    **dict.fromkeys(SUBSCRIBING, _subscribe), "POST": _http, "HOST:": _http,
}  # fmt: skip
"""By name, what is answered here."""
