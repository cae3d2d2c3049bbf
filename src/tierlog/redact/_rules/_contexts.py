"""
Secrets that are told by what they are said to: headers, flags, addresses, files.
"""

from __future__ import annotations

from tierlog.redact._rule import Rule
from tierlog.redact._rules._accepts import (
    is_authorization,
    is_aws_secret,
    is_basic,
    is_bearer,
    is_cookie,
    is_encoded,
    is_flag_value,
    is_mixed,
    is_told,
    is_user_password,
    looks_random,
    not_code,
    not_filler,
)


__all__ = ["CONTEXTS"]

_HEADER = r"(?:\\{0,3}[\"'`])?[ \t]{0,3}+(?::?={1,2}>?|:|,|%3d|%3a)[ \t]{0,3}+(?:b?\[{0,1}\\{0,3}[\"'`])?\[?"
_FLAG_VALUE = (
    r"(?:\"(?P<secret>[^\"\r\n]{1,512}+)|'(?P<quoted>[^'\r\n]{1,512}+)|(?P<bare>[^\s\"'`;&|<>()\-][^\s\"'`;&|<>()]{0,511}+))"
)

CONTEXTS: tuple[Rule, ...] = (
    Rule(
        "bearer",
        ("bearer ", "bearer%20", "bearer+"),
        r"bearer(?: {1,3}|%20|\+)\\{0,3}[\"']?(?P<secret>[a-z0-9._~+/=|:\-]{8,4096}+)(?![({\[])",
        folded=True,
        accepts=is_bearer,
        leads=(0, 0, 0),
        positive=("Authorization: Bearer {alnum:32}", "bearer {url:40}", '"Bearer {hex:32}"'),
        negative=(
            "bearer authentication",
            "Bearer $(gcloud auth print-access-token)",
            "Bearer ${TOKEN}",
            "Bearer <token>",
            "Bearer xxxxxxxxxxxx",
        ),
    ),
    Rule(
        "basic-auth",
        ("basic ", "basic%20", "auth plain "),
        r"(?:basic(?: {1,3}|%20)|auth plain {1,3})(?P<secret>[a-z0-9+/]{8,4096}+={0,2})(?![\w+/.\-])",
        folded=True,
        accepts=is_basic,
        leads=(0, 0, 0),
        positive=("Authorization: Basic {base64:31}=", "send: 'AUTH PLAIN {base64:31}=\\r\\n'"),
        negative=("basic authentication", "Basic {base64(user:password)}", "see `Basic Operations for Tables`"),
    ),
    Rule(
        "basic-auth",
        ("auth",),
        r"auth(?: ?= ?|(?<=basicauth)|(?<=digestauth))\( ?[\"'][^\"'\r\n]{0,128}+[\"'], ?"
        r"[\"'](?P<secret>[^\"'\r\n]{1,256}+)[\"']",
        folded=True,
        accepts=is_user_password,
        leads=(0,),
        trigger=r"auth *=? *\( ?[\"'][^\"'\r\n]*[\"'], ?[\"']",
        positive=("get(url, auth=('bob', '{alnum:8}'))", 'HTTPBasicAuth("bob", "{alnum:8}")'),
        negative=("auth=('user', 'password')", "oauth('x', 'y')"),
    ),
    Rule(
        "authorization",
        ("authorization", "x-amz-security-token", "private-token", "x-vault-token"),
        r"(?:authorization|x-amz-security-token|private-token|x-vault-token)"
        + _HEADER
        + r"(?:[a-z][a-z0-9\-]{1,30}+(?:[ \t]{1,3}|%20))?(?P<secret>[^\s\"'`\\,;{$<>()&\]\[][^\s\"'`\\,;&\]]{3,8191}+)",
        folded=True,
        accepts=is_authorization,
        leads=(0, 0, 0, 0),
        positive=(
            "Authorization: {hex:32}",
            "authorization: Token {hex:40}",
            "{'Authorization': 'ApiKey {alnum:30}', 'Accept': '*'}",
            "{'authorization': ['Basic {alnum:32}=='], 'accept': ['x']}",
            r"{\"Authorization\":\"Token {hex:40}\",\"x\":1}",
            "authorization=Bearer%20{alnum:32}&x=1",
        ),
        negative=("Authorization: Bearer $TOKEN", "authorization: required", "Authorization: AWS4-HMAC-SHA256 "),
    ),
    Rule(
        "signature",
        ("sig", "response=", "security-token"),
        r"(?:signature|(?<=[?&;,\s])sig|x-amz-security-token|(?<=[, ])response)(?:=|%3d)(?:\\{0,3}[\"'])?"
        r"(?P<secret>[a-z0-9+/_\-%.=~]{24,4096}+)",
        folded=True,
        accepts=looks_random,
        leads=(0, 0, 6),
        heads=("x-amz",),
        trigger=r"(?:sig|signature|response|security-token)(?:=|%3d)",
        positive=(
            "https://b.s3.amazonaws.com/x?X-Amz-Expires=1&X-Amz-Signature={hex:64}&a=1",
            "https://x.blob.core.windows.net/c?sv=2024&sig={base64:42}%3D&se=1",
            'Authorization: Digest username="bob", response="{hex:32}", opaque="x"',
            "AWS4-HMAC-SHA256 Credential=x/y, SignedHeaders=host, Signature={hex:64}",
        ),
        negative=("sig=11 signature=none",),
    ),
    Rule(
        "cookie",
        ("cookie",),
        r"(?<![a-z]\.)cookie[\"'`]{0,2}\\{0,3}[\"']?(?:[ \t]{0,3}(?::=|=>|={1,2}|:|,|%3d)[ \t]{0,3}|(?<=--cookie) )"
        r"\[?\\{0,3}[\"'`]?(?P<secret>[^\s\"'`\\;=](?:[^\r\n\"'`\\=]|=(?:\\{0,3}\"[^\"\\\r\n]{1,4096}+\\{0,3}\"(?=[;,\s\"']|\Z))?){0,8191}+)",
        folded=True,
        accepts=is_cookie,
        leads=(0,),
        positive=(
            "Cookie: session={alnum:20}",
            "Set-Cookie: id={hex:32}; Path=/",
            "{'Cookie': 'a={alnum:12}', 'x': 1}",
            "curl --cookie 'sid={alnum:20}' x",
            'Set-Cookie: session="{alnum:12} {alnum:12}"; Path=/',
            r'"Set-Cookie: session=\"{alnum:12}\"; Path=/"',
        ),
        negative=(
            "cookie: enabled",
            "cookie = getCookie()",
            "Cookie: $COOKIE",
            "cookie: str | None = None,",
            "cookie, in seconds (2 weeks)",
        ),
    ),
    Rule(
        "url-credentials",
        ("://", "%3a%2f%2f", ":\\/\\/"),
        r"(?::|%3a)(?://|%2f%2f|\\/\\/)[^\s/:@\"'<>?#\\]{0,128}+(?::|%3a)(?P<secret>[^\s/\"'<>?#\\@]{1,256}+"
        r"(?:[@?#][^\s/\"'<>\\@]{1,64}+(?=@)){0,2})(?:@|%40)(?=[\w\[.{$\-])",
        folded=True,
        accepts=not_filler,
        leads=(0, 0, 0),
        trigger=r"(?::|%3a)(?://|%2f%2f|\\/\\/)[^\s/@]*(?::|%3a)[^\s/]+(?:@|%40)",
        positive=(
            "postgres://bob:{alnum:12}@db:5432/x",
            "redis://:{alnum:16}@cache:6379/0",
            "https://bob:{alnum:8}%40{alnum:4}@example.com/x",
            "amqp://bob:{alnum:8}@{alnum:4}@mq/",
            r"https:\/\/bob:{alnum:12}@example.com",
        ),
        negative=(
            "https://example.com:8080/a@b",
            "http://localhost:3000",
            "https://user:${PASSWORD}@example.com",
            "http://user:****@host",
        ),
    ),
    Rule(
        "url-credentials",
        ("://",),
        r"://(?P<secret>[a-z0-9_\-]{20,256}+)(?::(?:x-oauth-basic|x-token-auth)?)?@(?=\w)",
        folded=True,
        accepts=looks_random,
        leads=(0,),
        trigger=r"://[A-Za-z0-9_\-]{20,}[:@]",
        positive=("git clone https://{alnum:36}@example.com/x.git",),
        negative=("ssh://git@github.com",),
    ),
    Rule(
        "url-credentials",
        ("@tcp(", "@unix("),
        r"(?<![\w:])[\w.\-]{1,64}+:(?P<secret>[^\s:\"'/()]{1,128}?)@(?:tcp|unix)\(",
        folded=True,
        accepts=not_filler,
        positive=("bob:{alnum:10}@tcp(db:3306)/x",),
    ),
    Rule(
        "curl-user",
        ("curl",),
        r"-(?:(?<=[\s\"']-)u|-user|-proxy-user)(?:[ \t]{1,4}|=|[\"'], ?)?[\"']?"
        r"(?!\d{1}:\d|\d{2}:\d|\d{3}:\d|\d{4}:\d|\d{5}:\d)[^\s:\"']{1,128}+:"
        r"(?P<secret>[^\s\"']{1,256}+)",
        folded=True,
        accepts=is_user_password,
        trigger=r"curl",
        positive=(
            "curl -u bob:{alnum:10} https://example.com",
            "curl -s --user 'bob:{alnum:10}' x",
            "curl x --user=bob:{alnum:10}",
            "Command '['curl', '-u', 'bob:{alnum:10}', 'x']' returned",
        ),
        negative=("curl -u username:token x", 'curl -u ":" x', 'curl -u "$A":"$B" x', "curl -u bob:$PW x", "curl --user bob x"),
    ),
    Rule(
        "command-flag",
        ("--",),
        r"-(?<![\w\-]-)-?(?P<name>[a-z][\w\-]{2,40}+)(?<!stdin)(?<!-file)[ \t]{1,3}+" + _FLAG_VALUE,
        folded=True,
        accepts=is_flag_value,
        trigger=r"--[\w\-]{0,40}(?:pass|pwd|secret|token|key|auth|cred)[\w\-]*[ \t]",
        positive=(
            "login --password {alnum:8}2 --force",
            "run --token '{alnum:12}3'",
            'app --api-key "{alnum:16}4"',
            "x --client-secret {alnum:9}5 y",
        ),
        negative=(
            "  --password string   the password",
            "  --token TOKEN  the token to use",
            "--password-stdin docker.io",
            "--password $PASSWORD",
            "--password --force",
            "--token-file /run/t1",
            "--secret id=npm,src=/root/.npmrc",
            "--discovery-token-ca-cert-hash sha256:" + "0a1b2c3d" * 8,
        ),
    ),
    Rule(
        "command-flag",
        ("sshpass", "mysql", "docker", "redis-cli", "ldap"),
        r"(?:(?:sshpass|mysql(?:dump|admin|import|check)?)[^\r\n;|&]{0,60}?[ \"']-p(?: |[\"'], ?)?|"
        r"docker(?: |[\"'], ?[\"'])login[^\r\n;|&]{0,60}?[ \"']-p(?: |[\"'], ?)|redis-cli[^\r\n;|&]{0,60}?[ \"']-a(?: |[\"'], ?)|"
        r"ldap(?:search|modify|add|delete|passwd|whoami)[^\r\n;|&]{0,200}?[ \"']-w(?: |[\"'], ?))"
        r"[\"']?(?P<secret>[^\s\"'\-=][^\s\"']{2,127}+)",
        accepts=is_user_password,
        leads=(0, 0, 0, 0, 0),
        trigger=r"(?:sshpass|mysql|docker|redis-cli|ldap)[^\r\n;|&]*[ \"']-[paw]",
        positive=(
            "sshpass -p {alnum:9} ssh x",
            "mysql -u root -p{alnum:9} db",
            "docker login -u bob -p {alnum:10} x",
            "Command '['mysql', '-u', 'root', '-p{alnum:9}']' returned",
            '["docker", "login", "-u", "bob", "-p", "{alnum:10}", "x"]',
            "ldapsearch -x -D cn=admin -w {alnum:9} -b dc=x",
        ),
        negative=("mysql -u root -p", "docker login -p $PW x", "mysql -h db -P 3306", "docker run -p 8080:80 x"),
    ),
    Rule(
        "secret-assignment",
        ("ENV ", "setenv ", "setx ", "set -x ", "set -gx "),
        r"(?:ENV|setenv|setx|set -g?x) {1,4}+(?P<name>\w{3,64}+) {1,4}+"
        r"(?:\"(?P<quoted>[^\"\r\n]{1,512}+)|(?P<secret>[^\s=\"']{4,512}+))",
        accepts=is_flag_value,
        leads=(0, 0, 0, 0, 0),
        trigger=r"(?:ENV|setenv|setx|set -g?x) +\w*(?:KEY|TOKEN|SECRET|PASS|AUTH)",
        positive=(
            "ENV SECRET_KEY_BASE {hex:32}",
            "#8 [3/9] ENV DB_PASSWORD {alnum:9}",
            'setx API_KEY "{alnum:32}"',
            "set -gx API_TOKEN {alnum:32}",
        ),
        negative=("ENV PYTHON_KEY_VERSION 3.11.12345", "ENV API_TOKEN is missing", "ENV API_KEY=$KEY"),
    ),
    Rule(
        "sql-password",
        ("identified", "password"),
        r"(?:(?:user|to|role)(?: if (?:not )?exists)?[ \t]{1,4}+[^\s]{1,128}+[ \t]{1,4}+identified"
        r"(?: with \w{1,40}+)? (?:by|as)(?: password)?|(?:with|encrypted)[ \t]{1,4}+password|set password for [^\s=]{1,128}+ ?=)"
        r" ?[\"'](?P<secret>[^\"'\r\n]{1,256}+)",
        folded=True,
        accepts=not_filler,
        trigger=r"(?:identified|(?:with|encrypted) +password|set password for)",
        positive=(
            "CREATE USER bob IDENTIFIED BY '{alnum:8}'",
            'alter user bob identified by "{alnum:9}"',
            "GRANT ALL ON x.* TO 'bob'@'%' IDENTIFIED WITH mysql_native_password BY '{alnum:9}'",
            "CREATE ROLE bob WITH LOGIN ENCRYPTED PASSWORD '{alnum:9}'",
            "alter user bob with password '{alnum:9}'",
            "SET PASSWORD FOR 'bob'@'x' = '{alnum:9}'",
        ),
        negative=("CREATE USER bob IDENTIFIED BY '****'", 'the resource identified by "images" is gone', "WITH PASSWORD '$PW'"),
    ),
    Rule(
        "github-mask",
        ("::add-mask::",),
        r"::add-mask::(?P<secret>[^\r\n\"']{1,4096}+)",
        accepts=not_filler,
        positive=('echo "::add-mask::{alnum:20}"',),
        negative=('echo "::add-mask::$TOKEN"',),
    ),
    Rule(
        "vault-unseal-key",
        ("unseal key", "recovery key"),
        r"(?:unseal|recovery) key(?: \d{1,2})?: {0,3}(?P<secret>[a-z0-9+/]{40,128}+={0,2})",
        folded=True,
        accepts=is_mixed,
        positive=("Unseal Key 1: {base64:43}=", "Recovery Key 2: {base64:44}"),
    ),
    Rule(
        "netrc",
        ("machine ", "login "),
        r"(?:machine [^\s]{1,128}+\s{1,8}+)?login [^\s]{1,128}+\s{1,8}+password (?P<secret>[^\s]{1,256}+)",
        accepts=not_filler,
        positive=("machine example.com login bob password {alnum:10}:\n", "login bob\n  password {alnum:10}: x"),
    ),
    Rule(
        "pgpass",
        (":5432:", ":3306:"),
        r":(?:5432|3306):[\w*.\-]{1,64}+:[\w.\-]{1,64}+:(?P<secret>[^\s:\"']{1,128}+)",
        accepts=not_filler,
        positive=("db.example.com:5432:app:bob:{alnum:10}",),
        negative=("tcp:127.0.0.1:5432:x",),
    ),
    Rule(
        "password",
        ("assword is", "assword to ", "assword for ", 'assword "', "assword '", "assword `", "ith password "),
        r"(?:assword (?:(?:for [^\s]{1,64}+ )?(?:is|to)(?: now| set to)?:? [\"'`]?|[\"'`])|ith password )"
        r"(?P<secret>(?![(\[{<])[^\s\"'`]{5,128}+)",
        accepts=is_told,
        positive=(
            "the password is {alnum:8}7k",
            "Password is: '{alnum:8}7k'",
            "password for bob is {alnum:8}7k",
            'temporary password "{alnum:8}7k" was sent',
            "logged in with password {alnum:8}7k",
        ),
        negative=(
            "password is required",
            "password is too short, use 8 or more",
            "set password to expire",
            "password for bob is wrong",
            "log in with password (RFC-4252)",
            'enter password "twice"',
        ),
    ),
    Rule(
        "kubernetes-secret",
        ("kind",),
        r"(?:(?:\n|\\n)[ \t]{1,16}+(?:[\"']?[\w./\-]{1,64}+[\"']?:[ \t]{1,8}+(?:[|>][+\-]?\s{1,40}+)?)?"
        r"|\"[\w./\-]{1,64}+\\?\": {0,2}\\?)[\"']?(?P<secret>[a-z0-9+/]{10,4096}+={0,2})(?=[\"'\s\\]|\Z)",
        folded=True,
        accepts=is_encoded,
        trigger=r"kind\\?[\"']?:[ \t]*\\?[\"']?secret(?:[\\\"'\s,}]|$)",
        positive=(
            "kind: Secret\ndata:\n  a: {base64:15}=\n  b.pem: {base64:40}\n",
            "apiVersion: v1\ndata:\n  a: |\n    {base64:23}=\nkind: Secret\n",
            '{"kind": "Secret", "data": {"a": "{base64:23}="}}',
            "apiVersion: v1\ndata:\n  a: >\n    {base64:23}=\nkind: Secret",
        ),
        negative=(
            "kind: ExternalSecret\nspec:\n  a: YmFzZTY0YmFzZTY0YQ==\n",
            "kind: Secret\nmetadata:\n  name: production\n  namespace: elasticsearch\n",
            "kind: Secret\ndata:\n  a: {{ .Values.a }}\n",
        ),
    ),
    Rule(
        "aws-secret-key",
        ("aws", "amazon", "secret"),
        r"(?:aws|amazon|secret)[\w.\-]{0,40}+(?:\\{0,3}[\"'`])?[ \t]{0,4}+(?::?={1,3}>?|:|,)[ \t]{0,4}+@?(?:\\{0,3}[\"'`])?"
        r"(?!(?:policy|role|user|group|instance-profile)/)(?P<secret>[a-z0-9+/]{40})(?![a-z0-9+/=])",
        folded=True,
        accepts=is_mixed,
        leads=(0, 0, 0),
        trigger=r"(?:aws|amazon|secret)[\w.\-]*[\\\"'`]*[ \t]*[=:,]+",
        positive=("aws_secret_access_key = {base64:40}", 'AWS_SECRET="{base64:40}"', '"SecretAccessKey": "{base64:40}"'),
        negative=(
            "aws_commit: abc",
            "aws_path=/usr/local/lib",
            '"arn:aws:iam::aws:policy/EC2InstanceProfileForImageBuilder1"',
        ),
    ),
    Rule(
        "aws-secret-key",
        (),
        r"[\"'](?P<secret>[A-Za-z0-9+/]{40})[\"']",
        accepts=is_aws_secret,
        trigger=r"[\"'][A-Za-z0-9+/]{40}[\"']",
        positive=('upload("{base64:19}/{base64:20}")',),
        negative=("'0123456789abcdef0123456789abcdef01234567'",),
    ),
    Rule(
        "webhook-key",
        ("x-hub-signature", "stripe-signature", "x-slack-signature"),
        r"(?:x-hub-signature(?:-256)?|stripe-signature|x-slack-signature)[\"']?[:=] ?[\"']?(?P<secret>[a-z0-9=,_]{20,256}+)",
        folded=True,
        accepts=not_code,
        positive=("X-Hub-Signature-256: sha256={hex:64}",),
    ),
)
