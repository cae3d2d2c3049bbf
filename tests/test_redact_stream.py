"""
Secrets in what comes in pieces: keys over many lines, tokens over two chunks.
"""

from __future__ import annotations

import base64
import gzip
import json
import random
import re
import threading
import urllib.parse
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from strategies import any_text
from tierlog.redact._blocks import MARK, UNENDED, hide_blocks
from tierlog.redact._follow import MAX_HELD, MAX_OTHER, MAX_ROWS
from tierlog.redact._redactor import Redactor
from tierlog.redact._rows import MAX_BODY
from tierlog.redact._stream import MAX_LINE, StreamRedactor


with gzip.open(Path(__file__).parent / "data" / "pem_cases.jsonl.gz", "rt") as file:
    CASES = [json.loads(line) for line in file]
IDS = [f"{case['id']}-{case['kind']}-{case['transform']}" for case in CASES]
TOKEN = "gh" + "p_" + "a8Kd3Lm9Qx2Zr7Tw5Bv1a8Kd3Lm9Qx2Zr7Tw"
NOISE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\\[nrt]|[\s\\\"'|+>]+")
WINDOW = 20
BEGIN, END = "-----" + "BEGIN ", "-----" + "END "  # kept apart, so that no scanner takes this file for a key


class Asis:
    """
    Hides nothing, so that what is hidden is the stream's own doing.
    """

    def text(self, text):
        return text


def chunks_of(case):
    """
    Return the chunks of each process and stream of *case*.
    """
    found = {}
    for step in case["steps"]:
        found.setdefault((step["proc"], step["stream"]), []).append(base64.b64decode(step["b64"]).decode())
    return found


def fed(chunks, redactor=None):
    """
    Return what a stream makes of *chunks*.
    """
    stream = StreamRedactor(redactor or Asis())
    return "".join([*map(stream.feed, chunks), stream.close()])


def fed_lines(lines, redactor=None):
    """
    Return the lines that a stream makes of *lines*.
    """
    stream = StreamRedactor(redactor or Asis())
    return [out for line in lines for out in stream.feed_line(line)] + stream.close_lines()


def hidden(text):
    """
    Return *text* as one text, and what was counted.
    """
    counted = Counter()
    return hide_blocks(text, lambda rule: counted.update([rule])), counted


def leaks(secrets, text):
    """
    Return the rows of a key of which a part can be read in *text*.
    """
    plain = NOISE.sub("", text)
    windows = {row: [row[at : at + WINDOW] for at in range(0, max(1, len(row) - WINDOW + 1), 10)] for row in secrets}
    return [
        row
        for row, parts in windows.items()
        if any(part in text or NOISE.sub("", part) in plain for part in parts if len(part) >= 8)
    ]


def judged(case, text):
    return leaks(case["secrets"], text), [kept for kept in case["must_keep"] if kept not in text]


def key(size=1_624, label="RSA PRIVATE KEY", seed=1):
    """
    Return something in the form of a key.
    """
    body = base64.b64encode(random.Random(seed).randbytes(size)).decode()
    rows = [body[at : at + 64] for at in range(0, len(body), 64)]
    return "\n".join([f"{BEGIN}{label}-----", *rows, f"{END}{label}-----"])


def rows_of(text):
    return [row for row in text.split("\n") if not row.startswith("-")]


@pytest.mark.parametrize("case", CASES, ids=IDS)
class TestCases:
    def test_as_it_was_cut(self, case):
        """
        No row of a key is left, and every other line stays, in the chunks of the sample.
        """
        found = "\n".join(fed(chunks) for chunks in chunks_of(case).values())

        assert judged(case, found) == ([], [])

    def test_by_lines(self, case):
        """
        The same holds for one line at a time, and nothing but whole lines comes back.
        """
        lines = [line for chunks in chunks_of(case).values() for line in fed_lines("".join(chunks).splitlines(keepends=True))]

        assert judged(case, "\n".join(lines)) == ([], [])
        assert not any("\n" in line for line in lines)

    def test_by_many_lines(self, case):
        """
        The same holds for lines that come many at once, however many.
        """
        stream, found = StreamRedactor(Redactor()), []
        lines = ["".join(chunks).splitlines() for chunks in chunks_of(case).values()]
        for one in lines:
            for start in range(0, len(one), 5):
                found += stream.feed_lines(one[start : start + 5])
            found += stream.close_lines()

        assert judged(case, "\n".join(found)) == ([], [])

    def test_with_a_real_redactor(self, case):
        """
        What hides tokens within a line does not bring back what a key's block hid.
        """
        found = "\n".join(fed(chunks, Redactor()) for chunks in chunks_of(case).values())

        assert judged(case, found)[0] == []

    def test_in_one_text(self, case):
        """
        The same holds for a text that holds it all, and for that text in JSON, twice.
        """
        text = "\n".join("".join(chunks) for chunks in chunks_of(case).values())
        for each in (text, json.dumps(text), json.dumps(json.dumps(text))):
            assert judged(case, hidden(each)[0]) == ([], [])

    def test_counted_once_a_mark(self, case):
        """
        What is counted is what is marked.
        """
        text = "".join(next(iter(chunks_of(case).values())))
        counted = Counter()
        stream = StreamRedactor(Asis(), count=lambda rule: counted.update([rule]))
        found = stream.feed(text) + stream.close()

        assert counted["private-key"] == found.count(MARK)
        assert counted["private-key-unended"] == found.count(UNENDED)


class TestAnyCut:
    @settings(max_examples=60)
    @given(case=st.sampled_from(CASES), data=st.data())
    def test_chunks_make_no_difference(self, case, data):
        """
        However a stream is cut, the same comes out.
        """
        for chunks in chunks_of(case).values():
            text = "".join(chunks)
            cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=30)))
            parts = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]

            assert fed(parts) == fed([text])

    @given(st.lists(st.sampled_from(["a b", "\n", "\r", "\r\n", "", "x" * 70, "-----", "é", "\x1b[0m"]), max_size=30))
    @example(["\r", "\n", "\r", "\r", "\n"])
    def test_clean_text_is_unchanged(self, chunks):
        """
        Of a stream without secrets not a character changes.
        """
        assert fed(chunks) == "".join(chunks)

    @given(any_text)
    def test_any_text_is_unchanged(self, text):
        """
        Nor of any other text, in one chunk or character by character.
        """
        assert fed([text]) == fed(text) == text

    @given(st.integers(1, len(TOKEN) - 1), st.integers(1, len(TOKEN) - 1))
    def test_token_over_chunks(self, one, two):
        """
        A token that is cut in two or three is hidden whole.
        """
        cuts = sorted([one, two])
        parts = ["see ", TOKEN[: cuts[0]], TOKEN[cuts[0] : cuts[1]], TOKEN[cuts[1] :], " there\n"]

        assert fed(parts, Redactor()) == "see [REDACTED:github-token] there\n"


def with_prefix(make):
    return lambda text: "\n".join(make(number) + row for number, row in enumerate(text.split("\n")))


WRAPPINGS = {
    "timestamp": with_prefix(lambda n: f"2024-01-01T10:00:{n % 60:02}.123Z "),
    "logger": with_prefix(lambda n: f"2024-01-01 10:00:00,{n:03} INFO app.config: "),
    "quoted-mail": with_prefix(lambda n: "> "),
    "kubectl": with_prefix(lambda n: "[pod/api-7d9f8b6c5-x2x4z/server] "),
    "compose": with_prefix(lambda n: "web_1  | "),
    "line-numbers": with_prefix(lambda n: f"  {n} | "),
    "buildkit": with_prefix(lambda n: f"#12 0.3{n} "),
    "diff": with_prefix(lambda n: "-"),
    "yaml-list": lambda text: "\n".join(f'  - "{row}"' for row in text.split("\n")),
    "javascript": lambda text: " +\n".join(f'"{row}\\n"' for row in text.split("\n")),
    "python-list": lambda text: repr(text.split("\n")),
    "url": lambda text: urllib.parse.quote(text, safe=""),
    "html": lambda text: text.replace("\n", "<br>"),
    "carriage-returns": lambda text: text.replace("\n", "\r"),
    "json-three-times": lambda text: json.dumps(json.dumps(json.dumps(text))),
    "escaped-slashes": lambda text: json.dumps(text).replace("/", "\\/"),
    "spaces": lambda text: text.replace("\n", " "),
    "one-row": lambda text: text.replace("\n", ""),
    "narrow": lambda text: re.sub("([A-Za-z0-9+/=]{16})", "\\1\n", text),
    "coloured-header": lambda text: text.replace("PRIVATE", "\x1b[1mPRIVATE\x1b[0m"),
    "torn-header": lambda text: text.replace(" PRIVATE", "\nPRIVATE", 1),
    "blank-rows": lambda text: text.replace("\n", "\n\n"),
    "no-end": lambda text: text.rsplit("\n", 1)[0],
    "cut": lambda text: text[: len(text) // 2],
    "no-begin": lambda text: text.split("\n", 3)[3],
    "base64": lambda text: "key: " + base64.b64encode(text.encode()).decode(),
    "base64-1": lambda text: base64.b64encode(b"x" + text.encode()).decode(),
    "base64-2": lambda text: base64.b64encode(b"xx" + text.encode()).decode(),
    "no-begin-json": lambda text: json.dumps(text.split("\n", 3)[3]),
    "no-begin-compose": lambda text: with_prefix(lambda n: "web_1  | ")(text.split("\n", 3)[3]),
    "base64-rows": lambda text: base64.encodebytes(text.encode()).decode().rstrip(),
}


@pytest.mark.parametrize("wrap", WRAPPINGS.values(), ids=WRAPPINGS)
class TestWrappings:
    def test_hidden(self, wrap):
        """
        A key is hidden, and what is around it stays, in wrappings that logs have.
        """
        plain = key()
        text = f"one before\n{wrap(plain)}\none behind\n"
        for found in (fed([text]), "\n".join(fed_lines(text.splitlines())), hidden(text)[0]):
            assert (leaks(rows_of(plain), found), MARK in found) == ([], True)
            assert found.startswith("one before\n")
            assert "one behind" in found


LABELS = [
    "PRIVATE KEY",
    "RSA PRIVATE KEY",
    "EC PRIVATE KEY",
    "DSA PRIVATE KEY",
    "ENCRYPTED PRIVATE KEY",
    "OPENSSH PRIVATE KEY",
    "PGP PRIVATE KEY BLOCK",
]


class TestBlocks:
    @pytest.mark.parametrize("label", LABELS)
    def test_labels(self, label):
        """
        Keys of every kind are one mark each.
        """
        assert fed([f"a {key(label=label)} b\n"]) == f"a {MARK} b\n"
        assert hidden(f"a {key(label=label)} b")[0] == f"a {MARK} b"

    def test_ssh2(self):
        """
        The form with four dashes is a key as well.
        """
        text = key(label="X").replace(f"{BEGIN}X-----", "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----")
        text = text.replace(f"{END}X-----", "---- END SSH2 ENCRYPTED PRIVATE KEY ----")

        assert fed([f"a\n{text}\nb\n"]) == f"a\n{MARK}\nb\n"

    def test_lines_between_rows_stay(self):
        """
        What another part of a program says between the rows of a key stays.
        """
        text = key().replace("\n", "\n[info] built module 3 of 7\n")
        found = fed([text])

        assert found.count("[info] built module 3 of 7\n") == text.count("[info]")
        assert leaks(rows_of(key()), found) == []

    def test_one_record_a_line(self):
        """
        By lines, a key's rows give nothing, its header the mark, other lines themselves.
        """
        stream = StreamRedactor(Asis())
        found = [stream.feed_line(line) for line in ["a\n", *key().split("\n"), "b\r\n", ""]]

        assert [len(lines) for lines in found] == [1, 1, *[0] * len(key().split("\n")[1:]), 1, 1]
        assert [line for lines in found for line in lines] == ["a", MARK, "b", ""]

    @pytest.mark.parametrize(
        "label", ["PUBLIC KEY", "CERTIFICATE", "CERTIFICATE REQUEST", "PGP PUBLIC KEY BLOCK", "PGP MESSAGE", "PGP SIGNATURE"]
    )
    def test_public_blocks_stay(self, label):
        """
        Certificates and public keys stay, also right before a key.
        """
        public = key(label=label)

        assert fed([f"{public}\n{key()}\n{public}\n"]) == f"{public}\n{MARK}\n{public}\n"
        assert hidden(public) == (public, {})

    @pytest.mark.parametrize(
        "text",
        [
            f'grep "{BEGIN}RSA PRIVATE KEY-----" in files',
            f"between {BEGIN}PRIVATE KEY----- and {END}PRIVATE KEY----- lines",
            f"{BEGIN}PRIVATE KEY-----\nanything\n{END}PRIVATE KEY-----",
            "PuTTY-User-Key-File-2 is an old format",
        ],
    )
    def test_headers_that_are_spoken_of(self, text):
        """
        A text that only speaks of keys stays as it is.
        """
        assert hidden(text) == (text, {})

    def test_body_behind_a_header_that_is_spoken_of(self):
        """
        If a body follows after all, it is hidden.
        """
        header, *rows = key().split("\n")

        assert (
            fed(["\n".join([f"{header} as it is in the file:", *rows, "b\n"])]) == f"{header} as it is in the file:\n{MARK}\nb\n"
        )

    def test_whole_block_of_words(self):
        """
        A whole block of words in one text is taken for a secret.
        """
        text = f"{BEGIN}RSA PRIVATE KEY-----\nmy very own private thing\n{END}RSA PRIVATE KEY-----"

        assert hidden(text) == (MARK, {"private-key": 1})

    def test_base64_that_is_no_key(self):
        """
        Rows of base64 that nothing shows to be a key's stay, in their order.
        """
        rows = [base64.b64encode(random.Random(n).randbytes(48)).decode() for n in range(MAX_HELD * 3)]
        text = "\n".join(["a", *rows, "b", *rows[:5], ""])

        assert fed([text]) == text
        assert fed_lines(text.splitlines()) == text.splitlines()

    @given(size=st.integers(24, 700), seed=st.integers(0, 10_000))
    def test_any_size(self, size, seed):
        """
        Whatever the length of the last row, a key is one mark, escaped or not.
        """
        text = key(size, seed=seed)

        assert fed([f"a\n{text}\nb\n"]) == f"a\n{MARK}\nb\n"
        assert hidden(json.dumps(text))[0] == f'"{MARK}"'

    @given(size=st.integers(150, 700), seed=st.integers(0, 10_000), prefix=st.sampled_from(["", "  ", "web_1  | "]))
    def test_any_tail(self, size, seed, prefix):
        """
        So are the last rows of a key whose header is lost.
        """
        tail = [prefix + row for row in key(size, seed=seed).split("\n")[2:]]

        assert leaks(rows_of(key(size, seed=seed))[1:], fed(["\n".join(["a", *tail, "b", ""])])) == []

    def test_bare_key_in_a_line(self):
        """
        A key without header and rows, as a setting has it, is hidden from its first byte.
        """
        body = "MIIEvgIBADANBgkqhkiG9w0BAQEFAASC" + "".join(rows_of(key()))
        found = fed([f"APP_KEY={body} PORT=80\nAPP_KEY={body}\nb\n"])

        assert found == f"APP_KEY={MARK} PORT=80\nAPP_KEY={MARK}\nb\n"


class TestBounds:
    def test_missing_end(self):
        """
        A block whose end is missing is given up, once and in so many words, and hides
        no line that isn't a key's.
        """
        lines = [f"line {number} of a build" for number in range(300)]
        found = fed([key().rsplit("\n", 1)[0], "\n", "\n".join(lines), "\n"]).splitlines()

        assert found == [MARK, *lines[:MAX_OTHER], UNENDED, *lines[MAX_OTHER:]]

    def test_missing_end_by_lines(self):
        """
        By lines, the note stands at the beginning of the next line.
        """
        lines = [f"line {number} of a build" for number in range(300)]
        found = fed_lines([*key().split("\n")[:-1], *lines])

        assert len(found) == 1 + len(lines)
        assert found[1 + MAX_OTHER] == f"{UNENDED} {lines[MAX_OTHER]}"

    def test_rows(self):
        """
        A block of too many rows is given up.
        """
        row = base64.b64encode(random.Random(1).randbytes(48)).decode()
        found = fed([f"{BEGIN}PRIVATE KEY-----\n", f"{row}\n" * (MAX_ROWS * 2)])

        assert found.startswith(f"{MARK}\n{UNENDED}\n")
        assert found.count(row) == MAX_ROWS - 1

    def test_body(self):
        """
        A block of too many characters is given up.
        """
        body = base64.b64encode(random.Random(1).randbytes(MAX_BODY * 3)).decode()
        found = fed([f"{BEGIN}PRIVATE KEY-----\n{body}\n"])

        assert found.count(UNENDED) == 1
        assert len(body) - 3 * MAX_BODY <= len(found) <= len(body) - MAX_BODY + 100

    def test_nothing_to_say(self):
        """
        A header that no body follows is marked, and nothing more is said.
        """
        text = "\n".join([f"{BEGIN}PRIVATE KEY-----", *["just a line"] * 100, ""])

        assert fed([text]) == text.replace(f"{BEGIN}PRIVATE KEY-----", MARK)

    def test_other_block_ends_it(self):
        """
        A certificate that follows a key without an end is no part of it.
        """
        certificate = key(label="CERTIFICATE", seed=2)
        text = key().rsplit("\n", 1)[0] + "\n" + certificate + "\n"

        assert fed([text]) == f"{MARK}\n{certificate}\n"
        assert hidden(text)[0] == f"{MARK}\n{certificate}\n"

    def test_empty_rows(self):
        """
        A block of empty rows is given up too.
        """
        header, row, *_ = key().split("\n")
        found = fed(["\n".join([header, row, *[""] * 100, "b", ""])])

        assert found.startswith(f"{MARK}\n{UNENDED}\n")
        assert found.endswith("\n\nb\n")

    @pytest.mark.parametrize("row", ["ab cd", "", "a"])
    def test_many_rows_in_a_line(self, row):
        """
        Rows that are escaped within a line are bounded as others are.
        """
        found = hidden(f"{BEGIN}RSA PRIVATE KEY-----\\n{key()[40:90]}" + f"\\n{row}" * 4_000 + "\nb")[0]

        assert key()[40:60] not in found
        assert found.endswith("\nb")

    def test_many_headers(self):
        """
        A line that is made to take long is hidden from where it gets too long.
        """
        found = hidden(f"{BEGIN}RSA PRIVATE KEY-----{key()[40:72]} " * 4_000)[0]

        assert found.endswith(MARK)
        assert len(found) < 50_000


class TestLongLines:
    def test_memory(self):
        """
        A line without an end is written as it comes, but for its last part.
        """
        stream = StreamRedactor()
        size = 0
        for _ in range(64):
            size += len(stream.feed("ab cd ef " * 4_096))

        assert 64 * 9 * 4_096 - size <= MAX_LINE
        assert size + len(stream.close()) == 64 * 9 * 4_096

    @pytest.mark.parametrize("space", [" ", ""])
    @settings(max_examples=25)
    @given(before=st.integers(40_000, 70_000))
    def test_token_where_a_long_line_is_cut(self, space, before):
        """
        A token is hidden whole wherever in a long line it stands.
        """
        text = "a," * (before // 2) + space + TOKEN + space + ",b" * 50_000
        found = fed([text[at : at + 5_000] for at in range(0, len(text), 5_000)], Redactor())

        assert found == text.replace(TOKEN, "[REDACTED:github-token]")

    @pytest.mark.parametrize("before", range(40_000, 70_000, 7_000))
    def test_key_where_a_long_line_is_cut(self, before):
        """
        So is a key.
        """
        text = "a " * (before // 2) + json.dumps(key(12_000)) + " b" * 50_000
        found = fed([text[at : at + 5_000] for at in range(0, len(text), 5_000)])

        assert found == "a " * (before // 2) + f'"{MARK}"' + " b" * 50_000

    def test_hostile_line_is_looked_at_few_times(self):
        """
        Of a piece that can't be looked at, no place is sought where it may be cut.
        """

        class Withholds:
            chars = 0

            def text(self, text: str) -> str:
                self.chars += len(text)
                return "[WITHHELD]"

        redactor = Withholds()
        fed(["password=a1b2c3d4 " * 15_000], redactor)

        assert redactor.chars < 4 * 270_000

    def test_long_line_with_an_end(self):
        """
        A long line that comes at once is no other.
        """
        text = f"{'x' * 200_000} {TOKEN}\nnext\n"

        assert fed([text], Redactor()) == text.replace(TOKEN, "[REDACTED:github-token]")


class TestState:
    def test_fifty_at_once(self):
        """
        Fifty redactors in as many threads hide what is theirs, and nothing else.
        """
        keyed, plain = key().split("\n"), [f"line {number} of a build" for number in range(28)]
        found = [[] for _ in range(50)]
        start = threading.Barrier(50)

        def work(number):
            stream = StreamRedactor(Asis())
            start.wait()
            for line in ["a", *(plain if number % 2 else keyed), "b"]:
                found[number] += stream.feed_line(line)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert all(lines == ["a", *(plain if number % 2 else [MARK]), "b"] for number, lines in enumerate(found))

    def test_close_begins_anew(self):
        """
        After close, nothing is known of what was before.
        """
        stream = StreamRedactor(Asis())
        header, row, *_ = key().split("\n")
        assert (stream.feed(f"{header}\n{row}\n"), stream.close()) == (MARK, "\n")

        assert stream.feed(f"{row[:40]} is what\n") + stream.close() == f"{row[:40]} is what\n"

    def test_partial_line_comes_with_close(self):
        """
        A prompt without a newline is held until the line ends, and no longer.
        """
        stream = StreamRedactor()

        assert [stream.feed("Go on? "), stream.feed("yes\n"), stream.feed("Sure? "), stream.close(), stream.close()] == [
            "",
            "Go on? yes\n",
            "",
            "Sure? ",
            "",
        ]

    def test_progress_bar(self):
        """
        A carriage return ends a line, once it is known that no newline follows it.
        """
        stream = StreamRedactor()

        assert [stream.feed("10%\r"), stream.feed("20%\r"), stream.feed("\n"), stream.close()] == ["", "10%\r", "20%\r\n", ""]

    def test_rows_that_wait_come_in_the_end(self):
        """
        Rows that may be the last of a key are not lost with the stream's end.
        """
        rows = rows_of(key())[:3]

        assert fed_lines(rows) == rows
        assert fed(["\n".join(rows)]) == "\n".join(rows)

    def test_lines_within_a_line(self):
        """
        What is given as one line, and is several, comes back as several.
        """
        assert StreamRedactor().feed_line("a\nb\r\nc\n") == ["a", "b", "c"]

    def test_redactor_that_fails(self):
        """
        What can't be looked at isn't written.
        """

        class Fails:
            def text(self, text):
                raise ValueError(text)

        assert fed(["a\n", "b"], Fails()) == "[WITHHELD]\n[WITHHELD]"

    def test_nothing_shows_in_repr(self):
        """
        The text that waits can't be read from outside by accident.
        """
        stream = StreamRedactor()
        stream.feed(TOKEN)

        assert TOKEN not in repr(stream)


class TestManyLines:
    def test_are_what_they_are_one_by_one(self):
        """
        Ordinary lines with a secret here and there come back as if they had come alone.
        """
        rnd = random.Random(1)
        words = [
            "building",
            "----",
            key(seed=3).split("\n")[3],
            "token=",
            TOKEN,
            "a/b.c:12",
            "",
            "done =",
            "é\u2028",
            "[WITHHELD]",
        ]
        lines = [" ".join(rnd.choices(words, k=rnd.randrange(4))) for _ in range(2_000)]
        one, many = StreamRedactor(Redactor()), StreamRedactor(Redactor())

        alone = [out for line in lines for out in one.feed_line(line)] + one.close_lines()
        together = [
            out for start in range(0, 2_000, 50) for out in many.feed_lines(lines[start : start + 50])
        ] + many.close_lines()

        assert together == alone
        assert not any(TOKEN in line for line in together)

    def test_a_rule_of_ones_own_sees_each_line(self):
        """
        A rule that means the beginning of a text means that of a line.
        """
        stream = StreamRedactor(Redactor(rules=[{"name": "own", "pattern": r"\Apin \d{1,9}", "literals": ["pin "]}]))

        assert stream.feed_lines(["pin 12", "pin 34"]) == ["[REDACTED:own]", "[REDACTED:own]"]

    def test_a_secret_on_the_line_below_its_name(self):
        """
        It is hidden if both come together.
        """
        lines = StreamRedactor().feed_lines(["curl https://host.example/token \\", "  --user c28wlsosanujy2z:qgsnai0xokrw4j1"])

        assert lines == ["curl https://host.example/token \\", "  --user [REDACTED:curl-user]"]

    def test_a_secret_below_a_name_that_came_before(self):
        """
        It is hidden, too, though its name was returned already, and each is counted once.
        """
        redactor = Redactor()
        stream = StreamRedactor(redactor)
        lines = [f"token={TOKEN}", "curl https://host.example/token \\", "  --user c28wlsosanujy2z:qgsnai0xokrw4j1", "done", "ok"]

        found = [out for line in lines for out in stream.feed_lines([line])]

        assert found == [
            "token=[REDACTED:github-token]",
            "curl https://host.example/token \\",
            "  --user [REDACTED:curl-user]",
            "done",
            "ok",
        ]
        assert redactor.counts() == {"github-token": 1, "curl-user": 1}

    def test_a_line_is_not_altered_for_what_is_around_it(self):
        """
        Real output, among lines with secrets, is what it is alone.
        """
        clean = ["Step 3/9 : RUN make", "-u root:wheel", "sha256:9f86d081884c7d65", "user 17 has 3 tokens", "key: value"]
        lines = [one for line in clean for one in (f"password = {TOKEN}", line, f"Authorization: Bearer {TOKEN}")]

        assert [line for line in StreamRedactor().feed_lines(lines) if "REDACTED" not in line] == clean

    def test_long_lines_are_looked_at_alone(self):
        """
        Lines that are longer together than any text that is looked at stay whole.
        """
        lines = [f"{TOKEN} " + "word " * 60_000] * 8

        assert StreamRedactor().feed_lines(lines) == [line.replace(TOKEN, "[REDACTED:github-token]") for line in lines]

    def test_lines_that_wait_can_be_let_go(self):
        """
        A row that may be the last of a key is let go if one wants; within a key, nothing is.
        """
        row = rows_of(key())[0]
        stream = StreamRedactor(Redactor())

        waiting = stream.feed_lines([row])
        let_go = stream.let_go_lines()
        within = stream.feed_lines([BEGIN + "RSA PRIVATE KEY-----", row]) + stream.let_go_lines() + stream.feed_lines([row])

        assert (waiting, let_go, within) == ([], [row], [MARK])


WORD = "hunter25Zk6Ym"
RANDOM = "a8Kd3Lm9Qx2Zr7Tw5Bv1"


@pytest.mark.parametrize("between", [[], [""]], ids=["", "an empty line"])
class TestBelow:
    def ways(self, name, between, value):
        """
        Return what each way of taking lines makes of them: whole chunks, lines, many lines, many at a time.
        """
        lines = ["before", name, *between, value, "after"]
        chunks, together, apart = StreamRedactor(), StreamRedactor(), StreamRedactor()
        return [
            "".join([chunks.feed("\n".join(lines)), chunks.close()]).split("\n"),
            fed_lines(lines, Redactor()),
            together.feed_lines(lines) + together.close_lines(),
            [out for line in lines for out in apart.feed_lines([line])] + apart.close_lines(),
        ]

    @pytest.mark.parametrize(
        ("name", "value", "secret"),
        [
            ("Password:", WORD, WORD),
            ("password= ", f"  {WORD}", WORD),
            ("DB_PASSWORD=", WORD, WORD),
            ("[sudo] password for bob:", WORD, WORD),
            ("\x1b[1mPassword:\x1b[0m", f"\x1b[31m{WORD}\x1b[0m", WORD),
            ("Your API token:", RANDOM, RANDOM),
            ("client_secret:", f'"{RANDOM}",', RANDOM),
            ('  "client_secret":', f"    '{RANDOM}'", RANDOM),
            ("aws_secret_access_key:", f"{RANDOM}{RANDOM[:18]}/+", f"{RANDOM}{RANDOM[:18]}/+"),
            ("CLOUDFLARE_API_TOKEN=", f"{RANDOM}{RANDOM[:18]}_-", f"{RANDOM}{RANDOM[:18]}_-"),
            ("api_key=", RANDOM, RANDOM),
            ("SECRET_KEY_BASE=", f"{RANDOM}==", f"{RANDOM}=="),
            ("Authorization: Bearer", RANDOM, RANDOM),
            ("authorization: basic", "Ym9iOmh1bnRlcjI1WmsK", "Ym9iOmh1bnRlcjI1WmsK"),
        ],
    )
    def test_a_word_is_hidden(self, between, name, value, secret):
        """
        A word below a line that ends in a secret's name is hidden, however the lines come; nothing else is.
        """
        for out in self.ways(name, between, value):
            assert out[: 2 + len(between)] == ["before", name, *between]
            assert re.sub(r"\[REDACTED:[a-z\-]+\]", "MARK", out[-2]) == value.replace(secret, "MARK")
            assert out[-1] == "after"

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            *(("Password:", value) for value in ("Connecting", "Logged in 2 times.", "Retrying...", "Done!", "bob@web-1:~$")),
            *(
                ("Password:", value)
                for value in ("$ ls -la1", "/usr/lib/x1.so", "v1.2.3-rc1", "2026-01-01T00:00:00Z", "main.go:12:")
            ),
            *(("Password:", value) for value in ("https://example.com/a1", "bob@example.com", "--force1", "[REDACTED:password]")),
            *(("password=", value) for value in ("USER=bob12", "{", "${DB_PASSWORD}", "********")),
            ("secret:", "build-2024"),
            ("secrets:", "DB_PASSWORD_2"),
            ("tokens:", "1234567"),
            ("token:", "Downloading foo-1.2.3"),
            ("name:", WORD),
            ("cache key:", "linux-py3-1a2b3c4d5e6f"),
            ("wait for the password", WORD),
        ],
    )
    def test_what_else_follows_stays(self, between, name, value):
        """
        What follows a prompt and is no secret stays: sentences, prompts, numbers, names, paths.
        """
        for out in self.ways(name, between, value):
            assert out == ["before", name, *between, value, "after"]


def test_only_the_next_line_is_below():
    """
    A word further down stays, and it is counted once, also when others are looked at together.
    """
    redactor = Redactor()
    stream = StreamRedactor(redactor)

    out = (
        stream.feed_lines(["Password:", "", "", WORD, "token:", RANDOM, RANDOM])
        + stream.feed_lines([WORD])
        + stream.close_lines()
    )

    assert out == ["Password:", "", "", WORD, "token:", "[REDACTED:secret-assignment]", RANDOM, WORD]
    assert redactor.counts() == {"secret-assignment": 1}
