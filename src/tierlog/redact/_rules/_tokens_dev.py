"""
Tokens of code hosts, registries, builds, watching and models.
"""

from __future__ import annotations

import base64
import binascii

from tierlog.redact._rule import Rule
from tierlog.redact._rules._form import A_UUID, UUID, free, is_mixed, not_example, token


__all__ = ["DEV"]

_HEAD = 400
_LEAST_DIGITS = 2
_MANY_DASHES = 4
_STAND_INS = frozenset(
    (
        "",
        "pass",
        "passwd",
        "password",
        "pwd",
        "token",
        "secret",
        "apikey",
        "api_key",
        "api-key",
        "key",
        "x-oauth-basic",
        "x",
        "xxx",
    )
)


def _is_coded_jwt(value: str) -> bool:
    """
    Tell that *value* in base64 is a token whose own head is an object of JSON in base64.
    """
    try:
        inner = base64.b64decode(value[:_HEAD].replace("-", "+").replace("_", "/")[: len(value[:_HEAD]) // 4 * 4])
        return inner.startswith(b"eyJ") and inner.translate(None, b"-_.=+/").isalnum()
    except (binascii.Error, ValueError):
        return False


def _is_octopus(value: str) -> bool:
    return (
        not_example(value) and any(char.isdigit() for char in value) and any(char in "GHIJKLMNOPQRSTUVWXYZ" for char in value[4:])
    )


def _is_artifactory(value: str) -> bool:
    # Words in capitals may begin like it: APACHE..., APERTURE...
    return value[2].isdigit() or not value.isupper() or sum(map(str.isdigit, value)) > _LEAST_DIGITS


def _is_model_key(value: str) -> bool:
    return not_example(value) and any(char.isdigit() for char in value) and (value.count("-") < _MANY_DASHES or is_mixed(value))


def _is_login(value: str) -> bool:
    user, _, password = value.partition(":")
    return bool(user) and password.lower() not in _STAND_INS and password[:1] not in {"$", "<", "{", "%", "*"} and user[:1] != "<"


_HOSTS: tuple[Rule, ...] = (
    token(
        "github-token",
        "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_",
        r"gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{60,100}",
        "ghp_{alnum:36}",
        "ghs_{alnum:36}",
        "github_pat_{alnum:22}_{alnum:59}",
    ),
    token(
        "github-app-token",
        "ghs_",
        r"ghs_[0-9]{1,16}_eyJ[\w-]{10,300}+\.[\w-]{10,600}+\.[\w-]{10,700}",
        "ghs_{digits:7}_eyJ{alnum:30}.{alnum:80}.{alnum:86}",
    ),
    token(
        "gitlab-token",
        "glpat- gldt- glrt- glcbt- glptt- glft- glimt- glagent- gloas- glsoat- glffct- glrtr- glwt- GR1348941",
        r"gl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|oas|soat|ffct|rtr|wt)-[\w.-]{20,128}|GR1348941[\w-]{20}",
        "glpat-{url:20}",
        "glrt-t1_{alnum:27}.{lower:9}",
        "GR1348941{alnum:20}",
    ),
    token("gitlab-session", "_gitlab_session=", r"_gitlab_session=[0-9a-z]{32}", "_gitlab_session={hex:32}"),
    token("bitbucket-token", "ATBB", r"ATBB[A-Za-z0-9]{32}", "ATBB{alnum:32}"),
    token(
        "atlassian-token",
        "ATATT3 ATCTT3 ATSTT3",
        r"AT[ACS]TT3(?:[\w=-]{186}(?![\w=-])|[\w-]{100,300}(?:=[A-F0-9]{8}(?![A-Za-z0-9]))?)",
        "ATATT3{alnum:186}",
    ),
    token(
        "sourcegraph-token",
        "sgp_ slk_ sgd_",
        r"sgp_[a-f0-9]{16}_[a-f0-9]{40}|sgp_local_[a-f0-9]{40}|(?:sgp_|slk_|sgd_)[a-f0-9]{40,64}",
        "sgp_{hex:16}_{hex:40}",
        "slk_{hex:64}",
    ),
    token("npm-token", "npm_", r"npm_[A-Za-z0-9]{36,64}", "npm_{alnum:36}"),
    token("pypi-token", "pypi-", r"pypi-[\w-]{50,1000}", "pypi-AgEIcHlwaS5vcmc{alnum:70}"),
    token("rubygems-token", "rubygems_", r"rubygems_[a-f0-9]{48}", "rubygems_{hex:48}"),
    token("crates-token", "cio", r"cio[A-Za-z0-9]{32}", "cio{alnum:32}", trigger=r"cio[a-z0-9]{32}", accepts=is_mixed),
    token("nuget-key", "oy2", r"oy2[a-z0-9]{43}", "oy2{lower:43}", trigger="oy2[a-z0-9]{32}"),
    token("docker-token", "dckr_pat_ dckr_oat_", r"dckr_[po]at_[\w-]{20,64}", "dckr_pat_{alnum:27}"),
    token("clojars-token", "CLOJARS_", r"CLOJARS_[a-z0-9]{60}", "CLOJARS_{lower:60}"),
    token("packagist-token", "packagist_", r"packagist_[a-z]{3}_[a-f0-9]{60,72}", "packagist_ack_{hex:68}"),
    token("deno-token", "ddp_ ddo_", r"dd[op]_[A-Za-z0-9]{36}", "ddp_{alnum:36}"),
    token("postman-token", "PMAK-", r"PMAK-[a-fA-F0-9]{24}-[a-fA-F0-9]{34}", "PMAK-{hex:24}-{hex:34}"),
)

_BUILDS: tuple[Rule, ...] = (
    token("buildkite-token", "bkua_ bkaj_ bkct_ bkpt_", r"bk(?:ua|aj|pt)_[a-f0-9]{40}|bkct_[\w.-]{40,90}", "bkua_{hex:40}"),
    token("circleci-token", "CCIPAT_ CCIPRJ_", r"CCIP(?:AT|RJ)_[A-Za-z0-9]{22}_[a-f0-9]{40}", "CCIPAT_{alnum:22}_{hex:40}"),
    token(
        "harness-token",
        "pat. sat.",
        r"[ps]at\.[\w-]{22}\.[0-9a-f]{24}\.[A-Za-z0-9]{20}",
        "pat.{alnum:22}.{hex:24}.{alnum:20}",
        trigger=r"[ps]at\.[\w-]{22}\.",
    ),
    token("octopus-key", "API-", r"API-[A-Z0-9]{25,30}", "API-{base32:26}", trigger=r"API-[A-Z0-9]{25}", accepts=_is_octopus),
    token("sonar-token", "squ_ sqp_ sqa_ sqb_", r"sq[upab]_[a-zA-Z0-9=_-]{40}", "squ_{hex:40}"),
    token(
        "snyk-token", "snyk_", r"snyk_[a-z]{3}\.[A-Za-z0-9]{8}\.[\w-]{20,200}(?:\.[\w-]{20,100})?", "snyk_uat.{hex:8}.{alnum:90}"
    ),
    token(
        "jfrog-key",
        "AKCp cmVmdGtu",
        r"AKCp[A-Za-z0-9]{60,80}|cmVmdGtu[A-Za-z0-9]{48,64}",
        "AKCp{alnum:69}",
        "cmVmdGtu{alnum:56}",
        accepts=is_mixed,
    ),
    Rule(
        "artifactory-key",
        ("AKC", *(f"AP{digit}" for digit in "0123456789ABCDEF")),
        r"(?:AKC|AP[0-9A-F])[A-Za-z0-9]{10,100}",
        is_token=True,
        accepts=_is_artifactory,
        trigger=r"(?:AKC|AP[0-9A-F])[a-z0-9]{10}",
        positive=("x=AKC{alnum:40}", "x=AP6{alnum:40}"),
        negative=("APACHEHTTPSERVER", "APERTUREVALUE12"),
    ),
    Rule(
        "sidekiq-credentials",
        ("contribsys__com",),
        r"contribsys__com(?:_?token)?[^0-9a-z\r]{1,12}(?:string = \")?(?P<secret>[a-f0-9]{8}:[a-f0-9]{8})(?![a-f0-9])",
        folded=True,
        positive=("BUNDLE_GEMS__CONTRIBSYS__COM={hex:8}:{hex:8}",),
    ),
    Rule(
        "curl-user",
        ("-u", "-U", "--user", "--proxy-user"),
        r"[\s\"'](?:-u|-U|--user|--proxy-user)[ \t=]{0,2}"
        r"(?:[\"'](?P<quoted>[^\s\"':]{1,48}+:[^\"'\r\n]{1,64})[\"']|(?P<bare>[^\s\"':]{1,48}+:[^\s\"']{1,64}))",
        accepts=_is_login,
        leads=(1, 1, 1, 1),
        spread=1,
        trigger=r"curl[\s\S]*[\s\"'](?:-u|--user|--proxy-user)",
        positive=("curl -u me:{alnum:12} https://x.org", "curl --user 'me:{alnum:8}' https://x.org"),
        negative=(
            "curl -u username:token",
            'curl -u "${username}":"${password}" https://x.org',
            "curl --user user:pass x",
            'curl -u ":" https://x.org',
        ),
    ),
)

_WATCHING: tuple[Rule, ...] = (
    token(
        "grafana-token",
        "glc_ glsa_ eyJrIjoi",
        r"glc_[A-Za-z0-9+/]{32,300}={0,2}|glsa_[A-Za-z0-9_]{32}_[A-Fa-f0-9]{8}|eyJrIjoi[A-Za-z0-9]{70,300}={0,2}",
        "glc_{base64:60}",
        "glsa_{alnum:32}_{hex:8}",
        "eyJrIjoi{alnum:90}",
    ),
    token(
        "sentry-token",
        "sntrys_ sntryu_ sntryi_",
        r"sntrys_eyJ[A-Za-z0-9+/=_]{80,400}|sntry[ui]_[a-f0-9]{64}",
        "sntrys_eyJ{alnum:150}",
        "sntryu_{hex:64}",
    ),
    token("logfire-token", "pylf_v", r"pylf_v[0-9]{1,2}_\w{8,80}", "pylf_v1_us_{alnum:43}"),
    token(
        "newrelic-key",
        "NRAK- NRII- NRJS- NRIQ- NRRA- NRSP-",
        r"NR(?:AK|II|JS|IQ|RA|SP)-[A-Za-z0-9_-]{19,48}",
        "NRAK-{upper:27}",
        "NRII-{alnum:32}",
        "NRJS-{hex:19}",
    ),
    free(
        "newrelic-license",
        "NRAL",
        r"[a-zA-Z0-9]{36}NRAL",
        "{hex:36}NRAL",
        before="[A-Za-z0-9]",
        lead=36,
        trigger=r"[a-f0-9]{36}NRAL",
    ),
    token(
        "dynatrace-token",
        "dt0",
        r"dt0[a-z][0-9]{2}\.[A-Z0-9]{24}\.[A-Z0-9]{64}",
        "dt0c01.{upper:24}.{upper:64}",
        trigger=r"dt0[a-z][0-9]{2}\.",
    ),
    token(
        "honeycomb-key",
        "hcaik_ hcaic_ hcamk_ hcxik_ hcxmk_ hcxlk_ hcbik_",
        r"hc[abx][iml][kc]_[a-z0-9]{58}",
        "hcaik_{lower:58}",
        lead=0,
    ),
    token("axiom-token", "xaat- xapt-", rf"xa[ap]t-{UUID}", f"xaat-{A_UUID}"),
    token("posthog-key", "phx_", r"phx_[A-Za-z0-9]{40,60}", "phx_{alnum:43}", accepts=is_mixed),
    token(
        "launchdarkly-key",
        "sdk- api-",
        rf"(?:sdk|api)-{UUID}",
        f"sdk-{A_UUID}",
        trigger=r"(?:sdk|api)-[0-9a-f]{8}-[0-9a-f]{4}-",
    ),
    token("pagerduty-key", "pdus+ pdeu+", r"pd(?:us|eu)\+[A-Za-z0-9_+/-]{20,60}", "pdus+{alnum:32}"),
)

_MODELS: tuple[Rule, ...] = (
    token("anthropic-key", "sk-ant-", r"sk-ant-[\w-]{86,160}", "sk-ant-api03-{url:93}AA", "sk-ant-oat01-{alnum:95}"),
    token("openrouter-key", "sk-or-", r"sk-or-v[0-9]-[a-f0-9]{60,70}", "sk-or-v1-{hex:64}"),
    token("langfuse-key", "sk-lf-", rf"sk-lf-{UUID}", f"sk-lf-{A_UUID}"),
    token(
        "openai-key",
        "sk-proj- sk-svcacct- sk-admin- sk-service- sk-None-",
        r"sk-(?:proj|svcacct|admin|service|None)-[\w-]{36,255}",
        "sk-proj-{url:74}T3BlbkFJ{url:73}A",
    ),
    token(
        "model-key",
        "sk-",
        r"sk-[A-Za-z0-9]{20,64}",
        "sk-{alnum:20}T3BlbkFJ{alnum:20}",
        "sk-{hex:32}",
        trigger=r"sk-[A-Za-z0-9]{20}",
        accepts=_is_model_key,
        negative=("sk-folding-cube-of-css-class", "a task-management-and-more-words"),
    ),
    free("litellm-key", "sk-", r"sk-(?!ant-)[\w-]{22}(?![\w-])", "sk-{alnum:22}", trigger=r"sk-[\w-]{22}", accepts=is_mixed),
    token(
        "huggingface-token",
        "hf_ api_org_",
        r"hf_[A-Za-z0-9]{34,40}|hf_oauth_[\w-]{20,100}|api_org_[A-Za-z0-9]{34}",
        "hf_{letters:34}",
        "api_org_{letters:34}",
    ),
    token("groq-key", "gsk_", r"gsk_[A-Za-z0-9]{48,56}", "gsk_{alnum:52}"),
    token("xai-key", "xai-", r"xai-[A-Za-z0-9]{70,90}", "xai-{alnum:80}"),
    token("perplexity-key", "pplx-", r"pplx-[A-Za-z0-9]{48}", "pplx-{alnum:48}"),
    token("replicate-token", "r8_", r"r8_[A-Za-z0-9]{37}", "r8_{alnum:37}"),
    token("nvidia-key", "nvapi-", r"nvapi-[\w-]{60,70}", "nvapi-{alnum:64}"),
    token("together-key", "tgp_v1_", r"tgp_v1_[\w-]{43}", "tgp_v1_{alnum:43}"),
    token("cerebras-key", "csk-", r"csk-[a-z0-9]{48}", "csk-{lower:48}"),
    token("fireworks-key", "fw_", r"fw_[A-Za-z0-9]{22,24}", "fw_{alnum:24}", trigger=r"fw_[a-z0-9]{22}", accepts=is_mixed),
    token(
        "tavily-key", "tvly-", r"tvly-[A-Za-z0-9]{32}|tvly-(?:dev|prod)-[A-Za-z0-9]{32}", "tvly-dev-{alnum:32}", "tvly-{alnum:32}"
    ),
    token("firecrawl-key", "fc-", r"fc-[a-f0-9]{32}", "fc-{hex:32}", trigger="fc-[a-f0-9]{32}"),
    token("pinecone-key", "pcsk_", r"pcsk_[A-Za-z0-9_]{40,80}", "pcsk_{alnum:6}_{alnum:63}"),
    token(
        "langsmith-key", "lsv2_ ls__", r"lsv2_(?:pt|sk)_[a-f0-9]{32}_[a-f0-9]{10}|ls__[a-f0-9]{32}", "lsv2_pt_{hex:32}_{hex:10}"
    ),
    token("e2b-key", "e2b_", r"e2b_[a-f0-9]{40}", "e2b_{hex:40}"),
    token("jina-key", "jina_", r"jina_[A-Za-z0-9_-]{56,64}", "jina_{alnum:60}"),
    token("wandb-key", "wandb_v1_", r"wandb_v1_[\w-]{40,100}", "wandb_v1_{alnum:27}_{alnum:49}"),
    token("kaggle-token", "KGAT_", r"KGAT_[a-f0-9]{32}", "KGAT_{hex:32}"),
    token("inngest-key", "signkey-", r"signkey-[a-z]{2,12}-[a-f0-9]{32,128}", "signkey-prod-{hex:64}"),
    token("runpod-key", "rpa_", r"rpa_[A-Z0-9]{38,46}", "rpa_{upper:44}"),
    token("elevenlabs-key", "sk_", r"sk_[a-f0-9]{48}", "sk_{hex:48}", trigger=r"sk_[a-f0-9]{48}"),
    token("cursor-key", "crsr_ key_", r"(?:crsr|key)_[a-f0-9]{64}", "crsr_{hex:64}", trigger="(?:crsr|key)_[a-f0-9]{64}"),
)

_JWT: tuple[Rule, ...] = (
    free(
        "jwt",
        "eyJ .ey",
        r"ey[A-Za-z0-9][\w-]{12,4096}+\.ey[\w-]{10,6000}+(?:\.[\w-]{0,1500}+)?",
        "eyJ{alnum:33}.eyJ{alnum:60}.{url:43}",
        "eyJ{alnum:33}.eyJ{alnum:60}",
        "eyJ{alnum:33}.eyJ{alnum:60}.",
        accepts=bool,
        trigger=r"ey[a-z0-9][\w-]{12,}\.ey[\w-]{10}",
    ),
    free(
        "jwe",
        "eyJ",
        r"eyJ[\w-]{16,2000}+\.[\w-]{0,1000}+\.[\w-]{16,64}+\.[\w-]{16,8000}+\.[\w-]{16,64}+",
        "eyJ{alnum:50}.{alnum:100}.{alnum:16}.{alnum:200}.{alnum:22}",
        accepts=bool,
        trigger=r"eyJ[\w-]{16,}\.[\w-]*\.[\w-]{16,}\.[\w-]{16,}\.",
    ),
    free(
        "jwt-base64",
        "ZXlK",
        r"ZXlK[A-Za-z0-9+/_-]{40,10000}+={0,2}",
        "ZXlKaGJHY2lPaUpJVXpJMU5pSjkuZXlKemRXSWlPaUl4TWpNME5TSjkubm8tU2lnbmF0dXJlLTBmLWFueWJvZHktbm8tU2lnbmF0dXJlLTBmLWFueQ==",
        accepts=_is_coded_jwt,
        before=r"[\w+/-]",
    ),
)

DEV: tuple[Rule, ...] = (*_HOSTS, *_BUILDS, *_WATCHING, *_MODELS, *_JWT)
