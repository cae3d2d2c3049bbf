"""
Secrets that are told by the name of the field before them.

The patterns are lower case and meet texts in lower case.
"""

from __future__ import annotations

from tierlog.redact._rule import Rule
from tierlog.redact._rules._accepts import is_pair, is_random_code, is_random_text, not_code, not_filler
from tierlog.redact._rules._grammar import ASSIGN_TRIGGER, BARE, OPERATOR, QUOTED, TAIL, UNQUOTE, XML, or_value


__all__ = ["GENERAL"]

_OWNERS = (
    "admin amqp app auth bind client clou(?:dant)? cl db database email ftp git http keystore ldap login mail mongo my mysql pg "
    "postgres proxy rabbit redis root server service sl smtp softlayer sql ssh sudo user vnc vpn"
)
_PASSES = ("1st", "2nd", "3rd", "4th", "first", "second", "third", "next", "last", "final")  # over something
_PASSWORDS = (
    r"passw(?:or)?[dt]|passphrase|passcode|pwd|psswd|contrase|kennwort|secret(?<!:\d{12}:secret)(?<!:\*:secret)|htpasswd"
    r"|(?:"
    + _OWNERS.replace(" ", "|")
    + r")[_.\- ]?(?:pass|pw)(?![a-z])|pass(?<![a-z0-9]pass)(?![a-z])"
    + "".join(f"(?<!{one} pass)" for one in _PASSES)
    + r"|pw(?<![a-z0-9]pw)(?![a-z0-9])|psk(?<![a-z]psk)(?![a-z])"
)
_OF_KEY = (
    "access account admin api app application aes auth client consumer customer deploy encryption function functions hmac "
    "ingest ingestion install instrumentation integration jwt license licence machine master private project routing sas "
    "security server service session shared sign signing storage subscription vault webhook write ssh iam ibm cloud"
)
_TOKENS = (
    r"token(?<!page_token)(?<!pagetoken)(?<!publictoken)(?<!public_token)(?<!nexttoken)|(?:"
    + _OF_KEY.replace(" ", "|")
    + r")[_.\- ]?keys?|auth(?<![a-z]auth)(?![a-z])|credentials?|creds?(?<![a-z]creds)(?<![a-z]cred)(?![a-z])|session[_-]?id"
    r"|sessid|\bsid|sid(?<=[_.]sid)|dsn|jwt|[cx]srf|hmac"
)
_PASSWORD_LITERALS = ("passw", "passp", "passc", "pwd", "psswd", "contrase", "kennwort", "secret", "pass", "pw", "psk")
_TOKEN_LITERALS = ("token", "key", "auth", "cred", "session", "sessid", "sid", "dsn", "jwt", "csrf", "xsrf", "hmac")
# How far before its literal a name begins: "keystore_pass", "instrumentation_key".
_PASSWORD_LEADS = tuple(9 if one in {"pass", "pw"} else 2 if one == "passw" else 0 for one in _PASSWORD_LITERALS)
_TOKEN_LEADS = tuple(-16 if one == "key" else 0 for one in _TOKEN_LITERALS)
_PASSWORD_HEADS = ("ht", "clou", "cloudant", *(one for one in _OWNERS.split() if one.isalpha()))
_TOKEN_HEADS = tuple(_OF_KEY.split())
_PASSWORD_TRIGGER = r"(?:pass|pwd|psswd|contrase|kennwort|secret|_pw|-pw|\bpw|bindpw|psk)" + ASSIGN_TRIGGER
_TOKEN_TRIGGER = r"(?:token|key|auth|cred|session|sessid|sid|dsn|jwt|[cx]srf|hmac)" + ASSIGN_TRIGGER
# Behind a gap, what looks like a next assignment isn't the value of this one.
_NO_NEXT = (
    "(?!" + "|".join(rf"(?<=\w=[ \t])[a-z_]\w{{{size}}}=[^=\s]|(?<=[ \t])[a-z_]\w{{{size}}}:\s" for size in range(1, 12)) + ")"
)
# The quote that ends what the name is in isn't one that begins a value: wait for "password:" here.
_NO_END = r"(?![\"'`](?:[ \t][^\"'`\r\n]{0,200}+(?:[\r\n]|\Z)|[)\]},;.]{1,3}+(?:\s|\Z)))"
_BLOCK = r"(?:[|>][+\-]?+\d?+[ \t]{0,4}+(?:\r?\n|\\n)[ \t]{1,40}+)?+"  # of YAML: the value stands on the next line


def _quoted(names: str) -> str:
    return rf"(?P<name>(?>{names}){TAIL}){UNQUOTE}{or_value(OPERATOR)}{_NO_END}[(\[]?+{QUOTED}"


def _bare(names: str) -> str:
    return (
        rf"(?P<name>(?>{names}){TAIL})(?:{UNQUOTE}{or_value(OPERATOR)}{_NO_NEXT}"
        rf"(?:!!?+\w{{1,20}}+ )?+{_BLOCK}(?P<bare>(?![(){{}}\[\]]|[bfru][\"']){BARE}[(\[]?+)|{XML})"
    )


def _beside(names: str) -> str:
    return rf"(?P<name>(?>{names}){TAIL})\\?[\"'`],[ \t]{{0,3}}\\?[\"'`](?P<secret>[^\"'`\\\r\n]{{6,1024}}+)\\?[\"'`]"


def _compared(names: str) -> str:
    return rf"[\"'`](?P<secret>[^\"'`\r\n]{{1,60}}+)[\"'`] ?[!=]==? ?(?P<name>\w{{0,20}}?(?:{names})\w{{0,30}})"


def _changed(names: str) -> str:
    before = r"(?:\"[^\"\r\n]{0,1024}+\"|null|\(known after apply\))"
    name = rf"(?P<name>(?>{names}){TAIL}){UNQUOTE}"
    return rf"{name}{OPERATOR}{before}[ \t]{{1,4}}+[\-=]>[ \t]{{1,4}}+\"(?P<secret>[^\"\r\n]{{1,1024}}+)\""


_LONG = "{alnum:32}"
_CHANGE = r"[\w.\-\"]*[ \t]*[:=][^\r\n]*[\-=]> +\""

GENERAL: tuple[Rule, ...] = (
    Rule(
        "password",
        _PASSWORD_LITERALS,
        _quoted(_PASSWORDS),
        folded=True,
        accepts=not_filler,
        leads=_PASSWORD_LEADS,
        heads=_PASSWORD_HEADS,
        trigger=_PASSWORD_TRIGGER,
        positive=(
            'password="{alnum:12}"',
            'PASSWORD = "correct {letters:9} battery"',
            "{'password': '{alnum:10}', 'user': 'bob'}",
            "Login(user='bob', password='{alnum:9}')",
            '{"password":"{alnum:12}","id":1}',
            r"{\"password\":\"{alnum:12}\",\"id\":1}",
            r"{\\\"password\\\":\\\"{alnum:12}\\\"}",
            ':password=>"{alnum:8}"',
            "db_password := `{alnum:12}`",
            'password = "{alnum:8}\\"{alnum:8}" # note',
            'if (password == "{alnum:12}") {',
            '"env":[{"name":"DB_PASSWORD","value":"{alnum:10}"}]',
            "{'password': b'{alnum:10}'}",
            "- name: DB_PASSWORD\n  value: '{alnum:12}'\n",
            '<add key="DbPassword" value="{alnum:12}"/>',
            'config["password"] = "{alnum:12}"',
            'char password[25] = "{alnum:12}";',
            'var password string = "{alnum:12}"',
            'password="{alnum:12}',
            "<QueryDict: {'password': ['{alnum:12}'], 'user': ['bob']}>",
            "{&quot;password&quot;:&quot;{alnum:6} {alnum:6}&quot;,&quot;id&quot;:1}",
            "GET /?x=%7B%22password%22%3A+%22{alnum:12}%22%2C+%22id%22%3A1%7D HTTP/1.1",
            r"{\u0022password\u0022:\u0022{alnum:12}\u0022,\u0022id\u0022:1}",
        ),
        negative=(
            'password=""',
            "password = os.environ['DB_PASSWORD']",
            'password: "${DB_PASSWORD}"',
            'password = "********"',
            'password: "<your password>"',
            'password = "your-password-here"',
            '"password": null, "user": "bob"',
            '"password_changed_at": "2024-01-01"',
            'serviceToken:\n  fn::secret: "ops_eyJzaWdu..[Redacted]"',
            'secret: "sk_abcdefghijklmnopqrstuvwxyz123"',
            'password="foo"',
            'waits for "password:" and what comes then',
            "getpass('Password: ')",
        ),
    ),
    Rule(
        "password",
        _PASSWORD_LITERALS,
        _bare(_PASSWORDS),
        folded=True,
        accepts=not_code,
        leads=_PASSWORD_LEADS,
        heads=_PASSWORD_HEADS,
        trigger=_PASSWORD_TRIGGER,
        positive=(
            "password={alnum:10}",
            "DB_PASSWORD={alnum:10} NEXT=1",
            "password: {alnum:10}",
            "Server=db;User Id=sa;Password={alnum:10};Encrypt=yes",
            "?user=bob&password={alnum:10}&x=1",
            "password%3D{alnum:10}%26x",
            "{User:bob Password:{alnum:10} Host:db}",
            "<password>{alnum:10}</password>",
            "<password>\n  {alnum:10}\n</password>",
            "PGPASSWORD={alnum:10} psql -h db",
            "MYSQL_PWD={alnum:10} mysqldump",
            "--set image.password={alnum:20}",
            r"line\nPASSWORD={alnum:12}\nNEXT=1",
            "connect(user=bob, password={alnum:10}, port=1)",
            "password={alnum:6},{digits:3}-{alnum:4}",
            "db_pass = {alnum:10}",
            "\x1b[32mpassword\x1b[0m=\x1b[33m{alnum:10}\x1b[0m",
            "user=bob&password={alnum:6}%26{alnum:6}%20{alnum:6}&x=1",
            "<name>db.password</name>\n  <value>{alnum:10}</value>",
            "<key>password</key><string>{alnum:10}</string>",
            "password: |\n  {alnum:10}\nuser: bob",
            "password: >-\n  {alnum:10}\n",
            "ParameterKey=DBPassword,ParameterValue={alnum:10}",
            "bind_pw = {alnum:10}",
            "wpa_psk={alnum:10}",
        ),
        negative=(
            "PWD=/home/bob/work",
            "OLDPWD=/home/bob",
            "password: ",
            "password=",
            "password = getpass()",
            "password = os.environ.get('X')",
            "password=self.password",
            "password: ${{ secrets.DB }}",
            "password: {{ .Values.password }}",
            "password=$DB_PASSWORD",
            "password: required",
            "password=None",
            "Password: User: bob",
            "PASSWORD= USER=bob",
            "pass: 3",
            "secret: ***",
            "self.password = password",
            "if password == other_password:",
            "secret: ops_eyJzaWdu...[masked]",
            "secretKey: foo",
            "vaultToStoreSecrets: dev2-abc-1204",
            "OtherPassword=0",
            "password: the-fake-one",
            "secret = Ab6xxxxxx",
            "<AppSecretsId>0a1b2c3d-0a1b-4c2d-8e3f-0a1b2c3d4e5f</AppSecretsId>",
            "password: process.env.PASSWORD",
            "1st pass: check if the value is one of them",
            "the final pass: linking",
            "arn:aws:secretsmanager:us-west-2:123456789012:secret:MyDatabase-a1b2c3",
            "arn:aws:secretsmanager:*:*:secret:MyDatabase-*",
            "pw = pw + c",
        ),
    ),
    Rule(
        "password",
        _PASSWORD_LITERALS,
        _changed(_PASSWORDS),
        folded=True,
        accepts=not_filler,
        leads=_PASSWORD_LEADS,
        heads=_PASSWORD_HEADS,
        trigger=r"(?:pass|pwd|secret)" + _CHANGE,
        positive=('  ~ password = "{alnum:8}" -> "{alnum:9}"', 'db_password: null => "{alnum:9}"'),
        negative=('password = "" -> ""',),
    ),
    Rule(
        "password",
        _PASSWORD_LITERALS,
        _compared(_PASSWORDS),
        folded=True,
        accepts=not_filler,
        trigger=r"[\"'`] ?[!=]==? ?\w*(?:pass|pwd|secret)",
        positive=('if ("{alnum:12}" == password) {', 'if ("{alnum:12}" !== db_pass) {'),
        negative=('if ("" == password) {',),
    ),
    Rule(
        "password",
        _PASSWORD_LITERALS,
        _beside(_PASSWORDS),
        folded=True,
        accepts=is_pair,
        leads=_PASSWORD_LEADS,
        heads=_PASSWORD_HEADS,
        trigger=r"(?:pass|pwd|secret)[\w.\-]*\\?[\"'`],[ \t]*\\?[\"'`]",
        positive=('System.setProperty("DB_PASSWORD", "{alnum:9}1")',),
        negative=('required = ["password", "username"]',),
    ),
    Rule(
        "secret-assignment",
        _TOKEN_LITERALS,
        _quoted(_TOKENS),
        folded=True,
        accepts=is_random_text,
        leads=_TOKEN_LEADS,
        heads=_TOKEN_HEADS,
        trigger=_TOKEN_TRIGGER,
        positive=(
            f'token = "{_LONG}"',
            f'apiKey := "{_LONG}"',
            f'api_key ::= "{_LONG}"',
            f'api_key ?= "{_LONG}"',
            f'$apiToken .= "{_LONG}"',
            f'"access_token" => "{_LONG}"',
            f"-H 'X-Api-Key: {_LONG}'",
            f'"token":"{_LONG}","n":1',
            rf"\"token\":\"{_LONG}\",\"n\":1",
            f"name: API_TOKEN\n\t\tvalue: '{_LONG}'",
        ),
        negative=(
            'token: "string"',
            'nonMatchingToken := "e5a7b3c5d1f9a2b4"',
            'sync_token = "e5a7b3c5d1f9a2b4"',
            'api_token = "PROD_API_TOKEN_2"',
            '"Sid": "AllowReadOnlySecretManagerActions"',
            '"Sid":"EC2NetworkingModify"',
            '"Sid":"AllowListActionsForAgentCoreGateway"',
            '"next_page_token": "a1b2c3d4e5f6a7b8c9"',
            '"token_type": "bearer12345"',
            'cache key: "linux-py3-1a2b3c4d5e6f"',
            'access_token_url="https://github.com/login/oauth2/token"',
        ),
    ),
    Rule(
        "secret-assignment",
        _TOKEN_LITERALS,
        _bare(_TOKENS),
        folded=True,
        accepts=is_random_code,
        leads=_TOKEN_LEADS,
        heads=_TOKEN_HEADS,
        trigger=_TOKEN_TRIGGER,
        positive=(
            f"TOKEN={_LONG}",
            f"X-Api-Key: {_LONG}",
            f"//registry.example.com/:_authToken={_LONG}",
            f"GET /x?access_token={_LONG}&page=2",
            f"GET /x%3Faccess_token%3D{_LONG}%26page",
            f"<apiToken>\n  {_LONG}\n</apiToken>",
            "AccountName=a;AccountKey={base64:86}==;EndpointSuffix=x",
            f"creds = {_LONG}",
            rf"A=1\nAPI_TOKEN={_LONG}\nB=2",
        ),
        negative=(
            "max_tokens=4096 tokens=12345678",
            "token: com.apple.xpc.activity/4505",
            "auth: 2024-01-01T00:00:00",
            "key: 0a1b2c3d4e5f60718293",
            "token=${{ secrets.TOKEN2 }}",
            "token = response.data.token2",
            "api_key = get_api_key2()",
            "DB_TOKEN=abcd123456789012345678e9f0",
            "token3=abcd-1234-1234-1234-0a1b2c3d4e5f",
        ),
    ),
    Rule(
        "secret-assignment",
        _TOKEN_LITERALS,
        _beside(_TOKENS),
        folded=True,
        accepts=is_random_text,
        leads=_TOKEN_LEADS,
        heads=_TOKEN_HEADS,
        trigger=r"(?:token|key|auth|cred)[\w.\-]*\\?[\"'`],[ \t]*\\?[\"'`]",
        positive=(f'System.setProperty("API_TOKEN", "{_LONG}")', f'("x-api-key", "{_LONG}")'),
    ),
    Rule(
        "secret-assignment",
        _TOKEN_LITERALS,
        _changed(_TOKENS),
        folded=True,
        accepts=is_random_text,
        leads=_TOKEN_LEADS,
        heads=_TOKEN_HEADS,
        trigger=r"(?:token|key|auth|cred)" + _CHANGE,
        positive=(f'  ~ api_token = "{_LONG}" -> "{_LONG}"',),
    ),
)
