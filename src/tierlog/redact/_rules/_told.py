"""
Secrets that programs tell: in sentences, in errors of validation, in keys and connections written out.
"""

from __future__ import annotations

import re

from tierlog.redact._rule import Rule, entropy
from tierlog.redact._rules._accepts import is_flag_value, is_random_text, is_told, looks_random, not_filler
from tierlog.redact._rules._form import free
from tierlog.redact._rules._grammar import QUOTED


__all__ = ["TOLD"]

_KEYS = "api access secret private signing encryption license account auth service client deploy server master session admin"
_OWNERS = "client app api webhook signing shared consumer hmac jwt oauth totp"
_NO_TOKEN = "".join(f"(?<!{word} token)" for word in ("unexpected", "special", "page", "next", "sync", "reserved", "parse"))
_RUN = re.compile(r"[A-Za-z0-9]{16,}")
_ID = re.compile(r"0x|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z", re.IGNORECASE)
_LEAST_ENTROPY = 3.0  # bits per character
_LEAST_DIGITS = 2
_LINE = r"(?:\r?\n|\\{1,3}n)"
_OF_JWK = r"(?:d|p|q|dp|dq|qi|k)"
_FOREIGN = "contraseña contraseñas senha пароль 密码 密碼 パスワード 비밀번호 wachtwoord salasana hasło lösenord"
# One for all: what none of them looks for costs a text nothing.
_TRIGGER = (
    "(?:token|key|secret) (?:is |was |created: |generated: |issued: |[\"'`(])"
    r"|loc[\"'\\]|, input_value=|\)=\(|kty[\"'\\]|#define|pwd=\{|password=\{|jdbc:oracle:|password [a-z:]+="
    r"|\$(?:1|5|6|2a|2b|2x|2y|y|apr1|argon2id|argon2i|argon2d)\$|pbkdf2_sha"
    "|contraseña|CONTRASEÑA|senha|пароль|Пароль|ПАРОЛЬ|密码|密碼|パスワード|비밀번호|wachtwoord|salasana|hasło|HASŁO|lösenord|LÖSENORD"
)


def _is_drawn(value: str) -> bool:
    """
    Tell that *value* in a sentence was drawn at random, and is no name, UUID or address.
    """
    run = _RUN.search(value)
    if run is None or _ID.match(value) or not is_random_text(value):
        return False
    digits = sum(char.isdigit() for char in run[0])
    return _LEAST_DIGITS <= digits < len(run[0]) and entropy(run[0]) > _LEAST_ENTROPY


_SENTENCES = Rule(
    "secret-assignment",
    ("token", "key", "secret"),
    rf"(?P<name>token{_NO_TOKEN}|(?:{_KEYS.replace(' ', '|')})[ _\-]key|(?:{_OWNERS.replace(' ', '|')})[ _\-]secret)"
    r"(?:(?: (?:is|was)(?: now)?:?| (?:created|generated|issued):) [\"'`(]?| [\"'`(])"
    r"(?P<secret>[a-z0-9_\-+/~]{20,512}+(?:\.[a-z0-9_\-+/]{1,512}+){0,4}={0,2})(?![\w@:.(\[])",
    folded=True,
    accepts=_is_drawn,
    leads=(0, -11, -9),
    heads=(*_KEYS.split(), *_OWNERS.split()),
    trigger=_TRIGGER,
    positive=(
        "Your API key is {lower:32}7a7",
        "access token is {lower:37}7a7",
        'API key "{lower:29}7a7" revoked',
        "Invalid token '{lower:37}7a7' for user bob",
        "token ({hex:37}7a7) expired",
        "New token created: {lower:37}7a7",
        "client secret is {alnum:37}7a7",
    ),
    negative=(
        "Invalid token '0a1b2c3d-0a1b-4c2d-8e3f-0a1b2c3d4e5f'",
        "contract token 0x01da95c7f005bc5a09478a4ec8fe52f940ed601e",
        "cache key is 0a1b2c3d4e5f60718293a4b5c6d7e8f9",
        "unexpected token 'a1b2c3d4e5f60718293a4b5c' in JSON",
        "the token is invalid, expired or was revoked",
        "token my-service-account-prod-eu-west-1 created",
        "API key prod_backend_service_key_2 revoked",
    ),
)

_VALIDATION: tuple[Rule, ...] = (
    Rule(
        "secret-assignment",
        ("loc",),
        r"loc\\{0,3}[\"']: ?[\[(](?:[^\[\]()\r\n]{0,128}[\"'])?(?P<name>[\w.\-]{2,64}+)\\{0,3}[\"'](?:, ?\d{0,6})?[\])]"
        r"[^li\r\n]{0,600}+(?:(?:l(?!oc\\{0,3}[\"'])|i(?!nput\\{0,3}[\"']:))[^li\r\n]{0,600}+){0,100}+"
        r"(?<=[\"'])input\\{0,3}[\"']: ?"
        rf"(?:{QUOTED.replace('?P<coded>', '?:').replace('?P<bare>', '?P<coded>')}|(?P<bare>\d{{4,40}}+))",
        folded=True,
        accepts=not_filler,
        leads=(0,),
        trigger=_TRIGGER,
        positive=(
            "[{'type': 'too_short', 'loc': ('body', 'password'), 'msg': 'At least 20 [a-z]', 'input': '{alnum:9}', 'ctx': {}}]",
            '{"detail":[{"loc":["body","users",0,"api_token"],"msg":"x","input":"{alnum:9}"}]}',
            r"{\"loc\":[\"body\",\"password\",0],\"msg\":\"x\",\"input\":\"{alnum:9}\",\"n\":1}",
            "'loc': ('password',), 'msg': 'Should be a string', 'input': 73{digits:9}, 'url': 'x'",
        ),
        negative=(
            "[{'loc': ('body', 'name'), 'msg': 'At least 20', 'input': 'a1b2c3d4'}]",
            "[{'loc': ('body', 'password'), 'msg': 'x'}, {'loc': ('body', 'name'), 'input': 'a1b2c3d4'}]",
        ),
    ),
    Rule(
        "secret-assignment",
        ("input_value=",),
        rf"[\nn](?:(?<=\n)|(?<=\\n))(?P<name>[\w.\-]{{2,96}}+){_LINE}[ ]{{1,4}}"
        rf"[^\r\n\[\\]{{1,300}}+(?:(?:\[(?!type=)|\\(?!n))[^\r\n\[\\]{{0,300}}+){{0,20}}+"
        rf"\[type=[\w.]{{2,64}}+, input_value={QUOTED}",
        folded=True,
        accepts=not_filler,
        trigger=_TRIGGER,
        positive=(
            "1 validation error for Login\npassword\n  At least 12 [a-z] [type=too_short, input_value='{alnum:9}', input_type=x]",
            r"2 errors for Login\nbody.api_token\n  Wrong [type=value_error, input_value='{alnum:9}', input_type=str]\nname",
        ),
        negative=("1 validation error for Login\nname\n  At least 12 [type=too_short, input_value='a1b2c3d4', input_type=str]",),
    ),
    Rule(
        "secret-assignment",
        ("key (",),
        r"key \((?P<name>[\w\", .]{2,128}+)\)=\((?P<secret>[^()\r\n]{1,1024}+)\)",
        folded=True,
        accepts=not_filler,
        leads=(0,),
        trigger=_TRIGGER,
        positive=("DETAIL:  Key (reset_token)=({lower:12}) already exists.", "Key (id, api_key)=({lower:12}) is not present"),
        negative=("DETAIL:  Key (email)=(bob@example.com) already exists.", "Key (token_id)=(12) is not present in table"),
    ),
)

_WRITTEN_OUT: tuple[Rule, ...] = (
    Rule(
        "jwk",
        ("kty",),
        rf"[\"']{_OF_JWK}\\{{0,3}}[\"']: ?\\{{0,3}}[\"'](?P<secret>[\w\-]{{20,4096}}+)(?=\\{{0,3}}[\"'])",
        accepts=looks_random,
        trigger=_TRIGGER,
        positive=(
            '{"kty":"RSA","n":"abc","e":"AQAB","d":"{url:342}","p":"{url:171}","qi":"{url:171}"}',
            "{'crv': 'P-256', 'd': '{url:43}', 'kty': 'EC', 'x': 'abc'}",
            r"{\"kty\":\"oct\",\"k\":\"{url:43}\",\"alg\":\"HS256\"}",
        ),
        negative=(
            '{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx","e":"AQAB"}',
            '{"kty":"EC","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","d":"public"}',
        ),
    ),
    free(
        "password-hash",
        "$1$ $5$ $6$ $2a$ $2b$ $2x$ $2y$ $y$ $apr1$ $argon2 pbkdf2_sha",
        r"\$(?:[1]|apr1)\$[./A-Za-z0-9]{1,16}\$[./A-Za-z0-9]{22}|\$5\$(?:rounds=\d{1,9}\$)?[./A-Za-z0-9]{1,16}\$[./A-Za-z0-9]{43}"
        r"|\$6\$(?:rounds=\d{1,9}\$)?[./A-Za-z0-9]{1,16}\$[./A-Za-z0-9]{86}|\$2[abxy]\$\d\d\$[./A-Za-z0-9]{53}"
        r"|\$y\$[./A-Za-z0-9]{1,16}\$[./A-Za-z0-9]{8,64}\$[./A-Za-z0-9]{43}|pbkdf2_sha\d{1,3}\$\d{1,9}\$[^\s$\"']{1,64}\$[\w+/]{20,128}={0,2}"
        r"|\$argon2(?:id|i|d)\$v=\d{1,3}\$[a-z=,0-9]{4,64}\$[\w+/]{8,128}\$[\w+/]{16,256}",
        "root:$6${alnum:8}${alnum:86}:19000:0:99999:7:::",
        "bob:$2y$05${alnum:53}",
        "hash=$argon2id$v=19$m=65536,t=3,p=4${alnum:22}${alnum:43}",
        "bob:$apr1${alnum:8}${alnum:22}",
        "root:$y$j9T${alnum:22}${alnum:43}:19000",
        "pbkdf2_sha256$600000${alnum:22}${alnum:43}=",
        lead=0,
        trigger=_TRIGGER,
        negative=("cost is $1$ or $2$", "echo $6$7$8", "the prefix $2b$12$ tells bcrypt"),
    ),
    Rule(
        "secret-assignment",
        ("#define",),
        r"#define[ \t]{1,8}+(?P<name>\w{3,64}+)[ \t]{1,40}+\\{0,3}\"(?P<secret>[^\"\s\\]{4,512}+)\\{0,3}\"",
        accepts=is_flag_value,
        leads=(0,),
        trigger=_TRIGGER,
        positive=('#define WIFI_PASSWORD "{alnum:12}"', r'{"x":"#define WIFI_PASSWORD \"{alnum:12}\"\n"}'),
        negative=('#define WIFI_SSID "home1234"', '#define TOKEN_SEPARATORS " \\t,"', "#define SECRET_SIZE 32"),
    ),
    Rule(
        "password",
        ("pwd={", "password={"),
        r"(?:pwd|password)=\{(?P<secret>[^{}\s\"']{6,256}+)\}(?=[;\"']|\Z)",
        folded=True,
        accepts=is_told,
        leads=(0, 0),
        trigger=_TRIGGER,
        positive=("Server=db;Uid=sa;Pwd={{alnum:9}4k};Encrypt=yes",),
        negative=("Server=db;Uid=sa;Pwd={password};", "password={0};", "f'password={db.pw2}'"),
    ),
    Rule(
        "url-credentials",
        ("jdbc:oracle:",),
        r"jdbc:oracle:\w{2,8}:[^\s/:@\"']{1,64}+/(?P<secret>[^\s@\"']{1,128}+)@",
        folded=True,
        accepts=not_filler,
        leads=(0,),
        trigger=_TRIGGER,
        positive=("jdbc:oracle:thin:app/{alnum:10}@//db:1521/x",),
        negative=("jdbc:oracle:thin:@//db:1521/x",),
    ),
    Rule(
        "password",
        ("password ",),
        r"password(?: [a-z:]{2,40}+=\\{0,3}\"[^\"<>\\\r\n]{0,200}+\\{0,3}\"){1,4}+>\s{0,40}+"
        r"(?P<secret>[^<>\s][^<>\r\n]{0,255}+)</",
        folded=True,
        accepts=not_filler,
        leads=(0,),
        trigger=_TRIGGER,
        positive=(
            '<wsse:Password Type="#PasswordText">{alnum:12}</wsse:Password>',
            r"<Password Type=\"b\">{alnum:12}</Password>",
        ),
        negative=('<password type="x"></password>', '<password type="x">${PW}</password>'),
    ),
    Rule(
        "password",
        tuple(_FOREIGN.split()),
        rf"(?:{_FOREIGN.replace(' ', '|')})(?<![a-z]senha)\w{{0,20}}+"
        rf"[\"'`]?[ \t]{{0,4}}+[=:\uff1a][ \t]{{0,4}}+[\"'`]?(?P<secret>[!-~]{{5,256}}?)"
        r"(?=[\s\"'`,;&)}\x1b]|\Z)",
        folded=True,
        accepts=is_told,
        leads=(0,) * len(_FOREIGN.split()),
        trigger=_TRIGGER,
        positive=("contraseña: {alnum:9}4k", "SENHA={alnum:9}4k", "Пароль: {alnum:9}4k", "密码\uff1a{alnum:9}4k"),
        negative=("contraseña: incorrecta", "Пароль: неверный", "senha: obrigatória"),
    ),
)

TOLD: tuple[Rule, ...] = (_SENTENCES, *_VALIDATION, *_WRITTEN_OUT)
