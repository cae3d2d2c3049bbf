"""
Tokens of services that send, pay, sell, plan and talk.
"""

from __future__ import annotations

from tierlog.redact._rule import Rule
from tierlog.redact._rules._form import A_UUID, UUID, begin, free, is_mixed, not_example, token


__all__ = ["SERVICES"]

_DIGITS = tuple("0123456789")
_HEX_DIGITS = (*_DIGITS, *"abcdef")

_LEAST_DIGITS = 3
_MANY_DIGITS = 5


def _is_slack(value: str) -> bool:
    return not_example(value) and any(char.isalpha() for char in value.rsplit("-", 1)[-1])


def _is_telegram(value: str) -> bool:
    return not_example(value) and any(map(str.isdigit, value.partition(":")[2]))


def _is_hook(value: str) -> bool:
    return "..." not in value


def _has_digits(value: str) -> bool:
    return not_example(value) and sum(map(str.isdigit, value)) >= _MANY_DIGITS


def _is_drawn(value: str) -> bool:
    return is_mixed(value) and sum(map(str.isdigit, value)) >= _LEAST_DIGITS


_TALK: tuple[Rule, ...] = (
    token(
        "slack-token",
        "xoxa- xoxb- xoxc- xoxe- xoxo- xoxp- xoxr- xoxs-",
        r"xox[abceoprs]-[0-9]{6,16}-[A-Za-z0-9-]{9,130}",
        "xoxb-{digits:12}-{digits:12}-{alnum:24}",
        "xoxp-{digits:12}-{digits:12}-{digits:13}-a{hex:31}",
        accepts=_is_slack,
        negative=("xoxb-12345-abcd234", "xoxp-572370529330-573807301142-572331691188-####################", "xoxb-abcdef-abcdef"),
    ),
    token(
        "slack-config-token",
        "xoxe. xoxe-",
        r"xoxe(?:\.xox[bp])?-[0-9]-[A-Za-z0-9]{100,250}",
        "xoxe.xoxp-1-{alnum:166}",
        "xoxe-1-{alnum:146}",
    ),
    token(
        "slack-app-token",
        "xapp-",
        r"xapp-[0-9]-[A-Z0-9]{8,14}-[0-9]{8,16}-[a-f0-9]{32,80}",
        "xapp-1-A{upper:10}-{digits:13}-{hex:64}",
    ),
    token(
        "slack-workspace-token",
        "xoxa- xoxr-",
        r"xox[ar]-(?:[0-9]-[A-Za-z0-9-]{9,100}|[A-Za-z0-9]{11,48})",
        "xoxa-2-{digits:12}-{alnum:20}",
    ),
    token("slack-cookie", "xoxd-", r"xoxd-[A-Za-z0-9%+/=]{40,400}", "xoxd-{alnum:100}"),
    token(
        "slack-webhook",
        "hooks.slack.com hooks.slack-gov.com",
        r"hooks\.slack(?:-gov)?\.com/(?:services|workflows|triggers)/[A-Za-z0-9+/_-]{20,120}",
        "https://hooks.slack.com/services/T{upper:8}/B{upper:8}/{alnum:24}",
        "hooks.slack.com/triggers/T{upper:8}/{digits:13}/{alnum:32}",
        accepts=_is_hook,
    ),
    free(
        "discord-token",
        "",
        r"[MNO][\w-]{23,25}\.[\w-]{6}\.[\w-]{27,38}",
        "t=M{alnum:23}.G{alnum:5}.{url:27}",
        trigger=r"[MNO][\w-]{23,25}\.[\w-]{6}\.[\w-]{27}",
        accepts=is_mixed,
    ),
    free("discord-mfa-token", "mfa.", r"mfa\.[\w-]{84}", "t=mfa.{url:84}", trigger=r"mfa\.[\w-]{84}", accepts=is_mixed),
    Rule(
        "discord-webhook",
        ("/webhooks/",),
        r"/webhooks/(?P<secret>[0-9]{16,20}/[\w-]{60,72})",
        trigger=r"discord(?:app)?\.com/api/(?:v[0-9]{1,2}/)?webhooks/[0-9]",
        positive=("https://discord.com/api/webhooks/{digits:18}/{alnum:68}",),
    ),
    Rule(
        "teams-webhook",
        ("/incomingwebhook/",),
        r"/webhookb?2?/(?P<secret>[0-9a-f@-]{36,73}/incomingwebhook/[0-9a-z]{32}/[0-9a-f-]{36}(?:/v2[\w-]{20,80})?)",
        folded=True,
        positive=(f"https://x.webhook.office.com/webhookb2/{A_UUID}@{A_UUID}/IncomingWebhook/{{hex:32}}/{A_UUID}",),
    ),
    Rule(
        "zapier-webhook",
        ("hooks.zapier.com/hooks/catch/",),
        r"hooks\.zapier\.com/hooks/catch/(?P<secret>[0-9]{4,10}/[a-z0-9]{6,12})",
        positive=("https://hooks.zapier.com/hooks/catch/{digits:7}/{lower:7}/",),
    ),
    Rule(
        "telegram-token",
        (":A",),
        begin(r"[\w-]") + r"(?:bot)?(?P<secret>[0-9]{5,16}+:A[\w-]{34})(?![\w-])",
        leads=(-19,),
        heads=_DIGITS,
        trigger=r"[0-9]{5}:A[\w-]{30}",
        accepts=_is_telegram,
        positive=("https://api.telegram.org/bot{digits:10}:AA{alnum:33}/getMe",),
        negative=("8389:Ag9nrbdc3o4c179haa5-f_p-qn917i3r54a", "61710579:An5bv40iio585ztd2d9bgu61k5in3sndg6f-and-more"),
    ),
    Rule(
        "chat-webhook",
        ("/open-apis/bot/", "/cgi-bin/webhook/"),
        rf"/(?:open-apis/bot/v2/hook/|cgi-bin/webhook/send\?key=)(?P<secret>{UUID})",
        positive=(
            f"https://open.feishu.cn/open-apis/bot/v2/hook/{A_UUID}",
            f"https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key={A_UUID}",
        ),
    ),
    token("twilio-key", "SK", r"SK[0-9a-z]{32}|SK[0-9A-F]{32}", "SK{hex:32}", trigger=r"SK[0-9a-z]{32}", accepts=bool),
    token("sendgrid-key", "SG.", r"SG\.[\w.=-]{66}", "SG.{alnum:22}.{alnum:43}", trigger=r"SG\.[\w.=-]{60}", accepts=is_mixed),
    token("mailgun-key", "key- pubkey-", r"key-[a-f0-9]{32}|pubkey-[a-f0-9]{32}", "key-{hex:32}", trigger="key-[a-f0-9]{32}"),
    free(
        "mailgun-signing-key",
        "-",
        r"[a-h0-9]{32}-[a-h0-9]{8}-[a-h0-9]{8}(?![\w-])",
        "{hex:32}-{hex:8}-{hex:8}",
        lead=32,
        heads=(*_HEX_DIGITS, "g", "h"),
        trigger=r"[a-h0-9]{32}-[a-h0-9]{8}-[a-h0-9]{8}",
    ),
    free(
        "mailchimp-key",
        "-us",
        r"[0-9a-f]{32}-us[0-9]{1,2}(?![0-9A-Za-z])",
        "{hex:32}-us12",
        lead=32,
        heads=_HEX_DIGITS,
        trigger=r"[0-9a-f]{32}-us[0-9]",
    ),
    token("brevo-key", "xkeysib- xsmtpsib-", r"x(?:key|smtp)sib-[a-f0-9]{64}-[A-Za-z0-9]{16}", "xkeysib-{hex:64}-{alnum:16}"),
    token("mailersend-key", "mlsn.", r"mlsn\.[a-f0-9]{64}", "mlsn.{hex:64}"),
    token("mandrill-key", "md-", r"md-[\w-]{22}", "md-{alnum:22}", trigger=r"md-[\w-]{22}", accepts=is_mixed),
    token(
        "resend-key",
        "re_",
        r"re_[A-Za-z0-9]{8}_[A-Za-z0-9]{24}",
        "re_{alnum:8}_{alnum:24}",
        trigger=r"re_[A-Za-z0-9]{8}_[A-Za-z0-9]{24}",
    ),
    token("onesignal-key", "os_v2_", r"os_v2_(?:app|org)_[a-z0-9]{80,110}", "os_v2_app_{lower:103}"),
    token(
        "facebook-token",
        "EAAC EAAM EAAB EAAG EAAE",
        r"EAA[A-Z][A-Za-z0-9]{90,400}",
        "EAAC{alnum:120}",
        trigger="EAA[A-Z][a-z0-9]{90}",
        lead=0,
        accepts=is_mixed,
    ),
    free(
        "facebook-app-token",
        "| %7C",
        r"[0-9]{15,16}(?:\||%7C)[\w-]{27,40}(?![\w-])",
        "token={digits:15}|{alnum:27}",
        trigger=r"[0-9]{15}(?:\x7c|%7C)[\w-]{27}",
        before=r"[\w.-]",
        accepts=is_mixed,
        lead=16,
        spread=2,
        heads=_DIGITS,
    ),
    free(
        "twitter-bearer-token",
        "AAAAAAAAAAAAAAAAAAAAAA",
        r"A{22}[A-Za-z0-9%]{60,120}",
        "AAAAAAAAAAAAAAAAAAAAAA{alnum:80}",
        trigger=f"(?-i:{'A' * 22})",  # lines of small ones are no rarity
        accepts=is_mixed,
    ),
    token("intercom-token", "dG9rO", r"dG9rO[A-Za-z0-9+/=_-]{50,80}", "dG9rO{alnum:55}"),
)

_PAY: tuple[Rule, ...] = (
    token(
        "stripe-key",
        "sk_live_ sk_test_ sk_prod_ rk_live_ rk_test_ rk_prod_ whsec_",
        r"[sr]k_(?:live|test)_[A-Za-z0-9]{10,255}|[sr]k_prod_[\w-]{10,255}|whsec_[A-Za-z0-9+/=]{24,255}",
        "sk_live_{alnum:24}",
        "rk_test_{alnum:99}",
        "whsec_{alnum:32}",
        negative=("task_test_not_of_this_kind", "sk_live_xxxxxxxxxxxxxxxxxxxxxxxx"),
    ),
    token("square-token", "EAAA", r"EAAA[\w-]{22,60}", "EAAA{alnum:60}", trigger=r"EAAA[\w-]{22}", accepts=bool),
    token(
        "square-secret",
        "sq0atp- sq0csp- sq0idp-",
        r"sq0(?:csp-[\w\\-]{43}|atp-[\w-]{22,43}|idp-[\w-]{22,43})",
        "sq0csp-{alnum:43}",
        "sq0atp-{alnum:22}",
        accepts=bool,
    ),
    token(
        "shopify-token",
        "shpat_ shpca_ shppa_ shpss_ shprt_ shptka_",
        r"shp(?:at|ca|pa|ss|rt|tka)_[a-fA-F0-9]{32}",
        "shpat_{hex:32}",
    ),
    token("woocommerce-key", "ck_ cs_", r"c[ks]_[a-f0-9]{40}", "ck_{hex:40}", trigger=r"c[ks]_[a-f0-9]{40}"),
    token(
        "braintree-token",
        "access_token$",
        r"access_token\$(?:production|sandbox)\$[0-9a-z]{16}\$[0-9a-f]{32}",
        "access_token$production${lower:16}${hex:32}",
    ),
    free("paypal-token", "A21A", r"A21A[A-Z][\w-]{90,100}", "A21AA{alnum:92}", trigger=r"A21A[\w-]{90}"),
    free(
        "adyen-key",
        "AQE",
        r"AQE[a-z]hm[A-Za-z0-9+/=]{20,200}-[A-Za-z0-9+/=]{30,64}-[!-~]{10,16}",
        "AQEyhm{alnum:60}-{alnum:43}=-{alnum:16}",
        trigger=r"AQE[a-z]hm[A-Z0-9+/=]{20}",
    ),
    token(
        "plaid-token",
        "access-sandbox- access-development- access-production-",
        rf"access-(?:sandbox|development|production)-{UUID}",
        f"access-sandbox-{A_UUID}",
    ),
    token("razorpay-key", "rzp_", r"rzp_(?:live|test)_[A-Za-z0-9]{14,24}", "rzp_live_{alnum:14}"),
    token(
        "flutterwave-key",
        "FLWSECK FLWPUBK",
        r"FLW(?:SEC|PUB)K(?:_TEST)?-(?:[a-z0-9]{32}-X|[a-z0-9]{12})",
        "FLWSECK_TEST-{hex:32}-X",
        "FLWSECK_TEST-{hex:12}",
    ),
    token(
        "lob-key",
        "live_ test_",
        r"(?:live|test)_(?:pub_[a-f0-9]{31}|[a-f0-9]{35})",
        "live_{hex:35}",
        "test_pub_{hex:31}",
        trigger="(?:live|test)_(?:pub_)?[a-f0-9]{31}",
    ),
    token(
        "mollie-key",
        "live_ test_",
        r"(?:live|test)_[A-Za-z0-9]{30}",
        "test_{alnum:30}",
        trigger="(?:live|test)_[A-Za-z0-9]{30}",
        accepts=_is_drawn,
    ),
    token("gocardless-token", "live_", r"live_[\w=-]{40}", "live_{lower:40}", trigger=r"live_[\w=-]{40}", accepts=_has_digits),
    token(
        "klarna-key",
        "klarna_live_ klarna_test_",
        r"klarna_(?:live|test)_api_[A-Za-z0-9+/=_-]{30,200}",
        "klarna_live_api_{alnum:80}",
    ),
    token(
        "paddle-key",
        "pdl_",
        r"pdl_(?:live|sdbx)_apikey_[a-z0-9]{26}_[A-Za-z0-9]{22}_[A-Za-z0-9]{3}",
        "pdl_live_apikey_{lower:26}_{alnum:22}_{alnum:3}",
    ),
    token("polar-token", "polar_", r"polar_[a-z]{2,4}_[A-Za-z0-9]{32,64}", "polar_pat_{alnum:43}"),
    token("shippo-token", "shippo_", r"shippo_(?:live|test)_[a-fA-F0-9]{40}", "shippo_live_{hex:40}"),
    token("easypost-key", "EZAK EZTK", r"EZ[AT]K[A-Za-z0-9]{54}", "EZAK{alnum:54}", trigger="EZ[AT]K[A-Z0-9]{54}"),
    token("duffel-token", "duffel_", r"duffel_(?:test|live)_[\w=-]{43}", "duffel_live_{alnum:43}"),
)

_PLAN: tuple[Rule, ...] = (
    token(
        "notion-token",
        "ntn_ secret_",
        r"ntn_[0-9]{11}[A-Za-z0-9]{35}|secret_[A-Za-z0-9]{43}",
        "ntn_{digits:11}{alnum:35}",
        "secret_{alnum:43}",
        trigger=r"ntn_[0-9]{11}|secret_[A-Z0-9]{43}",
        negative=("ntn_12345678901",),
    ),
    token(
        "airtable-token",
        "pat",
        r"pat[A-Za-z0-9]{14}\.[a-f0-9]{64}",
        "pat{alnum:14}.{hex:64}",
        trigger=r"pat[A-Z0-9]{14}\.[a-f0-9]{32}",
    ),
    token(
        "asana-token",
        "1/ 2/",
        r"[12]/[0-9]{16}(?:/[0-9]{16})?:[a-f0-9]{32}",
        "1/{digits:16}:{hex:32}",
        trigger=r"[12]/[0-9]{16}(?:/[0-9]{16})?:[a-f0-9]",
    ),
    token(
        "linear-key",
        "lin_api_ lin_oauth_ lin_wh_",
        r"lin_(?:api|wh)_[A-Za-z0-9]{40}|lin_oauth_[a-f0-9]{64}",
        "lin_api_{alnum:40}",
        "lin_oauth_{hex:64}",
    ),
    token(
        "clickup-token", "pk_", r"pk_[0-9]{6,10}_[A-Z0-9]{32}", "pk_{digits:8}_{upper:32}", trigger=r"pk_[0-9]{6,10}_[A-Z0-9]{32}"
    ),
    token("figma-token", "figd_ figdr_ figo_ figu_ figur_ figor_", r"fig(?:d|dr|o|u|ur|or)_[\w-]{36,64}", "figd_{alnum:40}"),
    token("contentful-token", "CFPAT-", r"CFPAT-[\w-]{43}", "CFPAT-{alnum:43}"),
    token("typeform-token", "tfp_", r"tfp_[\w.=-]{40,60}", "tfp_{alnum:59}"),
    token("frameio-token", "fio-u-", r"fio-u-[\w=-]{64}", "fio-u-{alnum:64}"),
    token("readme-key", "rdme_", r"rdme_[a-z0-9]{70}", "rdme_{lower:70}"),
    token("settlemint-token", "sm_aat_ sm_pat_ sm_sat_", r"sm_[aps]at_[A-Za-z0-9]{16,64}", "sm_aat_{alnum:16}"),
    token(
        "hubspot-token",
        "pat-",
        rf"pat-[a-z]{{2,3}}[0-9]?-{UUID}",
        f"pat-na1-{A_UUID}",
        trigger=r"pat-[a-z]{2,3}[0-9]?-[0-9a-f]{8}-",
    ),
    free("dropbox-token", "sl.", r"sl\.(?:u\.)?[\w=-]{120,1200}", "sl.{alnum:135}", trigger=r"sl\.(?:u\.)?[\w=-]{60}"),
    token("apify-token", "apify_api_ apify_proxy_", r"apify_(?:api|proxy)_[A-Za-z0-9]{36,40}", "apify_api_{alnum:36}"),
    token(
        "mapbox-token",
        "pk. sk. tk.",
        r"[pst]k\.[A-Za-z0-9]{60}\.[A-Za-z0-9]{22}",
        "pk.{lower:60}.{lower:22}",
        trigger=r"[pst]k\.[A-Za-z0-9]{60}\.",
    ),
    free("mapbox-key", "pk.eyJ sk.eyJ tk.eyJ", r"[pst]k\.eyJ[\w-]{30,250}+\.[\w-]{20,24}", "sk.eyJ1{alnum:60}.{alnum:22}"),
    free(
        "authress-key",
        "scauth_ authress_ sc_ ext_",
        r"(?:scauth|authress|sc|ext)_[a-z0-9]{5,30}\.[a-z0-9]{4,6}\.acc[_-][a-z0-9-]{10,32}\.[A-Za-z0-9+/_=-]{30,120}",
        "sc_{lower:16}.{lower:4}.acc-{lower:12}.{alnum:60}",
        trigger=r"(?:scauth|authress|sc|ext)_[a-z0-9]+\.[a-z0-9]+\.acc[_-]",
    ),
    token("adafruit-key", "aio_", r"aio_[A-Za-z0-9]{28}", "aio_{alnum:28}", trigger=r"aio_[A-Z0-9]{28}", accepts=is_mixed),
    free(
        "salesforce-token",
        "00D",
        r"00D[A-Za-z0-9]{9,15}![\w.]{80,120}",
        "session 00D{alnum:12}!{alnum:96}",
        trigger=r"00D[a-z0-9]{9,15}![\w.]{80}",
    ),
    token("intra42-secret", "s-s4t2ud- s-s4t2af-", r"s-s4t2(?:ud|af)-[a-f0-9]{64}", "s-s4t2ud-{hex:64}"),
    token("okta-token", "SSWS", r"SSWS[ :=]{1,2}00[\w-]{40}", "SSWS 00{alnum:40}"),
    token("ory-token", "ory_", r"ory_[a-z]{2,4}_[\w-]{32,90}", "ory_pat_{alnum:32}"),
    token("stytch-secret", "secret-test- secret-live-", r"secret-(?:test|live)-[\w-]{32,48}={0,2}", "secret-live-{alnum:36}"),
    token("firebase-server-key", ":APA91", r"AAAA[\w-]{7}:APA91[\w-]{130,180}", "AAAA{alnum:7}:APA91{alnum:135}", lead=11),
    token("beamer-token", "b_", r"b_[A-Za-z0-9]{43}=", "b_{alnum:43}=", trigger=r"b_[A-Z0-9]{43}="),
    token("adobe-client-secret", "p8e- p8-", r"p8e-[a-fA-F0-9]{32}", "p8e-{hex:32}"),
)

SERVICES: tuple[Rule, ...] = (*_TALK, *_PAY, *_PLAN)
