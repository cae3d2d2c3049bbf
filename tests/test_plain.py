"""
Any Python value as exact builtins, without ever raising.
"""

from __future__ import annotations

import array
import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import ipaddress
import json
import pathlib
import subprocess
import sys
import threading
import types
import uuid
from collections import ChainMap, Counter, OrderedDict, UserDict, UserList, defaultdict, deque, namedtuple

import pytest
from hypothesis import given

from strategies import data_values
from tierlog.ndjson import dump_data
from tierlog.plain import MAX_ITEMS, encodable, key_text, text_of, unwrap
from tierlog.redact import Copier, Redactor


class Colour(enum.Enum):
    RED = "red"
    BLUE = 2
    BOTH = ("red", "blue")


class Text(enum.StrEnum):
    ONE = "one"


class Flags(enum.IntFlag):
    A = 1
    B = 2


@dataclasses.dataclass
class Order:
    number: int
    parts: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass(slots=True)
class Slotted:
    number: int
    missing: int = dataclasses.field(init=False)


Point = namedtuple("Point", "x y")


class Raises:
    """
    An object none of whose texts can be had.
    """

    def __str__(self):
        raise RuntimeError("no text")

    __repr__ = __str__


class ReprOnly:
    """
    An object whose str() raises, and whose repr() doesn't.
    """

    def __str__(self):
        raise RuntimeError("no text")

    def __repr__(self):
        return "ReprOnly()"


class NoText:
    """
    An object whose str() and repr() aren't strings.
    """

    def __str__(self):
        return 7

    def __repr__(self):
        return None


class HostileDict(dict):
    """
    A dict each of whose methods raises.
    """

    def _raise(self, *args, **kwargs):
        raise RuntimeError("no")

    __iter__ = __len__ = __getitem__ = __contains__ = __eq__ = __repr__ = __str__ = __or__ = _raise
    __hash__ = None
    keys = values = items = get = copy = update = pop = _raise


class HostileList(list):
    """
    A list each of whose methods raises.
    """

    def _raise(self, *args, **kwargs):
        raise RuntimeError("no")

    __iter__ = __len__ = __getitem__ = __contains__ = __eq__ = __repr__ = __str__ = copy = _raise
    __hash__ = None


class HostileStr(str):
    """
    A string each of whose methods raises.
    """

    __slots__ = ()

    def _raise(self, *args, **kwargs):
        raise RuntimeError("no")

    __str__ = __repr__ = __len__ = __getitem__ = __iter__ = __format__ = encode = lower = _raise


class HostileInt(int):
    """
    A number that can't be turned into another, or into text.
    """

    def _raise(self, *args, **kwargs):
        raise RuntimeError("no")

    __str__ = __repr__ = __int__ = __index__ = __float__ = _raise


class HostileFloat(float):
    """
    A float that can't be turned into another, or into text.
    """

    def _raise(self, *args, **kwargs):
        raise RuntimeError("no")

    __str__ = __repr__ = __float__ = _raise


class HostileMapping(collections.abc.Mapping):
    """
    A mapping that says it has keys and then gives none.
    """

    def __getitem__(self, key):
        raise RuntimeError("no")

    def __iter__(self):
        raise RuntimeError("no")

    def __len__(self):
        return 3


class HostileEquality:
    """
    An object that can't be compared, as those of query builders.
    """

    __hash__ = None

    def __eq__(self, other):
        raise RuntimeError("no")

    def __repr__(self):
        return "HostileEquality()"


class HostileAttributes:
    """
    An object that lets nobody look at it, not even for its class.
    """

    def __getattribute__(self, name):
        raise RuntimeError("no")


class HostileZone(datetime.tzinfo):
    """
    A time zone that raises, which kills processes whose encoder asks it.
    """

    def utcoffset(self, when):
        raise RuntimeError("no")

    dst = tzname = utcoffset


class OddHash:
    """
    A key that can be hashed once.
    """

    def __init__(self):
        self.count = 0

    def __hash__(self):
        self.count += 1
        if self.count > 1:
            raise RuntimeError("no")
        return 1


class HostileKey:
    """
    A key that equals nothing and says so loudly.
    """

    def __hash__(self):
        return hash("name")

    def __eq__(self, other):
        raise RuntimeError("no")

    def __str__(self):
        return "hostile"


class TestUnwrap:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            pytest.param(None, None, id="none"),
            pytest.param(True, True, id="bool"),
            pytest.param("é", "é", id="str"),
            pytest.param(7, 7, id="int"),
            pytest.param(1.5, 1.5, id="float"),
            pytest.param(float("nan"), "NaN", id="nan"),
            pytest.param(float("inf"), "Infinity", id="infinity"),
            pytest.param(float("-inf"), "-Infinity", id="minus-infinity"),
            pytest.param(2**14_000, hex(2**14_000), id="more-digits-than-python-prints"),
            pytest.param(1 << (1 << 21), f"<int of {(1 << 21) + 1} bits>", id="huge-int"),
            pytest.param(b"a\xff\n", "a\\xff\n", id="bytes"),
            pytest.param(bytearray(b"abc"), "abc", id="bytearray"),
            pytest.param(memoryview(b"abc"), "abc", id="memoryview"),
            pytest.param(memoryview(array.array("I", [0x61616161])), "aaaa", id="memoryview-of-numbers"),
            pytest.param((1, 2), [1, 2], id="tuple"),
            pytest.param(Point(1, 2), {"x": 1, "y": 2}, id="namedtuple"),
            pytest.param({7}, [7], id="set"),
            pytest.param(frozenset([7]), [7], id="frozenset"),
            pytest.param({"a": 1}.keys(), ["a"], id="keys"),
            pytest.param(deque([1, 2], maxlen=5), [1, 2], id="deque"),
            pytest.param(UserList([1, 2]), [1, 2], id="userlist"),
            pytest.param(array.array("i", [1, 2]), [1, 2], id="array"),
            pytest.param(OrderedDict(b=1, a=2), {"b": 1, "a": 2}, id="ordereddict"),
            pytest.param(defaultdict(list, a=[1]), {"a": [1]}, id="defaultdict"),
            pytest.param(Counter("aab"), {"a": 2, "b": 1}, id="counter"),
            pytest.param(UserDict(a=1), {"a": 1}, id="userdict"),
            pytest.param(ChainMap({"a": 1}, {"a": 2, "b": 3}), {"a": 1, "b": 3}, id="chainmap"),
            pytest.param(types.MappingProxyType({"a": 1}), {"a": 1}, id="mappingproxy"),
            pytest.param(types.SimpleNamespace(a=1), "namespace(a=1)", id="namespace"),
            pytest.param(Order(7, [1]), {"number": 7, "parts": [1]}, id="dataclass"),
            pytest.param(Slotted(7), {"number": 7, "missing": None}, id="dataclass-half-made"),
            pytest.param(Order, str(Order), id="class-of-dataclass"),
            pytest.param(Colour.RED, "red", id="enum-of-str"),
            pytest.param(Colour.BLUE, 2, id="enum-of-int"),
            pytest.param(Colour.BOTH, "Colour.BOTH", id="enum-of-tuple"),
            pytest.param(Text.ONE, "one", id="strenum"),
            pytest.param(Flags.A | Flags.B, 3, id="flags"),
            pytest.param(decimal.Decimal("1.10"), "1.10", id="decimal"),
            pytest.param(decimal.Decimal("sNaN"), "sNaN", id="decimal-nan"),
            pytest.param(fractions.Fraction(1, 3), "1/3", id="fraction"),
            pytest.param(1 + 2j, "(1+2j)", id="complex"),
            pytest.param(datetime.datetime(2026, 11, 22, 1, 2, 3), "2026-11-22T01:02:03", id="datetime"),
            pytest.param(
                datetime.datetime(2026, 11, 22, tzinfo=datetime.UTC), "2026-11-22T00:00:00+00:00", id="datetime-with-zone"
            ),
            pytest.param(datetime.date(2026, 11, 22), "2026-11-22", id="date"),
            pytest.param(datetime.time(1, 2), "01:02:00", id="time"),
            pytest.param(datetime.timedelta(seconds=90), "0:01:30", id="timedelta"),
            pytest.param(pathlib.PurePosixPath("/tmp/x"), "/tmp/x", id="path"),
            pytest.param(uuid.UUID(int=7), "00000000-0000-0000-0000-000000000007", id="uuid"),
            pytest.param(ipaddress.ip_address("127.0.0.1"), "127.0.0.1", id="ip"),
            pytest.param(ValueError("bad"), "ValueError: bad", id="exception"),
            pytest.param(range(3), "range(0, 3)", id="range"),
            pytest.param(..., "Ellipsis", id="ellipsis"),
            pytest.param(int, "<class 'int'>", id="class"),
        ],
    )
    def test_values(self, value, expected):
        """
        Each value has one plain form, of an exact builtin type.
        """
        found = unwrap(value)

        assert (found, type(found)) == (expected, type(expected))

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            pytest.param(HostileDict(a=1), {"a": 1}, id="dict"),
            pytest.param(HostileList([1]), [1], id="list"),
            pytest.param(HostileStr("a"), "a", id="str"),
            pytest.param(HostileInt(7), 7, id="int"),
            pytest.param(HostileFloat(1.5), 1.5, id="float"),
        ],
    )
    def test_subclasses_whose_methods_raise(self, value, expected):
        """
        What a builtin holds is there, whatever its subclass does.
        """
        found = unwrap(value)

        assert (found, type(found)) == (expected, type(expected))

    def test_generators_are_not_consumed(self):
        """
        What can be read once is left to whoever it belongs to.
        """
        generator = (number for number in range(3))
        lines, mapped, zipped = iter(["a", "b"]), map(str, [1]), zip([1], [2], strict=True)

        found = [unwrap(value) for value in (generator, lines, mapped, zipped)]

        assert [type(text) for text in found] == [str] * 4
        assert (list(generator), list(lines), list(mapped), list(zipped)) == ([0, 1, 2], ["a", "b"], ["1"], [(1, 2)])

    def test_takes_a_container_apart_by_one_level(self):
        """
        What is inside is left to whoever walks the tree.
        """
        inner = (1, 2)

        assert unwrap([inner])[0] is inner

    @pytest.mark.parametrize("value", [{"a": [1]}, [1, {2}], (Order(1),)])
    def test_result_is_a_copy(self, value):
        """
        Whoever changes what is returned doesn't change what was given.
        """
        assert unwrap(value) is not value


class TestNumpy:
    @pytest.fixture(name="np")
    def _np(self):
        return pytest.importorskip("numpy")

    @pytest.mark.parametrize(
        ("make", "expected"),
        [
            pytest.param(lambda np: np.int64(7), 7, id="int64"),
            pytest.param(lambda np: np.uint64(2**64 - 1), 2**64 - 1, id="uint64"),
            pytest.param(lambda np: np.float64(1.5), 1.5, id="float64"),
            pytest.param(lambda np: np.float32(1.5), 1.5, id="float32"),
            pytest.param(lambda np: np.float64("nan"), "NaN", id="nan"),
            pytest.param(lambda np: np.float32("inf"), "Infinity", id="infinity-of-32-bits"),
            pytest.param(lambda np: np.bool_(True), True, id="bool"),
            pytest.param(lambda np: np.str_("a"), "a", id="str"),
            pytest.param(lambda np: np.bytes_(b"a"), "a", id="bytes"),
            pytest.param(lambda np: np.complex128(1 + 2j), "(1+2j)", id="complex"),
            pytest.param(lambda np: np.longdouble(1.5), "1.5", id="longdouble"),
            pytest.param(lambda np: np.datetime64("2026-11-22"), "2026-11-22", id="datetime64"),
            pytest.param(lambda np: np.array(7), 7, id="array-without-dimensions"),
        ],
    )
    def test_scalars(self, np, make, expected):
        """
        A scalar is the number or the text that it holds.
        """
        found = unwrap(make(np))

        assert (found, type(found)) == (expected, type(expected))

    def test_arrays(self, np):
        """
        An array is nested lists of plain numbers.
        """
        assert Copier().data(np.array([[1.0, float("nan")], [3.0, 4.0]])) == [[1.0, "NaN"], [3.0, 4.0]]

    def test_large_array_is_cut(self, np):
        """
        An array that no line could hold isn't copied whole.
        """
        assert len(Copier().data(np.zeros(MAX_ITEMS + 5))) <= MAX_ITEMS + 1

    def test_array_under_a_secret_name(self, np):
        """
        A value that can't be compared is hidden like any other.
        """
        assert Redactor().data({"password": np.array([1, 2])}) == {"password": "[REDACTED:key]"}


class TestTextOf:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            pytest.param("a", "a", id="str"),
            pytest.param(b"a\xff", "a\\xff", id="bytes"),
            pytest.param(ValueError("bad"), "ValueError: bad", id="exception"),
            pytest.param(ValueError(), "ValueError", id="exception-without-a-text"),
            pytest.param(ReprOnly(), "ReprOnly()", id="str-raises"),
            pytest.param([ReprOnly()], "[ReprOnly()]", id="inside"),
            pytest.param(HostileStr("a"), "a", id="str-that-raises"),
            pytest.param(10**5000, hex(10**5000), id="more-digits-than-python-prints"),
        ],
    )
    def test_values(self, value, expected):
        """
        It is str(), or the best there is if that raises.
        """
        found = text_of(value)

        assert (found, type(found)) == (expected, str)

    @pytest.mark.parametrize(
        "value",
        [
            pytest.param(Raises(), id="raises"),
            pytest.param(NoText(), id="no-text"),
            pytest.param(HostileAttributes(), id="attributes"),
            pytest.param(HostileMapping(), id="mapping"),
        ],
    )
    def test_names_the_type_if_nothing_else(self, value):
        """
        Where there's no text at all, there's at least the name of the type.
        """
        assert type(value).__name__ in text_of(value)

    def test_is_limited(self):
        """
        A text that no line could hold isn't carried on whole.
        """
        assert len(text_of("x" * 10_000_000)) <= 4_194_304


class TestKeyText:
    @pytest.mark.parametrize(
        ("key", "expected"),
        [
            ("a", "a"),
            (1, "1"),
            (1.5, "1.5"),
            (None, "null"),
            (True, "true"),
            (False, "false"),
            (b"a", "a"),
            ((1, "a"), "[1, 'a']"),
            (Colour.RED, "red"),
            (Text.ONE, "one"),
            (float("nan"), "NaN"),
            (datetime.date(2026, 11, 22), "2026-11-22"),
        ],
    )
    def test_keys(self, key, expected):
        """
        A key becomes the string that JSON would have.
        """
        found = key_text(key)

        assert (found, type(found)) == (expected, str)

    def test_long_key_is_cut_and_marked(self):
        """
        A name of a field has at most 1 024 characters.
        """
        (found,) = Redactor().data({"k" * 5000: 1})

        assert (len(found), found.endswith("k[TRUNCATED]")) == (1024, True)


class TestEncodable:
    def test_lone_surrogates_are_written_out(self):
        """
        What UTF-8 can't say stands there in letters, in values and in keys.
        """
        assert encodable({"\ud800": ["a\udcffb"]}) == {"\\ud800": ["a\\udcffb"]}

    def test_two_keys_stay_two(self):
        """
        A key that is rewritten doesn't take the place of another.
        """
        assert len(encodable({"\ud800": 1, "\\ud800": 2})) == 2

    @pytest.mark.parametrize(
        ("number", "expected"),
        [
            (2**64 - 1, 2**64 - 1),
            (2**64, str(2**64)),
            (-(2**63), -(2**63)),
            (-(2**63) - 1, str(-(2**63) - 1)),
        ],
    )
    def test_integers_beyond_64_bits_are_text(self, number, expected):
        """
        No digit of a large integer is lost.
        """
        assert encodable([number]) == [expected]


def circular_list():
    value = [1]
    value.append(value)
    return value


def circular_dict():
    value = {"a": 1}
    value["self"] = value
    return value


def circular_dataclass():
    value = Order(1)
    value.parts.append(value)
    return value


class TestData:
    """
    A record's data as a whole, copied by what redacts it and by what doesn't.
    """

    @pytest.fixture(name="copier", params=[Copier, Redactor])
    def _copier(self, request):
        return request.param()

    @pytest.mark.parametrize(
        "value",
        [
            pytest.param(Raises(), id="no-text"),
            pytest.param(NoText(), id="text-that-is-no-text"),
            pytest.param(HostileDict(a=1), id="dict"),
            pytest.param(HostileList([1]), id="list"),
            pytest.param(HostileStr("a"), id="str"),
            pytest.param(HostileInt(7), id="int"),
            pytest.param(HostileMapping(), id="mapping"),
            pytest.param(HostileEquality(), id="equality"),
            pytest.param(HostileAttributes(), id="attributes"),
            pytest.param(datetime.datetime(2026, 11, 22, tzinfo=HostileZone()), id="time-zone"),
            pytest.param(datetime.time(1, tzinfo=HostileZone()), id="time-zone-of-time"),
            pytest.param(memoryview(b"abcdef")[::2], id="memoryview-with-steps"),
            pytest.param({OddHash(): 1}, id="key-without-hash"),
            pytest.param({HostileKey(): 1}, id="key-without-equality"),
            pytest.param({Raises(): 1}, id="key-without-text"),
            pytest.param(float("nan"), id="nan"),
            pytest.param(10**5000, id="huge-int"),
            pytest.param("\udcff", id="surrogate"),
            pytest.param({"\udcff": "\udcff"}, id="surrogate-as-key"),
            pytest.param("x" * 10_000_000, id="10-mb"),
            pytest.param(b"x" * 10_000_000, id="10-mb-of-bytes"),
        ],
    )
    @pytest.mark.parametrize(
        "place",
        [
            pytest.param(lambda value: value, id="alone"),
            pytest.param(lambda value: {"name": value, "password": value}, id="in-dict"),
            pytest.param(lambda value: [[value]], id="in-list"),
        ],
    )
    def test_hostile_values_never_raise(self, copier, value, place):
        """
        Whatever its methods do, a value becomes JSON, and what is beside it stays.
        """
        copier.data({"name": "known", "before": "known"})

        found = copier.data({"before": 1, "value": place(value), "after": [2]})

        read = json.loads(dump_data(found))
        assert (read["before"], read["after"], list(read)) == (1, [2], ["before", "value", "after"])

    def test_released_memoryview(self, copier):
        """
        A view whose memory is gone is named at least.
        """
        view = memoryview(b"abc")
        view.release()

        assert "memory" in copier.data({"view": view, "a": 1})["view"]

    @pytest.mark.parametrize(
        ("make", "expected"),
        [
            pytest.param(circular_list, [1, "[CYCLE]"], id="list"),
            pytest.param(circular_dict, {"a": 1, "self": "[CYCLE]"}, id="dict"),
            pytest.param(circular_dataclass, {"number": 1, "parts": ["[CYCLE]"]}, id="dataclass"),
        ],
    )
    def test_cycles_are_cut(self, copier, make, expected):
        """
        Where a value holds itself, the copy ends, and says so.
        """
        assert copier.data({"value": make()}) == {"value": expected}

    def test_payload_that_holds_itself_is_cut(self, copier):
        """
        So it is where the payload itself is meant.
        """
        found = copier.data(circular_dict())

        assert (found["a"], "[CYCLE]" in json.dumps(found)) == (1, True)

    def test_what_stands_twice_is_no_cycle(self, copier):
        """
        A value that two others share is there twice.
        """
        shared = {"a": 1}

        assert copier.data({"one": shared, "other": [shared]}) == {"one": {"a": 1}, "other": [{"a": 1}]}

    @pytest.mark.parametrize(
        "wrap",
        [
            pytest.param(lambda value: [value], id="list"),
            pytest.param(lambda value: {"a": value}, id="dict"),
            pytest.param(lambda value: (value,), id="tuple"),
        ],
    )
    def test_depth_is_limited(self, copier, wrap):
        """
        10 000 levels become a hundred, with a mark where they end.
        """
        value = "bottom"
        for _ in range(10_000):
            value = wrap(value)

        found = dump_data(copier.data({"value": value}))

        assert (b"[TOO DEEP]" in found, b"bottom" in found) == (True, False)

    def test_depth_on_a_stack_that_is_nearly_full(self, copier):
        """
        Where the caller has no stack left, the record is cut, and nothing raises.
        """
        found = []

        def descend(depth):
            try:
                descend(depth + 1)
            except RecursionError:
                if not found:
                    found.append(copier.data({"a": [[[[1]]]]}))
                raise

        with pytest.raises(RecursionError):
            descend(0)
        assert len(found) == 1

    def test_number_of_items_is_limited(self, copier):
        """
        More than a line could hold isn't copied, and a mark says so.
        """
        found = copier.data({"values": list(range(MAX_ITEMS + 100))})

        assert (len(found["values"]) <= MAX_ITEMS + 1, found["values"][:2], "[TRUNCATED]" in str(found)) == (True, [0, 1], True)

    @pytest.mark.parametrize("form", ["[x, x]", "{'a': x, 'b': x}", "(x, x)", "{'a': [x], 'b': (x, x)}"])
    def test_sharing_does_not_multiply(self, form):
        """
        A few shared values that would unfold without end come to an end.
        """
        code = (
            "from tierlog.redact import Redactor\n"
            "redactor = Redactor()\n"
            "redactor.data({'a': 1, 'b': 2})\n"
            "x = 'lol'\n"
            f"for _ in range(60): x = {form}\n"
            "print(len(str(redactor.data({'a': x}))) > 0)"
        )

        found = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=30, check=True)

        assert found.stdout == b"True\n"

    def test_keys_that_become_equal_are_all_kept(self, copier):
        """
        Two keys with the same text stay two.
        """
        found = copier.data({1: "a", "1": "b", None: "c", "null": "d", b"1": "e"})

        assert (found["1"], sorted(found.values())) == ("a", ["a", "b", "c", "d", "e"])

    @pytest.mark.parametrize("key", [Text.ONE, type("Text", (str,), {})("one")], ids=["enum", "subclass"])
    def test_key_that_equals_one_seen_before(self, copier, key):
        """
        A key of a subclass of str is one of exactly str, however often it was seen.
        """
        copier.data({"one": 1})

        found = copier.data({key: 2})

        assert ([type(name) for name in found], dump_data(found)) == ([str], b'{"one":2}')

    @pytest.mark.parametrize(
        "make",
        [
            pytest.param(lambda: {"a": [1, {"password": "x"}], "b": {1, 2}}, id="builtins"),
            pytest.param(lambda: {"token": "x" * 40, 1: float("nan"), "o": Order(1, [{"pwd": "x"}])}, id="mixed"),
            pytest.param(lambda: defaultdict(list, a=deque([1])), id="collections"),
        ],
    )
    def test_what_was_given_is_not_changed(self, copier, make):
        """
        A log call leaves its arguments as they were.
        """
        given_value, expected = make(), make()

        copier.data({"a": 1, "b": 2})
        copier.data(given_value)

        assert repr(given_value) == repr(expected)

    def test_dict_that_another_thread_changes(self, copier):
        """
        A dict that grows and shrinks meanwhile is copied as it was at some moment.
        """
        shared, stop, results = {"a": 1}, threading.Event(), []

        def change():
            number = 0
            while not stop.is_set():
                number += 1
                shared[f"k{number % 50}"] = number
                shared.pop(f"k{(number + 25) % 50}", None)

        thread = threading.Thread(target=change)
        thread.start()
        try:
            for _ in range(500):
                results.append(copier.data({"outer": shared, "view": types.MappingProxyType(shared)}))
        finally:
            stop.set()
            thread.join()

        assert all(found["outer"]["a"] == 1 for found in results)

    @given(value=data_values)
    def test_any_value_becomes_exact_builtins(self, value):
        """
        Nothing but dict, list, str, int, float, bool and None comes out.
        """

        def check(item):
            assert type(item) in {dict, list, str, int, float, bool, type(None)}
            if type(item) is dict:
                assert all(type(key) is str for key in item)
                any(map(check, item.values()))
            elif type(item) is list:
                any(map(check, item))

        check(Redactor().data(value))
