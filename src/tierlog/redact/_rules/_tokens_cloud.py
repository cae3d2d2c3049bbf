"""
Tokens of clouds, hosts, databases and infrastructure.
"""

from __future__ import annotations

from tierlog.redact._rule import Rule
from tierlog.redact._rules._form import A_UUID, UUID, free, is_mixed, not_example, token


__all__ = ["CLOUD"]

# Keys that Google shows in its own pages and programs, by their ends.
_SHOWN_BY_GOOGLE = (
    *("wxyz1234567", "X-oo6YyIs", "Eke8agEM", "gHIAODrlU", "ZRR_znhrh0", "TYefhixbX4A", "i_UUPwX7c", "Q9CKctWmLd4"),
    *("OPjjaXeDQgY", "Jv_a_p4wtM", "t1sjmdnP5sQ", "RhhrOq1cS7g", "d2AFnzAvvuU", "u4MJmprNXsw", "ucxaOi4FmqE", "Z11srVL_n0nvY"),
)
_GENES = frozenset("ACGTN")
_LEAST_DIGITS = 2


def _is_google(value: str) -> bool:
    return not_example(value) and not value.endswith(_SHOWN_BY_GOOGLE)


def _is_aws_id(value: str) -> bool:
    return not value.endswith("EXAMPLE") and not _GENES.issuperset(value)


def _is_old_vault(value: str) -> bool:
    return is_mixed(value) and sum(map(str.isdigit, value)) >= _LEAST_DIGITS


CLOUD: tuple[Rule, ...] = (
    token(
        "aws-access-key",
        "AKIA ASIA ABIA ACCA A3T",
        r"(?:AKIA|ASIA|ABIA|ACCA|A3T[A-Z0-9])[A-Z0-9]{16}",
        "AKIA{base32:16}",
        "ASIA{base32:16}",
        trigger=r"(?:AKIA|ASIA|ABIA|ACCA|A3T[A-Z0-9])[A-Z0-9]{12}",
        accepts=_is_aws_id,
        lead=0,
    ),
    token(
        "aws-session-token",
        "IQoJb3JpZ2lu FwoGZXIvYXdz FQoGZXIvYXdz eyJwYXlsb2FkIjoi",
        r"(?:IQoJb3JpZ2lu|F[wQ]oGZXIvYXdz|eyJwYXlsb2FkIjoi)[A-Za-z0-9+/%=]{100,3000}",
        "IQoJb3JpZ2lu{base64:400}",
    ),
    token("aws-bedrock-key", "ABSK", r"ABSK[A-Za-z0-9+/]{80,300}={0,2}", "ABSK{base64:128}"),
    token(
        "aws-bedrock-short-key",
        "bedrock-api-key-",
        r"bedrock-api-key-YmVkcm9jay5hbWF6b25hd3MuY29t[A-Za-z0-9+/=_%-]{0,2048}",
        "bedrock-api-key-YmVkcm9jay5hbWF6b25hd3MuY29t{base64:200}",
    ),
    token("aws-mws-token", "amzn.mws.", rf"amzn\.mws\.{UUID}", f"amzn.mws.{A_UUID}"),
    token("gcp-api-key", "AIza", r"AIza[\w-]{35}", "AIza{url:35}", accepts=_is_google),
    token(
        "gcp-oauth",
        "ya29. GOCSPX-",
        r"ya29\.[\w-]{20,500}|GOCSPX-[\w-]{28}",
        "ya29.{alnum:150}",
        "GOCSPX-{alnum:28}",
        accepts=is_mixed,
    ),
    token("gcp-refresh-token", "1//0", r"1//0[\w-]{40,100}", "1//0{alnum:60}", accepts=is_mixed),
    token("gcp-code", "4/0A", r"4/0A[\w-]{60,90}", "4/0A{alnum:69}", accepts=is_mixed),
    token(
        "azure-client-secret",
        "0Q~ 1Q~ 2Q~ 3Q~ 4Q~ 5Q~ 6Q~ 7Q~ 8Q~ 9Q~",
        r"[\w~.-]{3}[0-9]Q~[\w~.-]{31,34}",
        "x={alnum:3}8Q~{alnum:34}",
        accepts=is_mixed,
        lead=3,
    ),
    free(
        "azure-storage-key",
        "+ASt ACDb +ABa +AMC",
        r"[A-Za-z0-9+/]{76}(?:\+ASt|ACDb|\+ABa|\+AMC)[A-Za-z0-9+/]{5,6}={0,2}",
        "k={alnum:76}+ASt{alnum:6}==",
        lead=76,
        before=r"[A-Za-z0-9+/]",
        trigger=r"[A-Za-z0-9+/]{24}(?:\+ASt|ACDb|\+ABa|\+AMC)[\w+/]{5}",
        accepts=is_mixed,
    ),
    free(
        "azure-messaging-key",
        "+ASb +AEh AIoT AzCa AZEG",
        r"[A-Za-z0-9+/]{33}(?:\+ASb|\+AEh|AIoT|AzCa|AZEG)[A-Za-z0-9+/]{5,6}={0,2}",
        "k={alnum:33}+AEh{alnum:6}=",
        lead=33,
        before=r"[A-Za-z0-9+/]",
        trigger=r"[A-Za-z0-9+/]{24}(?:\+ASb|\+AEh|AIoT|AzCa|AZEG)[\w+/]{5}",
        accepts=is_mixed,
    ),
    free(
        "azure-registry-key",
        "+ACR AzSe APIM",
        r"[A-Za-z0-9+/]{42}(?:\+ACR|AzSe|APIM)[A-Za-z0-9+/]{5,6}={0,2}",
        "k={alnum:42}AzSe{alnum:6}",
        lead=42,
        before=r"[A-Za-z0-9+/]",
        trigger=r"[A-Za-z0-9+/]{24}(?:\+ACR|AzSe|APIM)[\w+/]{5}",
        accepts=is_mixed,
    ),
    free(
        "azure-function-key",
        "AzFu",
        r"[\w-]{44}AzFu[\w-]{5}[AQgw]={0,2}",
        "k={alnum:44}AzFu{alnum:5}A==",
        lead=44,
        trigger=r"[\w-]{24}AzFu[\w-]{5}",
        accepts=is_mixed,
    ),
    free(
        "azure-openai-key",
        "JQQJ99",
        r"[A-Za-z0-9]{52}JQQJ99[A-Za-z0-9]{16,26}",
        "k={alnum:52}JQQJ99{alnum:26}",
        lead=52,
        trigger=r"[A-Z0-9]{24}JQQJ99",
        accepts=is_mixed,
    ),
    free(
        "azure-devops-token",
        "AZDO",
        r"[A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4}(?![A-Za-z0-9])",
        "t={alnum:76}AZDO{alnum:4}",
        lead=76,
        before="[A-Za-z0-9]",
        trigger=r"[A-Za-z0-9]{24}AZDO[A-Za-z0-9]{4}",
    ),
    Rule(
        "azure-account-key",
        ("accountkey=", "sharedaccesskey="),
        r"(?:accountkey|sharedaccesskey)=(?P<secret>[a-z0-9+/%]{40,96}={0,2})",
        folded=True,
        accepts=not_example,
        positive=("DefaultEndpointsProtocol=https;AccountName=x;AccountKey={base64:86}==;EndpointSuffix=core.windows.net",),
    ),
    Rule(
        "azure-sas",
        ("sig=", "sig%3d"),
        r"(?:[?&;]|amp;|\\u0026|%26)sig(?:=|%3d)(?P<secret>[a-z0-9%+/_=-]{40,88})",
        folded=True,
        accepts=not_example,
        trigger=r"[?&;6]sig(?:=|%3d)[a-z0-9%+/_-]{20}",
        positive=("https://x.blob.core.windows.net/c/b?sv=2022-11-02&sig={alnum:43}%3D&se=2026",),
    ),
    token("alibaba-access-key", "LTAI", r"LTAI[A-Za-z0-9]{12,26}", "LTAI{alnum:20}"),
    token("tencent-secret-id", "AKID", r"AKID[A-Za-z0-9]{28,36}", "AKID{alnum:32}"),
    token("yandex-key", "AQVN", r"AQVN[\w-]{35,38}", "AQVN{alnum:36}", trigger=r"AQVN[\w-]{30}", accepts=is_mixed),
    free(
        "yandex-token",
        "t1.",
        r"t1\.[\w-]{8,400}+={0,2}\.[\w-]{86}={0,2}",
        "t1.{alnum:100}.{alnum:86}",
        trigger=r"t1\.[\w-]{20,}={0,2}\.[\w-]{30}",
        accepts=is_mixed,
    ),
    token("digitalocean-token", "doo_v1_ dop_v1_ dor_v1_", r"do[opr]_v1_[a-f0-9]{64}", "dop_v1_{hex:64}"),
    token(
        "cloudflare-token",
        "v1.0- cfut_ cfat_ cfk_",
        r"v1\.0-[a-f0-9]{24}-[a-f0-9]{146}|cf(?:ut|at|k)_[\w-]{30,100}",
        "v1.0-{hex:24}-{hex:146}",
    ),
    token("vercel-token", "vcp_ vci_ vca_ vcr_ vck_", r"vc[piark]_[A-Za-z0-9]{24,64}", "vcp_{alnum:56}"),
    token(
        "vercel-blob-token",
        "vercel_blob_rw_",
        r"vercel_blob_rw_[A-Za-z0-9]{8,24}_[A-Za-z0-9]{24,64}",
        "vercel_blob_rw_{alnum:16}_{alnum:30}",
    ),
    token("netlify-token", "nfp_ nfc_ nfo_ nfu_", r"nf[pcou]_[A-Za-z0-9]{36,44}", "nfp_{alnum:36}"),
    token(
        "supabase-token",
        "sbp_ sb_secret_",
        r"sbp_(?:oauth_|v0_)?[a-f0-9]{40}|sb_secret_[\w-]{22,40}",
        "sbp_{hex:40}",
        "sb_secret_{alnum:31}",
    ),
    token("neon-token", "napi_ npg_", r"napi_[a-z0-9]{56,72}|npg_[A-Za-z0-9]{12,40}", "napi_{lower:64}", "npg_{alnum:14}"),
    token("render-key", "rnd_", r"rnd_[A-Za-z0-9]{26,40}", "rnd_{alnum:32}", accepts=is_mixed),
    token("fly-token", "fo1_", r"fo1_[\w-]{43}", "fo1_{alnum:43}"),
    token("fly-macaroon", "fm1r_ fm1a_ fm2_", r"fm(?:1[ar]|2)_[A-Za-z0-9+/]{60,1500}={0,3}", "fm2_{base64:150}"),
    token("heroku-key", "HRKU-", r"HRKU-(?:AA[\w-]{58}|" + UUID + ")", "HRKU-AA{alnum:58}", f"HRKU-{A_UUID}"),
    token(
        "railway-token",
        "rwtoken_ rw_",
        r"rw_[A-Za-z0-9]{32,48}|rwtoken_[A-Za-z0-9]{32,48}",
        "rwtoken_{alnum:40}",
        accepts=is_mixed,
    ),
    token(
        "tailscale-key", "tskey-", r"tskey-[a-z]{3,10}-[A-Za-z0-9]{8,24}-[A-Za-z0-9]{20,50}", "tskey-auth-{alnum:17}-{alnum:32}"
    ),
    token("scalingo-token", "tk-us-", r"tk-us-[\w-]{48}", "tk-us-{alnum:48}"),
    token("scaleway-key", "SCW", r"SCW[A-Z0-9]{17}", "SCW{base32:17}", trigger="SCW[A-Z0-9]{17}"),
    token("exoscale-key", "EXO", r"EXO[a-f0-9]{24}", "EXO{hex:24}", trigger="EXO[a-f0-9]{24}"),
    token("akamai-token", "akab-", r"akab-[a-z0-9]{16}-[a-z0-9]{16}", "akab-{lower:16}-{lower:16}"),
    token("upcloud-token", "ucat_", r"ucat_[A-Z0-9]{26}", "ucat_{base32:26}"),
    token("databricks-token", "dapi dkea dose", r"d(?:api|kea|ose)[a-f0-9]{32}(?:-[0-9])?", "dapi{hex:32}"),
    token(
        "planetscale-token", "pscale_", r"pscale_(?:tkn|oauth|pw)_[\w.=-]{32,64}", "pscale_tkn_{alnum:43}", "pscale_pw_{alnum:32}"
    ),
    token("clickhouse-key", "4b1d", r"4b1d[A-Za-z0-9]{38}", "4b1d{alnum:38}", trigger="4b1d[A-Za-z0-9]{30}", accepts=is_mixed),
    token("confluent-key", "cflt", r"cflt[A-Za-z0-9+/]{60}", "cflt{alnum:60}", trigger="cflt[A-Za-z0-9+/]{30}"),
    token("mongodb-atlas-secret", "mdb_sa_sk_", r"mdb_sa_sk_[\w-]{36,44}", "mdb_sa_sk_{alnum:40}"),
    token("cockroach-key", "CCDB1_", r"CCDB1_[A-Za-z0-9]{22}_[A-Za-z0-9]{40}", "CCDB1_{alnum:22}_{alnum:40}"),
    token("aiven-token", "aivenv1", r"aivenv1[A-Za-z0-9+/=_-]{60,500}", "aivenv1{alnum:100}"),
    token("xata-key", "xau_", r"xau_[A-Za-z0-9]{40,46}", "xau_{alnum:43}"),
    token("dbt-token", "dbtc_ dbtu_", r"dbt[cu]_[A-Za-z0-9_-]{40,60}", "dbtc_{alnum:43}"),
    token("tinybird-token", "p.eyJ", r"p\.eyJ[\w-]{40,300}\.[\w-]{20,60}", "p.eyJ{alnum:80}.{alnum:40}"),
    token("materialize-key", "mzp_", r"mzp_[a-f0-9]{64}", "mzp_{hex:64}"),
    token("vault-token", "hvs. hvb. hvr.", r"hv[sbr]\.[\w-]{24,300}", "hvs.{alnum:90}", "hvb.{alnum:140}"),
    token(
        "vault-old-token",
        "s. b. r.",
        r"[sbr]\.[A-Za-z0-9]{24}",
        "token: s.{alnum:24}",
        accepts=_is_old_vault,
        trigger=r"[sbr]\.[A-Za-z0-9]{24}",
        negative=("s.THISSTRINGISALLUPPERCASE", "s.AcceptanceTimeoutSeconds ", "o.s.b.f.s.DefaultListableBeanFactory"),
    ),
    token("terraform-token", ".atlasv1.", r"[A-Za-z0-9]{14}\.atlasv1\.[\w=-]{60,70}", "{alnum:14}.atlasv1.{alnum:67}", lead=14),
    token("pulumi-token", "pul-", r"pul-[a-f0-9]{40}", "pul-{hex:40}"),
    token("infracost-key", "ico-", r"ico-[A-Za-z0-9]{32}", "ico-{alnum:32}", accepts=is_mixed),
    token("prefect-key", "pnu_ pnb_", r"pn[ub]_[A-Za-z0-9]{36}", "pnu_{lower:36}"),
    token(
        "doppler-token",
        "dp.",
        r"dp\.(?:pt|st|ct|sa|scim|audit)\.[\w.-]{40,100}",
        "dp.pt.{lower:43}",
        trigger=r"dp\.(?:pt|st|ct|sa|scim|audit)\.",
    ),
    token(
        "infisical-token",
        "st.",
        r"st\.[a-f0-9]{24}\.[a-f0-9]{32}\.[a-f0-9]{32}",
        "st.{hex:24}.{hex:32}.{hex:32}",
        trigger=r"st\.[a-f0-9]{24}\.",
    ),
    token(
        "1password-secret-key",
        "A3-",
        r"A3-[A-Z0-9]{6}-(?:[A-Z0-9]{6}-[A-Z0-9]{5}|[A-Z0-9]{11})-[A-Z0-9]{5}-[A-Z0-9]{5}-[A-Z0-9]{5}",
        "A3-{upper:6}-{upper:11}-{upper:5}-{upper:5}-{upper:5}",
        "A3-{upper:6}-{upper:6}-{upper:5}-{upper:5}-{upper:5}-{upper:5}",
        trigger="A3-[A-Z0-9]{6}-",
    ),
    token("1password-service-token", "ops_eyJ", r"ops_eyJ[A-Za-z0-9+/]{200,4096}={0,2}", "ops_eyJ{base64:300}"),
    token("openshift-token", "sha256~", r"sha256~[\w-]{43}", "sha256~{alnum:43}"),
    token("age-key", "AGE-SECRET-KEY-", r"AGE-SECRET-KEY-(?:PQ-)?1[A-Z0-9]{58,120}", "AGE-SECRET-KEY-1{upper:58}", accepts=bool),
    token("defined-networking-token", "dnkey-", r"dnkey-[\w=-]{26}-[\w=-]{52}", "dnkey-{alnum:26}-{alnum:52}"),
)
