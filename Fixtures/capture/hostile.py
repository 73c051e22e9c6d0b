"""Inputs that a decoder must survive, with what dramatiq makes of each."""

from __future__ import annotations

import dataclasses

from dramatiq.errors import DecodeError
from dramatiq.message import Message

from .pins import pinned
from .text import document, rows

ID = b"00000000-0000-4000-8000-000000000001"
FIELDS = {
    "queue_name": b'"default"',
    "actor_name": b'"noop"',
    "args": b"[1]",
    "kwargs": b"{}",
    "options": b"{}",
    "message_id": b'"' + ID + b'"',
    "message_timestamp": b"1795434026514",
}


def message(leave_out: str = "", **replaced: bytes) -> bytes:
    """A message with raw JSON text in place of some fields."""
    fields = {**FIELDS, **replaced}
    return b"{" + b",".join(b'"%s":%s' % (k.encode(), v) for k, v in fields.items() if k != leave_out) + b"}"


def args(text: bytes) -> bytes:
    """A message whose only argument is this raw JSON text."""
    return message(args=b"[" + text + b"]")


VALID = message()


@dataclasses.dataclass
class Case:
    name: str
    why: str
    data: bytes = b""
    recipe: list[tuple[str, int]] | None = None
    #: Which versions of Python judge otherwise. Such a case is recorded as rejected, on any version.
    varies: str | None = None

    @property
    def content(self) -> bytes:
        return self.data if self.recipe is None else "".join(text * count for text, count in self.recipe).encode()


def cut(name: str, why: str, text: bytes, after: bytes) -> Case:
    return Case(f"cut-{name}", f"ends {why}", text[: text.index(after) + len(after)])


CUT = [
    cut("after-brace", "after the first brace", VALID, b"{"),
    cut("in-key", "inside a key", VALID, b'{"queue'),
    cut("after-key", "after a key", VALID, b'{"queue_name"'),
    cut("after-colon", "after a colon", VALID, b'{"queue_name":'),
    cut("in-text", "inside a string", VALID, b'"def'),
    cut("after-value", "after a value", VALID, b'"default"'),
    cut("after-comma", "after a comma", VALID, b'"default",'),
    cut("in-array", "inside an array", VALID, b"[1"),
    cut("in-number", "inside a number, braces unclosed", VALID, b"17954"),
    cut("before-last-brace", "one byte early", VALID, b"026514"),
    cut("after-backslash", "after a backslash", args(rb'"a\n"'), b'"a\\'),
    cut("in-escape", "inside a \\u escape", args(rb'"\u00e9"'), b"\\u00"),
    cut("in-pair", "between the halves of a surrogate pair", args(rb'"\ud83d\ude00"'), b"\\ud83d"),
    cut("in-literal", "inside true", args(b"true"), b"tru"),
    cut("after-minus", "after a minus", args(b"-1"), b"[-"),
    cut("after-exponent", "after an e", args(b"1e5"), b"1e"),
    cut("in-utf8", "inside a UTF-8 sequence", args('"😀"'.encode()), b"\xf0\x9f"),
]

WHOLE = [
    Case("empty", "no bytes", b""),
    Case("spaces", "white space only", b" \t\r\n"),
    Case("nul", "one NUL byte", b"\0"),
    Case("nul-64", "64 NUL bytes", b"\0" * 64),
    Case("array", "a message inside an array", b"[" + VALID + b"]"),
    Case("array-empty", "an empty array", b"[]"),
    Case("text", "a string", b'"message"'),
    Case("number", "a number", b"1"),
    Case("null", "null", b"null"),
    Case("true", "true", b"true"),
    Case("object-empty", "an empty object", b"{}"),
    Case("bom", "UTF-8 byte order mark before the message", b"\xef\xbb\xbf" + VALID),
    Case("utf16", "UTF-16 with a byte order mark", b"\xff\xfe" + VALID.decode().encode("utf-16-le")),
    Case("utf32", "UTF-32 without a byte order mark", VALID.decode().encode("utf-32-le")),
    Case("html", "a web page", b"<html></html>"),
    Case("pickle", "a Python pickle", b"\x80\x04\x95\x01\x00\x00\x00\x00\x00\x00\x00}."),
    Case("lz4-cut", "the first bytes of an LZ4 frame", b"\x04\x22\x4d\x18\x64\x40"),
    Case("zlib-cut", "the first bytes of a zlib stream", b"\x78\x9c\xab\x56"),
]

AROUND = [
    Case("after-brace", "a closing brace too many", VALID + b"}"),
    Case("after-comma", "a comma after the message", VALID + b","),
    Case("after-nul", "a NUL after the message", VALID + b"\0"),
    Case("after-letter", "a letter after the message", VALID + b"x"),
    Case("after-message", "a second message", VALID + b"\n" + VALID),
    Case("after-comment", "a comment after the message", VALID + b"// end"),
    Case("after-spaces", "white space after the message", VALID + b" \t\r\n"),
    Case("before-spaces", "white space before the message", b" \t\r\n" + VALID),
    Case("before-letter", "a letter before the message", b"x" + VALID),
    Case("between-spaces", "white space around every token", VALID.replace(b":", b" : ").replace(b",", b"\r\n,\t")),
    Case("between-form-feed", "a form feed between tokens", VALID.replace(b",", b",\x0c", 1)),
    Case("between-vertical-tab", "a vertical tab between tokens", VALID.replace(b",", b",\x0b", 1)),
    Case("between-no-break-space", "U+00A0 between tokens", VALID.replace(b",", b",\xc2\xa0", 1)),
    Case("between-comment", "a comment between tokens", VALID.replace(b",", b",/* */", 1)),
]

STRUCTURE = [
    Case("comma-before-brace", "a trailing comma in an object", VALID[:-1] + b",}"),
    Case("comma-before-bracket", "a trailing comma in an array", args(b"1,")),
    Case("comma-first", "a leading comma in an array", args(b",1")),
    Case("comma-twice", "two commas", args(b"1,,2")),
    Case("comma-missing", "no comma between elements", args(b"1 2")),
    Case("colon-missing", "no colon after a key", VALID.replace(b'"args":', b'"args"')),
    Case("colon-twice", "two colons", VALID.replace(b'"args":', b'"args"::')),
    Case("bracket-mismatch", "an array closed by a brace", message(args=b"[1}")),
    Case("bracket-unclosed", "an array that is never closed", message(args=b"[1")),
    Case("key-number", "a number as a key", message(kwargs=b"{1:2}")),
    Case("key-bare", "a key without quotes", message(kwargs=b"{a:2}")),
    Case("key-null", "null as a key", message(kwargs=b"{null:2}")),
    Case("quotes-single", "single quotes", args(b"'a'")),
    Case("equals", "an equals sign for a colon", VALID.replace(b":", b"=")),
]

TEXT = [
    Case("text-newline", "a bare newline in a string", args(b'"a\nb"')),
    Case("text-tab", "a bare tab in a string", args(b'"a\tb"')),
    Case("text-nul", "a bare NUL in a string", args(b'"a\0b"')),
    Case("text-unit-separator", "a bare U+001F in a string", args(b'"a\x1fb"')),
    Case("text-delete", "a bare U+007F in a string, which JSON allows", args(b'"a\x7fb"')),
    Case("text-emoji", "an emoji that is not escaped", args('"😀é"'.encode())),
    Case("text-noncharacter", "U+FFFF and U+FDD0, not escaped", args('"\uffff\ufdd0"'.encode())),
    Case("text-line-separator", "U+2028, not escaped", args('"\u2028"'.encode())),
    Case("escape-x", "the escape \\x41", args(rb'"\x41"')),
    Case("escape-quote", "the escape \\'", args(rb'"\'"')),
    Case("escape-zero", "the escape \\0", args(rb'"\0"')),
    Case("escape-capital", "the escape \\U0041", args(rb'"\U0041"')),
    Case("escape-short", "a \\u with two digits", args(rb'"\u12"')),
    Case("escape-letter", "a \\u with a letter that is no digit", args(rb'"\u12G4"')),
    Case("escape-sign", "a \\u with a sign", args(rb'"\u+123"')),
    Case("escape-underscore", "a \\u with an underscore", args(rb'"\u1_23"')),
    Case("escape-brace", "the escape \\u{41}", args(rb'"\u{41}"')),
    Case("escape-wide-digit", "a \\u with a full-width digit", args('"\\u004１"'.encode())),
    Case("escape-slash", "\\/ and \\u0041: legal, written back otherwise", args(rb'"\/\u0041\u00E9"')),
    Case("escape-nul", "the escape \\u0000", args(rb'"\u0000"')),
    Case("surrogate-high", "a lone high surrogate, escaped", args(rb'"\ud83d"')),
    Case("surrogate-low", "a lone low surrogate, escaped", args(rb'"\ude00"')),
    Case("surrogate-reversed", "a surrogate pair in the wrong order", args(rb'"\ude00\ud83d"')),
    Case("surrogate-then-letter", "a high surrogate, then an escaped letter", args(rb'"\ud83d\u0041"')),
    Case("surrogate-then-newline", "a high surrogate, then \\n", args(rb'"\ud83d\n"')),
    Case("surrogate-twice", "two high surrogates and a low one", args(rb'"\ud83d\ud83d\ude00"')),
    Case("surrogate-in-key", "a lone surrogate in a key", message(kwargs=rb'{"\udfff":1}')),
    Case("surrogate-in-actor", "a lone surrogate in the actor's name", message(actor_name=rb'"\ud800"')),
]

UTF8 = [
    Case("utf8-continuation", "a continuation byte without a start", args(b'"\x80"')),
    Case("utf8-overlong-2", "a slash in two bytes", args(b'"\xc0\xaf"')),
    Case("utf8-overlong-3", "a slash in three bytes", args(b'"\xe0\x80\xaf"')),
    Case("utf8-overlong-4", "a slash in four bytes", args(b'"\xf0\x80\x80\xaf"')),
    Case("utf8-overlong-nul", "a NUL in two bytes", args(b'"\xc0\x80"')),
    Case("utf8-surrogate", "a surrogate in three bytes", args(b'"\xed\xa0\x80"')),
    Case("utf8-surrogate-pair", "a surrogate pair in six bytes", args(b'"\xed\xa0\xbd\xed\xb8\x80"')),
    Case("utf8-too-large", "U+110000", args(b'"\xf4\x90\x80\x80"')),
    Case("utf8-five-bytes", "a sequence of five bytes", args(b'"\xf8\x88\x80\x80\x80"')),
    Case("utf8-ff", "the byte FF", args(b'"\xff"')),
    Case("utf8-short", "a sequence that lacks its last byte", args(b'"\xe2\x82"')),
    Case("utf8-latin-1", "a Latin-1 letter", args(b'"caf\xe9"')),
    Case("utf8-in-key", "a bad byte in a key", message(kwargs=b'{"\xff":1}')),
    Case("utf8-between-tokens", "a bad byte between tokens", VALID.replace(b",", b",\xff", 1)),
]

NUMBERS = [
    *[
        Case(f"number-{name}", f"the number {text.decode()}", args(text))
        for name, text in {
            "leading-zero": b"01",
            "leading-zero-negative": b"-01",
            "leading-zeros": b"00",
            "plus": b"+1",
            "no-integer-part": b".5",
            "no-integer-part-negative": b"-.5",
            "no-fraction": b"1.",
            "no-fraction-exponent": b"1.e5",
            "no-exponent": b"1e",
            "no-exponent-sign": b"1e+",
            "exponent-fraction": b"1e5.5",
            "minus": b"-",
            "minus-twice": b"--1",
            "minus-space": b"- 1",
            "two-points": b"1.2.3",
            "hexadecimal": b"0x10",
            "underscore": b"1_000",
            "letters-after": b"1a",
            "minus-nan": b"-NaN",
            "plus-infinity": b"+Infinity",
            "infinityx": b"Infinityx",
            "infinity-short": b"Infinit",
            "inf": b"Inf",
            "nan-lower": b"nan",
            "nan": b"NaN",
            "infinity": b"Infinity",
            "minus-infinity": b"-Infinity",
            "minus-zero": b"-0",
            "minus-zero-float": b"-0.0",
            "exponent-capital": b"1E5",
            "exponent-plus": b"1e+05",
            "trailing-zeros": b"1.500",
            "many-digits": b"0.1000000000000000055511151231257827021181583404541015625",
            "too-large": b"1e400",
            "too-large-negative": b"-1e400",
            "too-small": b"1e-400",
            "exponent-huge": b"1e999999999999999999999",
        }.items()
    ],
    Case("number-wide-digit", "a full-width digit", args("１".encode())),
    Case("literal-capital", "True", args(b"True")),
    Case("literal-none", "None", args(b"None")),
    Case("literal-upper", "TRUE", args(b"TRUE")),
    Case("literal-letters-after", "truex", args(b"truex")),
    Case("literal-undefined", "undefined", args(b"undefined")),
]

FIELD_TYPES = [
    Case(f"type-{field.replace('_', '-')}-{kind}", f"{field} is of type {kind}", message(**{field: value}))
    for field, values in {
        "queue_name": {"null": b"null", "number": b"5", "array": b'["default"]'},
        "actor_name": {"null": b"null", "number": b"5", "object": b"{}"},
        "args": {"null": b"null", "number": b"5", "true": b"true", "text": b'"ab"', "object": b'{"a":1}'},
        "kwargs": {"null": b"null", "number": b"5", "array": b"[]", "text": b'"a"'},
        "options": {"null": b"null", "number": b"5", "array": b"[]", "text": b'"a"'},
        "message_id": {"null": b"null", "number": b"5", "array": b"[]"},
        "message_timestamp": {"null": b"null", "text": b'"1795434026514"', "true": b"true", "array": b"[]"},
    }.items()
    for kind, value in values.items()
]

FIELD_SET = [
    *[Case(f"missing-{field.replace('_', '-')}", f"{field} is missing", message(leave_out=field)) for field in FIELDS],
    Case("extra-field", "a field that no message has", message(priority=b"1")),
    Case("extra-type", "a serialized workflow node", b'{"__type__":"message",' + VALID[1:]),
    Case("extra-self", "a field named self", message(self=b"1")),
    Case("field-case", "a field in other letters", VALID.replace(b'"args"', b'"Args"')),
    Case("field-space", "a field with a space in its name", VALID.replace(b'"args"', b'"args "')),
    Case("field-escaped", "a field's name in escapes", VALID.replace(b'"args"', rb'"\u0061rgs"')),
    Case("field-order", "the fields in reverse", b"{" + b",".join(reversed(VALID[1:-1].split(b","))) + b"}"),
    Case("duplicate-field", "queue_name twice", VALID[:-1] + b',"queue_name":"other"}'),
    Case("duplicate-field-escaped", "args twice, once in escapes", VALID[:-1] + rb',"\u0061rgs":[2]}'),
    Case("duplicate-field-bad", "message_id twice, the second null", VALID[:-1] + b',"message_id":null}'),
    Case("duplicate-kwarg", "a kwarg twice", message(kwargs=b'{"a":1,"b":2,"a":3}')),
    Case("duplicate-option", "an option twice", message(options=b'{"eta":1,"x":2,"eta":3}')),
]

BEFORE, AFTER = (part.decode() for part in message(args=b"@").split(b"@"))

RECIPES = [
    Case(
        "deep-arrays-5000",
        "5 000 arrays in each other",
        recipe=[(BEFORE, 1), ("[", 5000), ("]", 5000), (AFTER, 1)],
        varies="CPython 3.13 accepts it; 3.10 to 3.12 raise RecursionError",
    ),
    Case(
        "deep-arrays-100000",
        "100 000 arrays in each other",
        recipe=[(BEFORE, 1), ("[", 100_000), ("]", 100_000), (AFTER, 1)],
    ),
    Case("deep-arrays-unclosed", "100 000 brackets, never closed", recipe=[("[", 100_000)]),
    Case("deep-arrays-unclosed-in-args", "a message cut in 100 000 arrays", recipe=[(BEFORE, 1), ("[", 100_000)]),
    Case(
        "deep-objects-100000",
        "100 000 objects in each other",
        recipe=[(BEFORE, 1), ("[", 1), ('{"a":', 100_000), ("1", 1), ("}", 100_000), ("]", 1), (AFTER, 1)],
    ),
    Case("deep-objects-unclosed", "100 000 objects, never closed", recipe=[('{"a":', 100_000)]),
    Case(
        "digits-4300",
        "an integer of 4 300 digits, the longest that Python reads",
        recipe=[(BEFORE, 1), ("[", 1), ("7", 4300), ("]", 1), (AFTER, 1)],
    ),
    Case(
        "digits-5000", "an integer of 5 000 digits", recipe=[(BEFORE, 1), ("[", 1), ("7", 5000), ("]", 1), (AFTER, 1)]
    ),
    Case(
        "digits-5000-fraction",
        "a float with 5 000 digits after its point",
        recipe=[(BEFORE, 1), ("[0.", 1), ("7", 5000), ("]", 1), (AFTER, 1)],
    ),
    Case(
        "digits-5000-float",
        "a float with 5 000 digits before its point",
        recipe=[(BEFORE, 1), ("[", 1), ("7", 5000), (".5]", 1), (AFTER, 1)],
    ),
    Case(
        "text-1-megabyte",
        "a string of a million letters",
        recipe=[(BEFORE, 1), ('["', 1), ("a", 1_000_000), ('"]', 1), (AFTER, 1)],
    ),
    Case("elements-100000", "100 000 elements", recipe=[(BEFORE, 1), ("[0", 1), (",0", 99_999), ("]", 1), (AFTER, 1)]),
    Case(
        "escapes-unclosed",
        "100 000 backslashes in a string, never closed",
        recipe=[(BEFORE, 1), ('["', 1), ("\\", 100_000)],
    ),
]

#: As long as Swift reads a name, in bytes. Python has no limit.
LONGEST_NAME = 1024


def named(name: str, why: str, count: int, before: bytes, after: bytes) -> Case:
    return Case(name, why, recipe=[(before.decode(), 1), ("n", count), (after.decode(), 1)])


def long_names() -> list[Case]:
    cases = []
    for field, template in {
        "queue-name": message(queue_name=b'"@"'),
        "actor-name": message(actor_name=b'"@"'),
        "message-id": message(message_id=b'"@"'),
        "option": message(options=b'{"@":1}'),
        "keyword": message(kwargs=b'{"@":1}'),
    }.items():
        before, after = template.split(b"@")
        for count in [LONGEST_NAME, LONGEST_NAME + 1]:
            cases.append(named(f"{field}-{count}", f"a name of {count} letters", count, before, after))
    return cases


#: Texts that cost more than their bytes when they are taken for more than bytes, each to be repeated as often as need be.
TEXTS = [
    ("letters", "nothing special, to compare with", "a"),
    ("marks", "combining marks of two classes in turn, which normalization sorts", "\u0301\u0316"),
    ("marks-upwards", "combining marks that need no sorting", "\u0327\u0301"),
    ("marks-many", "combining marks of seven classes", "\u0301\u0316\u0327\u0334\u0345\u0591\u05b0"),
    ("marks-musical", "marks of four bytes", "\U0001d165\U0001d16d\U0001d167"),
    ("composed", "letters with an accent, as one scalar", "\u00e9"),
    ("decomposed", "the same letters as two scalars", "e\u0301"),
    ("expanding", "one scalar that compatibility decomposition makes eighteen of", "\ufdfa"),
    ("jamo", "vowels of Hangul, which join what stands before them", "\u1161"),
    ("hangul", "syllables of Hangul in their parts", "\u1100\u1161\u11a8"),
    ("joiners", "emoji in one family without an end", "\U0001f468\u200d"),
    ("flags", "regional indicators, which form pairs from the start", "\U0001f1e6"),
    ("prepended", "marks that belong to what comes after them", "\u0600"),
    ("joiners-alone", "zero-width joiners", "\u200d"),
    ("bidirectional", "overrides of the direction of writing", "\u202e\u2066"),
    ("controls", "escape sequences of terminals", "\x1b[2J"),
    ("lines", "line breaks of all sorts", "\r\n\u2028\u0085"),
    ("quotes", "what JSON escapes", "\"\\"),
    ("formulas", "what spreadsheets run", "=cmd|' /C calc'!A0"),
]


def callbacks(text: bytes) -> bytes:
    """A message with this raw JSON text as its callbacks."""
    return message(options=b'{"workflow_completion_callbacks":' + text + b"}")


def rest(*tasks: bytes, kind: bytes = b"chain") -> bytes:
    """A message after which these tasks come, given as messages."""
    nodes = b",".join(b'{"__type__":"message",' + task[1:] for task in tasks)
    return callbacks(b'[["id",{"__type__":"%s","children":[%s]},false]]' % (kind, nodes))


#: Messages with a place for a text, marked by an @, in each field that has one.
PLACES = {
    "queue_name": message(queue_name=b'"@"'),
    "actor_name": message(actor_name=b'"@"'),
    "message_id": message(message_id=b'"@"'),
    "field": b'{"@":1,' + VALID[1:],
    "argument": args(b'"@"'),
    "argument-key": args(b'{"@":1}'),
    "argument-keys": args(b'{"@":1,"@a":2,"@b":3}'),
    "argument-nested": args(b'{"a":{"@":["@"]}}'),
    "keyword": message(args=b"[]", kwargs=b'{"@":1}'),
    "keyword-value": message(args=b"[]", kwargs=b'{"name":"@"}'),
    "keyword-key": message(args=b"[]", kwargs=b'{"name":{"@":1}}'),
    "option": message(options=b'{"@":1}'),
    "option-value": message(options=b'{"note":"@"}'),
    "option-object": message(options=b'{"note":{"@":"@"}}'),
    "redis_message_id": message(options=b'{"redis_message_id":"@"}'),
    "eta": message(options=b'{"eta":"@"}'),
    "retries": message(options=b'{"retries":"@"}'),
    "max_retries": message(options=b'{"max_retries":"@"}'),
    "max_age": message(options=b'{"max_age":"@"}'),
    "time_limit": message(options=b'{"time_limit":"@"}'),
    "traceback": message(options=b'{"traceback":"@"}'),
    "broker_priority": message(options=b'{"broker_priority":"@"}'),
    "on_success": message(options=b'{"on_success":"@"}'),
    "on_success-queue": message(options=b'{"on_success":{"actor_name":"task","queue_name":"@"}}'),
    "on_failure": message(options=b'{"on_failure":"@"}'),
    "on_retry_exhausted": message(options=b'{"on_retry_exhausted":"@"}'),
    "workflow_on_failure": message(options=b'{"workflow_on_failure":"@"}'),
    "workflow_on_failure-actor": message(options=b'{"workflow_on_failure":{"notify":"@"}}'),
    "pipe_target": message(options=b'{"pipe_target":"@"}'),
    "pipe_target-actor": message(options=b'{"pipe_target":' + message(actor_name=b'"@"') + b"}"),
    "pipe_target-queue": message(options=b'{"pipe_target":' + message(queue_name=b'"@"') + b"}"),
    "pipe_target-id": message(options=b'{"pipe_target":' + message(message_id=b'"@"') + b"}"),
    "pipe_target-option": message(options=b'{"pipe_target":' + message(options=b'{"@":"@"}') + b"}"),
    "group_completion_uuid": message(options=b'{"group_completion_uuid":"@"}'),
    "callbacks": callbacks(b'"@"'),
    "completion-id": callbacks(b'[["@",null,true]]'),
    "completion-id-outer": callbacks(b'[["@",null,true],["@",null,true]]'),
    "node-type": callbacks(b'[["id",{"__type__":"@","children":[]},false]]'),
    "node-key": callbacks(b'[["id",{"@":1,"__type__":"chain","children":[]},false]]'),
    "node-actor": rest(message(actor_name=b'"@"')),
    "node-queue": rest(message(queue_name=b'"@"')),
    "node-ids": rest(message(message_id=b'"@"'), message(message_id=b'"@"'), kind=b"group"),
    "reference": callbacks(b'{"__type__":"@","by":"file","version":1,"at":"x"}'),
    "reference-storage": callbacks(b'{"__type__":"stored","by":"@","version":1,"at":"x"}'),
    "reference-place": callbacks(b'{"__type__":"stored","by":"file","version":1,"at":"@"}'),
    "reference-key": callbacks(b'{"@":1,"__type__":"stored","by":"file","version":1}'),
    "rest-place": callbacks(b'[["id",{"__type__":"stored","by":"file","version":1,"at":"sha256:@"},false]]'),
}

CASES = [*CUT, *WHOLE, *AROUND, *STRUCTURE, *TEXT, *UTF8, *NUMBERS, *FIELD_TYPES, *FIELD_SET, *RECIPES, *long_names()]


def root_error(error: BaseException) -> BaseException:
    while isinstance(error, DecodeError):
        error = error.error
    return error


def entry(case: Case) -> dict:
    """A row of the index."""
    place = {"file": f"{case.name}.bin"} if case.recipe is None else {"name": case.name, "recipe": case.recipe}
    if case.varies is not None:
        return {**place, "why": case.why, "python": "rejects", "varies": case.varies}
    with pinned():
        try:
            decoded = Message.decode(case.content)
        except DecodeError as error:
            return {**place, "why": case.why, "python": "rejects", "error": type(root_error(error)).__name__}
        written = {"encodes": decoded.encode().decode("ascii")} if case.recipe is None else {}
        return {**place, "why": case.why, "python": "accepts", **written}


def files() -> dict[str, bytes]:
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names), "two cases have the same name"
    captured = {f"hostile/{case.name}.bin": case.data for case in CASES if case.recipe is None}
    captured["hostile/index.json"] = document(rows(entry(case) for case in CASES))
    texts = ({"name": name, "why": why, "text": text} for name, why, text in TEXTS)
    captured["hostile/texts.json"] = document(rows(texts))
    places = ({"name": name, "message": template.decode()} for name, template in PLACES.items())
    captured["hostile/places.json"] = document(rows(places))
    return captured
