"""
Which names of fields say that their value is a secret.

A name is split into lower-case words at signs, digits and changes of case, and
words written as one are taken apart, so that ``apiKey``, ``API_KEY``, ``x-api-key``
and ``apikey`` are one name. Lists of words then decide: some always tell a secret,
some only beside others or at the end, and what counts, dates or describes secrets
is none. A bare ``key``, ``code``, ``signature``, ``salt`` or ``id`` says too little
and stays, and so do cursors such as ``next_page_token`` and the postcode ``pincode``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import pairwise


__all__ = ["KEYS", "is_count", "is_harmless", "is_personal", "is_sensitive", "plain"]

_WORD = re.compile(r"(?<!\d)(?:2fa|2FA)(?!\d)|OAuth|[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\da-zA-Z_]+")
_CHUNK = re.compile(r"[^\W\d_]+")
_MAX_CHARS = 1_024
_MAX_GLUED = 48


def plain(text: str) -> str:
    """
    Return *text* without accents, wide forms and characters that aren't seen.
    """
    if text.isascii():
        return text
    chars = unicodedata.normalize("NFKD", text)
    return "".join(char for char in chars if unicodedata.category(char) not in {"Mn", "Cf"})


def _words(text: str) -> frozenset[str]:
    return frozenset(plain(text).split())


def _phrases(text: str) -> tuple[str, ...]:
    return tuple(f" {' '.join(phrase.split())} " for phrase in text.split("/"))


_TELLING = _words(
    "password passwords passwd passwds passw passwort kennwort passphrase passphrases passcode passcodes pwd pwds pswd "
    "psswd contrasena senha motdepasse haslo wachtwoord losenord salasana parola "
    "пароль 密码 密碼 パスワード 비밀번호 secret secrets "
    "credential credentials creds cred authorization cookie cookies token jwt jwts csrf xsrf dsn psk htpasswd bearer sessid "
    "phpsessid jsessionid aspsessionid cfid cftoken hmac privkey privatekey secretkey connectionstring connectionstrings "
    "connstr dockerconfigjson dockercfg netrc npmrc pypirc kubeconfig pgpass mnemonic cvv cvvs cvc sapisid hsid"
)
"""Each of them makes the whole name one."""

_TELLING_AT_THE_END = _words("auth session sessions sess otp otps totp hotp tokens pw pws sas 2fa")
_TELLING_ALONE = _words("pass sid sig pin")
_GLUED_END = (
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "secret",
    "token",
    "apikey",
    "credential",
    "credentials",
    "passwords",
)
_GLUED_START = tuple(_words("password passwd passphrase apikey"))

_SERVICES = (
    "openai anthropic claude gemini mistral cohere groq replicate pinecone huggingface hf stripe paypal braintree razorpay "
    "square plaid sendgrid mailgun mailchimp mailjet postmark resend twilio nexmo vonage slack discord telegram datadog dd "
    "sentry rollbar bugsnag newrelic honeycomb logfire algolia elastic es firebase supabase heroku netlify vercel "
    "cloudflare cf fastly akamai digitalocean linode hetzner aws azure gcp google github gh gitlab gl bitbucket jira "
    "atlassian npm pypi maps mapbox here rapid rapidapi okta auth0 onelogin pagerduty opsgenie launchdarkly segment "
    "amplitude mixpanel intercom zendesk shopify hubspot salesforce notion airtable asana linear figma dropbox box "
    "backblaze wasabi minio softlayer ibm hashicorp"
)
_QUALIFIED = {
    "key": _words(
        "api apis access private secret signing sign signature encryption encrypt decryption decrypt encrypted crypt crypto "
        "cipher master ssh account session license licence client service services auth authentication authorization shared "
        "preshared symmetric aes des rsa dsa ecdsa hmac fernet wrapping unwrapping deploy deployment root admin app "
        "application consumer subscription functions function webhook write ingest ingestion integration anon role vault "
        "unseal recovery product activation registration enrollment enrolment provisioning wireguard wg wpa wifi wep tls "
        "ssl sa sas machine device "
        "management agent bot iam cloud sl " + _SERVICES
    ),
    "pass": _words(
        "db database user usr username root admin administrator superuser login smtp ftp sftp mail email imap pop http "
        "https proxy ldap bind key keystore truststore vpn wifi wpa ssl tls cert mysql mariadb pg postgres postgresql sql "
        "mssql oracle mongo mongodb redis rabbit rabbitmq amqp mqtt kafka jenkins docker registry nexus artifactory svn git "
        "ssh sudo su become ansible vault rpc app my account auth basic new old current confirm default temp guest service "
        "svc sl sys system sa "
        "server client backup restic borg gpg pgp zip pdf wp joomla " + _SERVICES
    ),
    "pin": _words("card user login sim device security atm account new old current confirm my unlock secret auth otp door admin"),
    "pat": _words("github gh gitlab gl azure azdo ado devops bitbucket ci my bot repo"),
    "code": _words(
        "otp totp hotp mfa tfa 2fa sms verification verify security recovery backup scratch auth authorization "
        "authentication authenticator oauth device login signin access unlock activation reset passwordless card pass "
        "secret"
    ),
    "oauth": _words(_SERVICES),
    "phrase": _words("pass seed recovery mnemonic secret wallet backup"),
    "word": _words("pass"),
    "string": _words("connection conn connect auth"),
    "str": _words("connection conn"),
    "seed": _words("totp otp wallet hd private secret bip recovery mfa 2fa"),
    "salt": _words(
        "hash hashids auth nonce secure secret crypto crypt encryption app cookie session key in password devise pbkdf pw"
    ),
    "sid": _words("connect session sess login auth cookie express api php"),
    "sig": _words("sas url signed auth"),
    "signature": _words("amz aws goog google hub slack stripe twilio access webhook request hmac signed url auth jwt session"),
    "answer": _words("security secret recovery challenge"),
    "verifier": _words("code pkce oauth"),
    "assertion": _words("client saml jwt webauthn iap oauth bearer"),
    "response": _words("saml captcha recaptcha hcaptcha turnstile"),
    "header": _words("auth"),
    "headers": _words("auth"),
    "data": _words("auth"),
    "value": _words("auth session"),
    "digest": _words("auth"),
    "hash": _words("auth pw pass pin session"),
    "crumb": _words("jenkins request"),
    "webhook": _words("slack discord teams mattermost chat gchat"),
    "rsa": _words("id"),
    "dsa": _words("id"),
    "ecdsa": _words("id"),
    "pem": _words("private key"),
}
"""Words that tell a secret behind one of these."""

KEYS = _QUALIFIED["key"]
"""What makes a ``key`` behind it a secret."""

_ALWAYS = _phrases(
    "session id / session ids / session uuid / access key id / access key ids / secret id / secret key id / sas url / sas "
    "uri / signed url / signed urls / presigned url / presigned urls / slack webhook url / discord webhook url / teams "
    "webhook url / mattermost webhook url / id token hint / reset link / reset url / magic link / login link / docker auth "
    "config / secret key base / shared access signature / wordpress logged in / encryption customer key / card verification "
    "value / card verification number / azure storage key / otpauth url / otpauth uri / mot de passe / id ed / one time "
    "code / one time codes / two factor code / second factor code / multi factor code"
)
"""Secrets, though they end like something harmless or their words alone say nothing."""

_NEVER = _phrases(
    "secret santa / secret shopper / secret menu / cookie consent / cookie secure / cookies consent / cookie banner / "
    "cookie notice / cookie cutter / cookie preferences / token bucket / token buckets / token ring / per token / per "
    "tokens / pull secret / pull secrets / desktop session / xdg session / xdg session id / term session id / wt session "
    "/ kde session / security session id / oauth scope / forgot password / password manager / pass through / pass rate / "
    "csrf trusted origins / csrf cookie domain / image pull secrets / public key token / access token lifetime / to store "
    "secrets / to store passwords / to store tokens / to store keys / for secrets / for passwords / for tokens / for keys"
) + tuple(
    f" {word} token "
    for word in _words(
        "next page continuation pagination skip resume sync cursor start starting first last begin end eos bos pad unk mask "
        "sep cls stop special unexpected sub word prev previous idempotency lexer parser"
    )
)
"""What only sounds like a secret, and is taken out before anything else is looked at."""

_NEGATED = _phrases("not secret / not a / non secret / non sensitive / non matching / fake / dummy / bogus")
"""What a name begins with that says of itself that it is none."""

_HARMLESS_END = _words(
    "count counts counter used usage usages limit limits length len size sizes total totals max min avg sum quota budget "
    "cost price rate rates ratio per num type types kind kinds class name names namespace title description label labels "
    "prefix suffix policy policies rule rules age ttl expiry expires expire expired expiration lifetime duration timeout "
    "time date day days hours minutes seconds secs ms timestamp ts at on by since until ago last enabled disabled required "
    "requires needed optional supported allowed rejected accepted denied granted valid invalid validity validation "
    "validations validator validators verified confirmed detected missing present provided failed failure failures error "
    "errors exception attempts attempt retries changed rotated rotation updated created issued revoked deleted removed sent "
    "received refreshed reused compromised leaked status state url urls uri uris endpoint endpoints path paths file files "
    "filename dir directory folder location host hostname port domain domains server origin origins method methods mode "
    "model algorithm algorithms alg hasher hashers index position offset version versions release strength complexity "
    "entropy source sources provider providers backend backends manager store engine issuer audience aud scope scopes "
    "permission permissions role roles format formats pattern patterns regex symbol address contract decimals balance "
    "supply amount owner username email user users ref refs reference arn id ids uuid guid fingerprint thumbprint less "
    "field fields form page screen template view placeholder help icon event events action handler middleware consent "
    "samesite httponly persistence support supports brand country holder variable variables"
)
"""What tells something about secrets. Behind a name, it makes it harmless."""

_COUNTED = _words(
    "max min total prompt completion input output num number n cached cache reasoning thinking context generated remaining "
    "new average avg mean sum count word sub special stop image audio text vocab budget used per estimated limit reserved "
    "accepted rejected prediction billed consumed free spent minted burned"
)
_PERSONAL = _phrases(
    "ssn / social security / social security number / credit card / credit cards / debit card / card number / card no / "
    "card num / cc number / cc num / ccnum / iban / passport number / passport no / passport num / tax id / tax number / "
    "national id / national insurance number / drivers license / driver license / driving licence / bank account / bank "
    "account number"
)
_MORE = _words(
    "set db my user app git ci env web host root admin x config aws gcp the our bundle customer middleware middle dev prod"
)
_KNOWN = frozenset(
    word
    for words in (
        *(_TELLING, _TELLING_AT_THE_END, _TELLING_ALONE, _HARMLESS_END, _COUNTED, _MORE, _QUALIFIED, *_QUALIFIED.values()),
        *(phrase.split() for phrase in (*_ALWAYS, *_NEVER, *_PERSONAL)),
        *([f"{word}s"] for word in ("key", "code", "phrase", "string", "signature", "webhook")),
    )
    for word in words
    if len(word) > 1
) - _words("ed es do hd sl ts as")
"""What words written as one may be made of; not what ends many English words."""
_LONGEST = max(map(len, _KNOWN))


def is_sensitive(name: str) -> bool:
    """
    Tell whether a field called *name* holds a secret.

    Of a name beyond 1024 characters, the beginning and the end are looked at.

    >>> is_sensitive("dbPassword"), is_sensitive("X-Api-Key"), is_sensitive("tokens_used")
    (True, True, False)
    """
    return any(map(_tells_secret, _readings(name)))


def is_harmless(name: str) -> bool:
    """
    Tell that *name* would tell of a secret, but for words that make it harmless.

    >>> is_harmless("next_page_token"), is_harmless("app_token"), is_harmless("page")
    (True, False, False)
    """
    readings = list(_readings(name))
    return any(any(phrase in _spaced(words) for phrase in _NEVER) or _is_negated(words) for words in readings) and not any(
        map(_tells_secret, readings)
    )


def is_personal(name: str) -> bool:
    """
    Tell whether a field called *name* holds the number of a person's card, bank
    account or papers, which is no secret by itself.

    >>> is_personal("creditCard"), is_personal("card_count")
    (True, False)
    """
    return any(
        words[-1] not in (_HARMLESS_END - {"id"}) and any(phrase in _spaced(words) for phrase in _PERSONAL)
        for words in _readings(name)
    )


def is_count(name: str) -> bool:
    """
    Tell whether a number called *name* counts secrets rather than being one.

    The plural does, and so does a bare ``pass``, of tests.

    >>> is_count("tokens"), is_count("token")
    (True, False)
    """
    words = next(_readings(name), ["-"])
    return words == ["pass"] or (words[-1].endswith("s") and words[-1] not in {"pass", "sas", "sess"})


def _readings(name: str) -> Iterator[list[str]]:
    """
    Yield the words of *name*, by case and then by signs alone.
    """
    name = _ends(plain(_ends(name)))
    by_case = _apart(_WORD.findall(name))
    if by_case:
        yield by_case
    if not (name.islower() or name.isupper()):
        chunks = _CHUNK.findall(name)
        by_signs = _apart(word for chunk in chunks for word in ([chunk] if _is_known(chunk) else _WORD.findall(chunk)))
        if by_signs and by_signs != by_case:
            yield by_signs


def _ends(name: str) -> str:
    half = _MAX_CHARS // 2
    return name if len(name) <= _MAX_CHARS else f"{name[:half]}_{name[-half:]}"


def _apart(words: Iterable[str]) -> list[str]:
    found = [part for word in words for part in _unglued(word.lower())]
    while len(found) > 1 and len(found[-1]) == 1 and found[-1].isascii():
        found.pop()  # the unit behind a number, as in tokens_24h
    return found


def _is_known(chunk: str) -> bool:
    return all(word in _KNOWN for word in _unglued(chunk.lower()))


def _unglued(word: str) -> list[str]:
    """
    Return the fewest known words that *word* is made of, or else itself.
    """
    if word in _KNOWN or not 5 <= len(word) <= _MAX_GLUED:  # noqa: PLR2004 -- of two words
        return [word]
    best: list[list[str] | None] = [[]]
    for end in range(1, len(word) + 1):
        ways = [
            [*before, word[start:end]]
            for start in range(max(end - _LONGEST, 0), end - 1)
            if (before := best[start]) is not None and word[start:end] in _KNOWN
        ]
        # Of two ways, the one with the longer words in front: ``secretsid`` is no ``sid``.
        best.append(min(reversed(ways), key=len, default=None))
    return best[-1] or [word]


def _tells_secret(words: list[str]) -> bool:
    spaced = _spaced(words)
    for phrase in _NEVER:
        spaced = spaced.replace(phrase, " ")
    for phrase in _ALWAYS:
        spaced = spaced.replace(phrase, " secret ")
    words = spaced.split()
    if not words or _is_negated(words) or words[-1] in _HARMLESS_END or spaced.endswith((" expires in ", " valid for ")):
        return False
    if words[-1] == "tokens" and not _COUNTED.isdisjoint(words):
        return False
    return (
        not _TELLING.isdisjoint(words)
        or words[-1] in _TELLING_AT_THE_END
        or (len(words) == 1 and words[0] in _TELLING_ALONE)
        or any(_is_qualified(*pair) for pair in pairwise(words))
        or any(_ends_in_secret(word) for word in words)
    )


def _is_negated(words: list[str]) -> bool:
    return _spaced(words[:2]).startswith(_NEGATED)


def _is_qualified(before: str, word: str) -> bool:
    qualifiers = _QUALIFIED.get(word) or _QUALIFIED.get(word.removesuffix("s"))
    return qualifiers is not None and before in qualifiers


def _ends_in_secret(word: str) -> bool:
    """
    Tell that *word* is made of one that tells and one that isn't known.
    """
    if word in _KNOWN or word.startswith("passwordless"):
        return False
    return word.endswith(_GLUED_END) or word.startswith(_GLUED_START)


def _spaced(words: Iterable[str]) -> str:
    return f" {' '.join(words)} "
