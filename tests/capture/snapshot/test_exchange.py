"""What is made without a check is what is made with one."""

from __future__ import annotations

import pytest

from wiretape_capture.snapshot.bodies import EMPTY, body_of
from wiretape_capture.snapshot.exchange import Body, Exchange, Model


def remade[M: Model](model: M) -> M:
    return type(model).made(**dict(model))


def test_an_instance_made_is_one_that_was_checked(exchanges: list[Exchange]) -> None:
    for checked in exchanges:
        response, stream = checked.response, checked.stream
        made = remade(checked.model_copy(update={
            "request": remade(checked.request.model_copy(update={"body": remade(checked.request.body)})),
            "response": response and remade(response),
            "stream": tuple(remade(message) for message in stream),
        }))  # fmt: skip
        assert made == checked
        assert hash(made) == hash(checked)
        assert repr(made) == repr(checked)
        assert made.model_dump() == checked.model_dump()
        assert made.model_dump_json(exclude_unset=True) == checked.model_dump_json()
        assert Exchange.model_validate_json(made.model_dump_json()) == checked


def test_a_copy_of_an_instance_made_leaves_it_alone(exchanges: list[Exchange]) -> None:
    made = remade(exchanges[0])
    copy = made.model_copy(update={"error": "cut"})
    assert (copy.error, made.error) == ("cut", "")
    with pytest.raises(ValueError, match="frozen"):
        made.error = "cut"  # type: ignore[misc]
    assert made == exchanges[0]


@pytest.mark.parametrize(("data", "complete"), [(b"", True), (b"", False), (b"a", True), (b"a", False)])
def test_a_body_is_named_by_its_content(data: bytes, complete: bool) -> None:
    sha256 = EMPTY.sha256 if not data else "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
    assert body_of(data, complete=complete) == Body(size=len(data), sha256=sha256, data=data, complete=complete)
