"""
What hides secrets in texts and in data.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Mapping
from typing import Any
from weakref import WeakSet

from tierlog._fork import ForkSafeLock
from tierlog.redact._copier import KEY_MARK, REMEMBERED, REMEMBERED_CHARS, WITHHELD, Copier
from tierlog.redact._keys import is_personal, is_sensitive
from tierlog.redact._known import MIN_LENGTH, forms
from tierlog.redact._options import chosen_rules, key_options, known_values
from tierlog.redact._paths import Paths, State
from tierlog.redact._rule import Rule
from tierlog.redact._rules import RULES
from tierlog.redact._text import TextRedactor


__all__ = ["Redactor", "hide_value"]

_HASH_CHARS = 12
_SHAPE_CHARS = 200
_AS_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_NUMBER_IN_A_WORD = re.compile(r"[^\s\d]\d|\d[^\s\d]|\d{13}", re.ASCII)
_MARK = re.compile(r"\[REDACTED:[^\[\]\r\n]{1,256}\]")  # what it says is the secret's kind, not the field's
_for_all: dict[str, str] = {}
_redactors: WeakSet[Redactor] = WeakSet()


class Redactor(Copier):
    """
    Hides secrets in texts and in data.

    Safe to share between threads. A text that can't be looked at, because the
    redaction itself fails or would take too long, is withheld, never passed on.

    Args:
        keys: More names of fields whose value is hidden, in any case style; those
            with a ``*`` or a full stop are paths.

        paths: Where in the data a value is hidden, from its top: ``user.ssn``,
            ``headers.x-*``, ``items.*.code``, ``**.iban``.

        allow_keys: Names of fields whose value stays, whatever they look like.

        rules: More rules, as mappings of ``name``, ``pattern``, ``literals`` and
            what else :class:`Rule` has; one of a known name replaces that.

        without: Names of rules that are switched off.

        pii: Which personal data to hide: ``email``, ``card``, ``ip``, ``iban``.

        known: Texts that are secrets, each hidden wherever it appears, also
            JSON-escaped, URL-encoded and in base64; or names of their marks to
            texts.

        known_min_length: Shorter ones are refused: they would hide ordinary words.

        hash_key: If given, marks end in a keyed hash of the secret,
            ``[REDACTED:rule#0123456789ab]`` (HMAC with SHA-256, 48 bits), so that
            equal secrets can be told.

    Attributes:
        hides_blocks: Whether private keys are hidden.

        clean: The keys and texts of data and the shapes of messages that are known to hold
            no secret; None if that isn't all there is to it.

        takes_lines: Whether several lines may be looked at as one text: rules of one's
            own may mean a text's beginning or end.

    Raises:
        ConfigError: One of them can't work.
    """

    def __init__(
        self,
        *,
        keys: Iterable[str] = (),
        paths: Iterable[str] = (),
        allow_keys: Iterable[str] = (),
        rules: Iterable[Rule | Mapping[str, Any]] = (),
        without: Iterable[str] = (),
        pii: Iterable[str] = (),
        known: Iterable[str] | Mapping[str, str] = (),
        known_min_length: int = MIN_LENGTH,
        hash_key: str | bytes | None = None,
    ) -> None:
        super().__init__()
        names, self._paths = key_options(keys, paths)
        self._keys = frozenset(map(_flat, names))
        self._allowed = frozenset(map(_flat, allow_keys))
        self._hash_key = hash_key.encode() if isinstance(hash_key, str) else hash_key
        self._counts: dict[str, int] = {}
        self._clean_shapes: set[bytes] = set()  # short texts, with zeros for all digits
        self._lock = ForkSafeLock()
        self._sensitive: dict[str, bool] = {}
        self._hides_personal = bool(tuple(pii))
        self._rules = chosen_rules(rules, without, pii)
        self.takes_lines = not rules
        self._least = known_min_length
        self._known = known_values(known, known_min_length)
        self._has_own = self._rules != RULES
        self.hides_blocks = "private-key" not in tuple(without)
        self.learn()
        _redactors.add(self)
        if self._paths:
            self.data = self._data_with_paths  # type: ignore[method-assign]

    def text(self, text: str) -> str:
        """
        Return *text* with every secret in it replaced by ``[REDACTED:rule]``.

        >>> Redactor().text("password=hunter2 for bob")
        'password=[REDACTED:password] for bob'
        """
        try:
            if len(text) > _SHAPE_CHARS:
                hits = self._hits(text)
                return self._texts.hide(text, hits) if hits else text
            shape = text.encode("utf-8", "surrogatepass").translate(_AS_ZEROS)
            memory = self._clean_shapes  # before the look: a new secret brings a new memory
            if shape in memory:
                return text
            hits = self._hits(text)
            if not hits and len(memory) < self._most_shapes and not _NUMBER_IN_A_WORD.search(text):
                memory.add(shape)
            return self._texts.hide(text, hits) if hits else text
        except Exception:  # noqa: BLE001 -- not looked at means not written
            self.count("withheld")
            return WITHHELD

    def is_sensitive(self, name: str) -> bool:
        """
        Tell whether the value of a field called *name* is hidden.
        """
        known = self._sensitive.get(name)
        if known is None:
            own = _MARK.sub("", name) if "[REDACTED:" in name else name
            flat = _flat(own)
            known = flat not in self._allowed and (
                flat in self._keys or is_sensitive(own) or (self._hides_personal and is_personal(own))
            )
            if len(self._sensitive) >= REMEMBERED:
                self._sensitive.clear()
            if len(name) <= REMEMBERED_CHARS:
                self._sensitive[name] = known
        return known

    def counts(self) -> dict[str, int]:
        """
        Return how many secrets were hidden, by rule; ``key`` for those hidden
        for the name of their field, ``withheld`` for texts not looked at.
        """
        with self._lock:
            return dict(self._counts)

    def add_known(self, known: Iterable[str] | Mapping[str, str]) -> None:
        """
        Hide these, too, from now on.

        Args:
            known: As for the constructor.

        Raises:
            ConfigError: One of them can't be hidden.
        """
        self._known = {**self._known, **known_values(known, self._least)}
        self.learn()

    def learn(self) -> None:
        """
        Hide what :func:`hide_value` has registered, too, from now on.
        """
        known = {**_for_all, **self._known}
        pairs = [(form, name) for value, name in known.items() for form in forms(value)]
        self._texts = TextRedactor(self._rules, pairs, count=self.count, mark=self._mark, blocks=self.hides_blocks)
        self._hits = self._texts.hits
        # Only tierlog's own rules are known not to depend on which number stands alone.
        self._most_shapes = 0 if self._has_own or known else REMEMBERED
        # New memories: what was looked at before the change may still be on its way into the old ones.
        self._clean_keys, self._clean_texts, self._clean_shapes = set(), set(), set()
        is_all = type(self) is Redactor and not self._paths
        self.clean = (self._clean_keys, self._clean_texts, self._clean_shapes) if is_all else None

    def _mark(self, rule: str, secret: str) -> str:
        if self._hash_key is None:
            return f"[REDACTED:{rule}]"
        digest = hmac.digest(self._hash_key, secret.encode("utf-8", "surrogatepass"), "sha256")
        return f"[REDACTED:{rule}#{digest.hex()[:_HASH_CHARS]}]"

    def _look_at(self, places: list[tuple[Any, Any]]) -> None:
        memory = self._clean_texts  # before the look: a new secret brings a new memory
        texts = [holder[at] for holder, at in places]
        # All at once: most data is clean, and what is in one of them is in all of them together.
        if self.is_clean("\n".join(texts)):
            for text in texts:
                if len(text) <= REMEMBERED_CHARS:
                    self._remember(memory, text)
            return
        for holder, at in places:
            text = holder[at]
            holder[at] = clean = self.text(text)
            if clean is text and len(text) <= REMEMBERED_CHARS:
                self._remember(memory, text)

    def is_clean(self, text: str) -> bool:
        """
        Tell, by one quick look, that no line of *text* holds a secret; if not, one may.
        """
        try:
            return not self._hits(text)
        except Exception:  # noqa: BLE001 -- then each is looked at alone, and withheld
            return False

    def _hidden(self, value: Any) -> str:
        self.count("key")
        if self._hash_key is None or type(value) not in (str, int, float):
            return KEY_MARK
        return self._mark("key", str(value))

    def _data_with_paths(self, value: Any) -> Any:
        copy = super().data(value)
        return self._without_paths(copy, self._paths, self._paths.start) if self._paths else copy

    def _without_paths(self, value: Any, paths: Paths, state: State) -> Any:
        """
        Hide in *value*, which is a copy, what stands at one of the paths.
        """
        if not state or type(value) not in (dict, list):
            return value
        for name, inner in list(value.items() if type(value) is dict else enumerate(value)):
            further, is_hidden = paths.step(state, name)
            if is_hidden and inner not in (None, "", True, False):
                value[name] = self._hidden(inner)
            else:
                value[name] = self._without_paths(inner, paths, further)
        return value

    def count(self, rule: str) -> None:
        """
        Count one secret that was hidden.
        """
        with self._lock:
            self._counts[rule] = self._counts.get(rule, 0) + 1


def hide_value(value: str, name: str = "known-value", *, min_length: int = MIN_LENGTH) -> None:
    """
    Hide *value* wherever it appears, in all redactors of the process, from now on.

    Also its JSON-escaped, URL-encoded and base64 forms.

    Args:
        value: The secret.

        name: What the mark says.

        min_length: A shorter one is refused: it would hide ordinary words.

    Raises:
        ConfigError: It can't be hidden.
    """
    _for_all.update(known_values({name: value}, min_length))
    for redactor in list(_redactors):
        redactor.learn()


def _flat(name: str) -> str:
    return "".join(char for char in name.lower() if char.isalnum())
