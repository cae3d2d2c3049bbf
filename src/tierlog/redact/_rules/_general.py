"""
Secrets that are told by the name of the field before them.

The patterns are lower case and meet texts in lower case.
"""

from __future__ import annotations

from tierlog.redact._keys import KEYS
from tierlog.redact._rule import Rule
from tierlog.redact._rules._accepts import is_pair, is_random_code, is_random_text, not_code, not_filler
from tierlog.redact._rules._form import begin
from tierlog.redact._rules._grammar import ASSIGN_TRIGGER, bare, beside, changed, compared, quoted


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
    + r")[_.\- ]?(?:pass|pw)(?![a-z])|"
    + begin("[a-z0-9]", "pass")
    + "(?![a-z])"
    + "".join(f"(?<!{one} pass)" for one in _PASSES)
    + f"|{begin('[a-z0-9]', 'pw')}(?![a-z0-9])|{begin('[a-z]', 'psk')}(?![a-z])"
)
_OF_KEY = (
    "access account admin api app application aes auth client consumer customer deploy encryption function functions hmac "
    "ingest ingestion install instrumentation integration jwt license licence machine master private project routing sas "
    "security server service session shared sign signing storage subscription vault webhook write ssh iam ibm cloud"
)
_MORE_OF_KEY = sorted(KEYS - {*_OF_KEY.split(), "key", "here"})  # as in "there key"
_PART_OF_WORDS = 4  # characters of what ends other words: files_key
_TOKENS = (
    r"token(?<!page_token)(?<!pagetoken)(?<!publictoken)(?<!public_token)(?<!nexttoken)|(?:"
    + _OF_KEY.replace(" ", "|")
    + r")[_.\- ]?keys?|(?:"
    + "|".join(one for one in _MORE_OF_KEY if len(one) > _PART_OF_WORDS)
    + r"|(?:(?<![a-z])|(?<=\\[nrt]))(?:"
    + "|".join(one for one in _MORE_OF_KEY if len(one) <= _PART_OF_WORDS)
    + rf"))[_.\-]?keys?|{begin('[a-z]', 'auth')}(?![a-z])|credentials?"
    + rf"|(?:{begin('[a-z]', 'creds')}|{begin('[a-z]', 'cred')})(?![a-z])"
    + rf"|session[_-]?id|sessid|{begin('[a-z0-9]', 'sid')}|dsn|jwt|[cx]srf|hmac"
)
_PASSWORD_LITERALS = ("passw", "passp", "passc", "pwd", "psswd", "contrase", "kennwort", "secret", "pass", "pw", "psk")
_TOKEN_LITERALS = ("token", "key", "auth", "cred", "session", "sessid", "sid", "dsn", "jwt", "csrf", "xsrf", "hmac")
# How far before its literal a name begins: "keystore_pass", "instrumentation_key".
_PASSWORD_LEADS = tuple(9 if one in {"pass", "pw"} else 2 if one == "passw" else 0 for one in _PASSWORD_LITERALS)
_TOKEN_LEADS = tuple(-16 if one == "key" else 0 for one in _TOKEN_LITERALS)
_PASSWORD_HEADS = ("ht", "clou", "cloudant", *(one for one in _OWNERS.split() if one.isalpha()))
_TOKEN_HEADS = (*_OF_KEY.split(), *_MORE_OF_KEY)
_PASSWORD_TRIGGER = r"(?:pass|pwd|psswd|contrase|kennwort|secret|_pw|-pw|\bpw|\\[nrt]pw|\dmpw|%0apw|bindpw|psk)" + ASSIGN_TRIGGER
_LESS_COMMON = (
    r"(?:github|gh|gitlab|gl|azure|azdo|ado|devops|bitbucket)_pat(?![a-z])|(?:hash|hashids|auth|nonce|app|cookie|session|crypt|"
    r"encryption)_salt(?![a-z])|(?:t?otp|wallet|mfa|recovery)_seed(?![a-z])|client_assertion(?!_)|code_verifier|samlresponse|"
    + begin("[a-z]", "bearer")
    + "(?![a-z])"
)
_LESS_COMMON_LITERALS = ("_pat", "_salt", "_seed", "client_assertion", "code_verifier", "samlresponse", "bearer")
_LESS_COMMON_LEADS = (-9, -10, -8, 0, 0, 0, 0)
# One for both: two cost each text more.
_TOKEN_TRIGGER = (
    rf"(?:token|key|auth|cred|session|sessid|sid|dsn|jwt|[cx]srf|hmac|{'|'.join(_LESS_COMMON_LITERALS)})" + ASSIGN_TRIGGER
)
_LONG = "{alnum:32}"
_LONG_LOWER = "{lower:29}7a7"
_CHANGE = r"[\w.\-\"]*[ \t]*[:=][^\r\n]*[\-=]> +\""

GENERAL: tuple[Rule, ...] = (
    Rule(
        "password",
        _PASSWORD_LITERALS,
        quoted(_PASSWORDS),
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
            "const password: string = '{alnum:12}';",
            'const DB_PASSWORD: &\'static str = "{alnum:12}";',
            'password: str | None = "{alnum:12}"',
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
        bare(_PASSWORDS),
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
            "\x1b[31mpass = {alnum:10}",
            "\x1b[1;31mpw={alnum:10}",
            r'{"env":"A=1\npass={alnum:10}\nB=2"}',
            r'{"env":"A=1\npw={alnum:10}\nPSK={alnum:10}"}',
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
            "at a.PasswordEncoder.matches(PasswordEncoder.java:4213)",
            "src/secrets.py:12:5: E501 line too long",
            "/go/src/secret.go:55 +0x1d",
            "kubernetes_secret.db: Still creating... [10s elapsed]",
            "random_password.db: Creation complete after 0s [id=none]",
            "kubernetes_secret.db: Refreshing state... [id=a/b]",
            "data.vault_secret.db: Reading...",
            "password: Field required",
            "password: too short",
            "secret: created",
            "test_password: PASSED",
            "image: registry.example.com/acme/secret-svc:fb75d89b",
        ),
    ),
    Rule(
        "password",
        _PASSWORD_LITERALS,
        changed(_PASSWORDS),
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
        compared(_PASSWORDS),
        folded=True,
        accepts=not_filler,
        trigger=r"[\"'`] ?[!=]==? ?\w*(?:pass|pwd|secret)",
        positive=('if ("{alnum:12}" == password) {', 'if ("{alnum:12}" !== db_pass) {'),
        negative=('if ("" == password) {',),
    ),
    Rule(
        "password",
        _PASSWORD_LITERALS,
        beside(_PASSWORDS),
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
        quoted(_TOKENS),
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
            f'val apiKey: String = "{_LONG}"',
            f'let token: &str = "{_LONG}";',
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
        bare(_TOKENS),
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
            f"OPENAI_KEY={_LONG}",
            f"STRIPE_KEY={_LONG}",
            f"AIRFLOW__CORE__FERNET_KEY={_LONG}=",
            f"SSL_KEY={_LONG}",
            rf'{{"env":"A=1\nauth={_LONG}\nsid={_LONG}\ncreds={_LONG}"}}',
            f"\x1b[31mauth={_LONG}",
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
            "- Sid: AllowS3Access",
            "- Sid: AllowEC2Describe1",
            "Pulling image ghcr.io/acme/token-svc:fb75d89b12cd",
            "registry.example.com/credentials:90266a6-dirty",
            "files_key=a1b2c3d4e5f6a7b8",
        ),
    ),
    Rule(
        "secret-assignment",
        _LESS_COMMON_LITERALS,
        quoted(_LESS_COMMON),
        folded=True,
        accepts=is_random_text,
        leads=_LESS_COMMON_LEADS,
        trigger=_TOKEN_TRIGGER,
        positive=(f'"bearer": "{_LONG}"', f"code_verifier='{_LONG}'"),
        negative=('"bearer": "header"', '"bearer_format": "a1b2c3d4e5f6a7b8c9"'),
    ),
    Rule(
        "secret-assignment",
        _LESS_COMMON_LITERALS,
        bare(_LESS_COMMON),
        folded=True,
        accepts=is_random_code,
        leads=_LESS_COMMON_LEADS,
        trigger=_TOKEN_TRIGGER,
        positive=(
            f"GITHUB_PAT={_LONG}",
            f"HASH_SALT={_LONG}",
            "TOTP_SEED={base32:29}234",
            f"client_assertion={_LONG}",
            f"code_verifier={_LONG}",
            f"SAMLResponse={_LONG}",
            f"bearer={_LONG}",
        ),
        negative=("NUMPY_SEED=12345678a", "random_seed=a1b2c3d4e5f6", "client_assertion_type=a1b2c3d4e5f6"),
    ),
    Rule(
        "secret-assignment",
        _TOKEN_LITERALS,
        beside(_TOKENS),
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
        changed(_TOKENS),
        folded=True,
        accepts=is_random_text,
        leads=_TOKEN_LEADS,
        heads=_TOKEN_HEADS,
        trigger=r"(?:token|key|auth|cred)" + _CHANGE,
        positive=(f'  ~ api_token = "{_LONG}" -> "{_LONG}"',),
    ),
)
