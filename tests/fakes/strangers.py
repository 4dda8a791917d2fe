"""Strangers: bytes as somebody might have made them, out of ones that are as they should be."""

import copy
import json
from random import Random
from typing import Any

__all__ = ["changed", "mutated", "rewritten"]

_WORDS = (
    *(b"\0", b"\xff", b"\xed\xa0\x80", b"\x1b]52;c;cm0=\x07", "\u202e\u2028\x9b".encode(), b"\r", b"\n", b"'", b'"'),
    *(b"[" * 5000, b'{"a":' * 5000, b"- " * 500, b"9" * 5000, b"0x" + b"f" * 5000, b"1" + b":59" * 2000, b"a" * 50_000),
    *(b"&a [*a]", b"*a", b"!!python/object/apply:os.system [id]", b"<<: {}", b"? []", b"---\n", b"%YAML 1.1\n", b"#"),
    *(b"true", b"null", b"-1", b"1e999", b"NaN", b".inf", b"\\ud800", b"\\u0000", b"../", b"/etc/passwd", b"~", b":"),
)
_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, 10**30, -(10**300), float("inf"), float("nan")),
    *("", "a", "\x1b]0;x\x07\u202e", "\0", "\ud800", "../../etc/passwd", "a" * 5000, "\n", "9" * 5000, "$worker9"),
    *([], {}, [[]], {"a": {}}, [None] * 300, {str(number): {} for number in range(300)}),
    *(json.loads("[" * 60 + "]" * 60), json.loads('{"a":' * 150 + "1" + "}" * 150)),
)


def mutated(chance: Random, good: bytes) -> bytes:
    """Return the bytes with a few changes: words put in, parts taken away, doubled or turned, the end cut off."""
    spoiled = good
    for _ in range(chance.randint(1, 3)):
        begin = chance.randint(0, len(spoiled))
        end = min(len(spoiled), begin + chance.choice((1, 4, 30, 300)))
        part = spoiled[begin:end]
        word, flipped = chance.choice(_WORDS), bytes(byte ^ 1 << chance.randint(0, 7) for byte in part[:4]) + part[4:]
        new = chance.choice((word, word, word + part, b"", part * 2, part[::-1], flipped))
        spoiled = spoiled[:begin] if chance.randint(0, 9) == 0 else spoiled[:begin] + new + spoiled[end:]
    return spoiled


def changed(chance: Random, good: Any) -> Any:
    """Return the JSON value with a few parts of it other, gone, or in addition."""
    spoiled = copy.deepcopy(good)
    for _ in range(chance.randint(1, 3)):
        holder = {"": spoiled}
        at: Any = holder
        key: Any = ""
        while isinstance(at[key], dict | list) and at[key] and chance.randint(0, 4):
            at = at[key]
            key = chance.choice(list(at)) if isinstance(at, dict) else chance.randrange(len(at))
        match chance.randint(0, 5):
            case 0 if at is not holder:
                del at[key]
            case 1 if isinstance(at, dict) and at is not holder:
                at[chance.choice(("a", "\x1b[2J", "\0", "", "x" * 3000))] = chance.choice(_VALUES)
            case 2 if at is not holder:
                at[key] = [at[key]] * 3
            case _:
                at[key] = copy.deepcopy(chance.choice(_VALUES))
        spoiled = holder[""]
    return spoiled


def rewritten(chance: Random, good: bytes) -> bytes:
    """Return a JSON text with parts of its value or of its bytes changed."""
    if chance.randint(0, 2):
        return json.dumps(changed(chance, json.loads(good))).encode()
    return mutated(chance, good)
