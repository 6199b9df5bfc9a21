"""What agents are told about wiretape: one text for those with tools and for those with a shell only.

The texts name tools and commands; tests hold them to what the server and the command line have.
"""

from __future__ import annotations

import hashlib
from importlib.resources import files

BEGIN, END = "<!-- wiretape:begin {stamp} -->", "<!-- wiretape:end -->"
STAMP = "<!-- wiretape:file {stamp} -->"


def text(name: str) -> str:
    """The text called `name`, without any mark around it."""
    return files("wiretape_server.agents").joinpath("texts", f"{name}.md").read_text(encoding="utf-8")


def stamp(content: str) -> str:
    """Tells a text that wiretape wrote from one that somebody changed since."""
    return hashlib.sha256("\n".join(content.split("\n")).encode()).hexdigest()[:12]


def stamped_file(content: str) -> str:
    """A file of our own: its last line tells whether it is still as written."""
    return content + "\n" + STAMP.format(stamp=stamp(content)) + "\n"


def stamped_section(content: str) -> str:
    """A section in somebody else's file."""
    body = content.strip("\n")
    return f"{BEGIN.format(stamp=stamp(body))}\n{body}\n{END}"
