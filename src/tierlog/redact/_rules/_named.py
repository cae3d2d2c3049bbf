"""
Secrets without a form of their own, told by the name of who issues them.

One line is one kind: its name, by what names the issuer goes, and the shape of the
secret. The patterns are lower case and meet texts in lower case.
"""

from __future__ import annotations

import re
from dataclasses import replace

from tierlog.redact._rule import Rule
from tierlog.redact._rules._accepts import is_mixed


__all__ = ["NAMED"]

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_SHAPES = re.compile(r"(?P<kind>alnum|word|hex|base64|digits)(?P<size>\d+)(?:-(?P<most>\d+))?\Z")
_CLASSES = {"alnum": "[a-z0-9]", "word": r"[\w\-]", "hex": "[a-f0-9]", "base64": "[a-z0-9+/]", "digits": "[0-9]"}
_FILLED = {"alnum": "lower", "word": "url", "hex": "hex", "base64": "base64", "digits": "digits"}
_SHORT = 8
_SOMETHING_ELSE = (
    "(?:commit|sha|rev|etag|md5|digest|checksum|trace|span|event|message|order|deploy|project|fingerprint|gradient|request"
    "|dashboard|playlist|board)"
)
_GAP = rf"(?!{_SOMETHING_ELSE}|[\w.\- ]{_SOMETHING_ELSE})[\w.\- \t]{{0,30}}+"
_IS = (
    r"(?:\\{0,3}+[\"'`]\]?+(?: ?+,)?+[ \t]{0,4}+)?+(?:\[\d{0,4}+\] ?+)?+"
    r"(?>:{0,3}+={1,3}+>?+|[?!.+|]={1,2}+|\|\|[:=]?+|:|>|,|%3d|(?<=,)|(?<=, )|\s{1,40}+[\"']?+value[\"']?+ ?+[:=])"
)
_OPEN = r"\s{0,40}+(?:[@$bfru](?=[\"']))?+(?:\\{0,3}+[\"'`])?+"


def _named(name: str, issuers: str, *shapes: str) -> Rule:
    keywords = issuers.split()
    known = "|".join(_keyword(word) for word in keywords)
    shape = "|".join(_shape(shape) for shape in sorted(shapes, key=lambda one: "-" not in one))
    return Rule(
        name,
        tuple(keywords),
        rf"(?>{known}){_GAP}{_IS}{_OPEN}(?P<secret>(?>{shape}))(?![\w+/=]|-[a-z0-9])",
        folded=True,
        accepts=is_mixed,
        leads=(0,) * len(keywords),
        positive=_examples(keywords[0], shapes),
    )


def _keyword(word: str) -> str:
    """
    Return the pattern of *word*, which begins a word if it's short enough to be a part of others.
    """
    if len(word) >= _SHORT:
        return re.escape(word)
    word = re.escape(word)
    return rf"{word}(?:(?<![a-z]{word})|(?<=\\[nrt]{word}))"


def _shape(text: str) -> str:
    if text == "uuid":
        return _UUID
    match = _SHAPES.match(text)
    if not match:
        return text
    most = f",{match['most']}" if match["most"] else ""
    return f"{_CLASSES[match['kind']]}{{{match['size']}{most}}}"


def _examples(issuer: str, shapes: tuple[str, ...]) -> tuple[str, ...]:
    match = _SHAPES.match(shapes[0])
    secret = f"{{{_FILLED[match['kind']]}:{match['size']}}}" if match else _filled(_shape(shapes[0]))
    return tuple(
        template.replace("NAME", issuer).replace("SECRET", secret)
        for template in (
            'NAME_id = "SECRET"',
            "NAME-key: SECRET",
            "NAME.value := `SECRET`",
            '{"NAME": "SECRET"}',
            "<NAME>\n  SECRET\n</NAME>",
            r'{"x": "NAME_KEY=SECRET\nB=1"}',
            'set("NAME_KEY", "SECRET")',
        )
    )


def _filled(pattern: str) -> str:
    """
    Return the template of a text that a simple *pattern* matches.
    """
    pattern = re.sub(r"\(\?![^)]*\)", "", pattern)
    pattern = re.sub(r"\(\?:([^|)]*)[^)]*\)\??", r"\1", pattern)
    pattern = re.sub(r"\[(\w)[^\]]*\](?!\{)", r"\1", pattern)
    pattern = re.sub(r"\[[^\]]*w[^\]]*\]\{(\d+)[,\d]*\}", r"{alnum:\1}", pattern)
    pattern = re.sub(r"\[[^\]]*[g-z][^\]]*\]\{(\d+)[,\d]*\}", r"{lower:\1}", pattern)
    pattern = re.sub(r"\[[^\]]*\]\{(\d+)[,\d]*\}", r"{hex:\1}", pattern)
    return re.sub(r"\\d\{(\d+)[,\d]*\}", r"{digits:\1}", pattern).replace("\\", "")


_ISSUERS: tuple[Rule, ...] = (
    _named("adafruit-key", "adafruit", "word32"),
    _named("adobe-client-id", "adobe", "hex32"),
    _named("algolia-key", "algolia", "alnum32"),
    _named("alibaba-secret", "alibaba aliyun alicloud", "alnum30"),
    _named("asana-secret", "asana", "alnum32"),
    _named("atlassian-token", "atlassian confluence jira", "alnum24"),
    _named("auth0-secret", "auth0", "word64"),
    _named("azure-key", "azure", "alnum52", "hex32"),
    _named("beamer-token", "beamer", r"b_[\w=\-]{44}"),
    _named("bitbucket-secret", "bitbucket", "word64", "alnum32"),
    _named("bittrex-key", "bittrex", "alnum32"),
    _named("cloudant-key", "cloudant clou_ cl_", "hex64", "[a-z]{24}"),
    _named("cloudflare-key", "cloudflare cf_api", "word40", "hex37"),
    _named("codecov-token", "codecov", "alnum32", "uuid"),
    _named("cohere-key", "cohere co_api_key", "alnum40"),
    _named("coinbase-token", "coinbase", "word64"),
    _named("confluent-key", "confluent", "alnum64", "alnum16"),
    _named("contentful-token", "contentful", "word43-64"),
    _named("datadog-key", "datadog dd_api dd_app", "alnum40", "hex32"),
    _named("deepgram-key", "deepgram", "hex40"),
    _named("discord-secret", "discord", "word32", "hex64"),
    _named("drone-token", "droneci drone_token drone_secret", "alnum32"),
    _named("dropbox-token", "dropbox", "alnum15", r"[a-z0-9]{11}aaaaaaaaaa[\w=\-]{43}", r"sl\.[\w=\-]{135}"),
    _named("elevenlabs-key", "elevenlabs eleven_", "hex32"),
    _named("etsy-token", "etsy", "alnum24"),
    _named("facebook-secret", "facebook fb_app", "hex32"),
    _named("fastly-token", "fastly", "word32"),
    _named("finicity-token", "finicity", "hex32", "alnum20"),
    _named("finnhub-token", "finnhub", "alnum20", "alnum40"),
    _named("flickr-token", "flickr", "alnum32"),
    _named("freshbooks-token", "freshbooks", "alnum64"),
    _named("gitter-token", "gitter", "word40"),
    _named("gocardless-token", "gocardless", r"live_[\w\-=]{40}"),
    _named("heroku-key", "heroku", "uuid"),
    _named("hubspot-key", "hubspot", "uuid"),
    _named("ibm-key", "ibm cloud_iam cloud-iam", r"[\w\-]{44}", "hex48"),
    _named("intercom-key", "intercom", r"[a-z0-9=_\-]{60}"),
    _named("jfrog-token", "jfrog artifactory bintray xray", "alnum73", "alnum64"),
    _named("jumpcloud-key", "jumpcloud", "alnum40"),
    _named("kraken-key", "kraken", r"[a-z0-9/=_+\-]{80,90}"),
    _named("kucoin-key", "kucoin", "hex24", "uuid"),
    _named("lastfm-key", "lastfm last_fm", "hex32"),
    _named("launchdarkly-token", "launchdarkly", r"[a-z0-9=_\-]{40}"),
    _named("line-secret", "line_channel linebot", "hex32"),
    _named("linear-secret", "linear", "hex32"),
    _named("linkedin-secret", "linkedin linked_in linked-in", "alnum16", "alnum14"),
    _named("linode-token", "linode", "hex64"),
    _named("lob-key", "lob", r"(?:live|test)_[a-f0-9]{35}", r"(?:live|test)_pub_[a-f0-9]{31}"),
    _named("looker-key", "looker", "alnum24", "alnum20"),
    _named("mailchimp-key", "mailchimp", r"[a-f0-9]{32}-us\d{2}", "hex32"),
    _named("mailgun-key", "mailgun", r"(?:pub)?key-[a-f0-9]{32}", r"[a-h0-9]{32}-[a-h0-9]{8}-[a-h0-9]{8}"),
    _named("mapbox-token", "mapbox", r"[ps]k\.[a-z0-9_\-]{60,120}\.[a-z0-9_\-]{22}"),
    _named("mattermost-token", "mattermost", "alnum26"),
    _named("maxmind-key", "maxmind geoip", "word40", "alnum16"),
    _named("meraki-key", "meraki", "hex40"),
    _named("messagebird-key", "messagebird message_bird message-bird", "alnum25", "uuid"),
    _named("mistral-key", "mistral", "alnum32"),
    _named("mixpanel-secret", "mixpanel", "hex32"),
    _named("netlify-token", "netlify", r"[a-z0-9=_\-]{40,46}"),
    _named(
        "newrelic-key",
        "newrelic new_relic new-relic",
        r"nr(?:js|ii|ak|ra|aa|al|iq)-[\w\-]{19,40}",
        "alnum64",
        "hex40",
        r"[a-f0-9]{36}nral",
    ),
    _named("nytimes-key", "nytimes new-york-times newyorktimes new_york_times", r"[a-z0-9=_\-]{32}"),
    _named("okta-token", "okta", r"00[\w=\-]{40}"),
    _named("opsgenie-key", "opsgenie", "uuid"),
    _named("pagerduty-key", "pagerduty", r"[a-z0-9+_\-]{20}", "hex32"),
    _named("paypal-secret", "paypal braintree", r"[\w\-]{80}", "hex32"),
    _named("pinecone-key", "pinecone", "uuid"),
    _named("plaid-key", "plaid", "alnum30", "alnum24", rf"access-(?:sandbox|development|production)-{_UUID}"),
    _named("postmark-token", "postmark", "uuid"),
    _named("privateai-token", "privateai private_ai private-ai", "alnum32"),
    _named("pusher-secret", "pusher", "hex20"),
    _named("rapidapi-key", "rapidapi rapid_api rapid-api", "word50"),
    _named("razorpay-secret", "razorpay", "alnum24"),
    _named("rollbar-token", "rollbar", "hex32"),
    _named("scaleway-key", "scaleway scw_secret", "uuid"),
    _named("segment-key", "segment_write segment_api", "alnum32"),
    _named("sendbird-token", "sendbird", "hex40", "uuid"),
    _named("sentry-token", "sentry", "hex64"),
    _named("shodan-key", "shodan", "alnum32"),
    _named("snyk-token", "snyk", "uuid"),
    _named("softlayer-key", "softlayer sl_ sl- slapi slkey slpass slpwd", "hex64"),
    _named("sonar-token", "sonarqube sonar_token sonar.login sonar_login sonar.token", r"(?:sqp_|sqa_|squ_)?[a-f0-9]{40}"),
    _named("spotify-secret", "spotify", "hex32"),
    _named("square-token", "square", r"(?:eaaa|sq0atp-)[\w\-+=]{22,60}", r"sq0csp-[\w\-]{43}"),
    _named("squarespace-token", "squarespace", "uuid"),
    _named("sumologic-key", "sumo", "alnum64", r"su[a-z0-9]{12}"),
    _named("telegram-token", "telegr", r"\d{5,16}:a[\w\-]{34}(?!-)"),
    _named("tencent-secret", "tencent qcloud", "alnum32"),
    _named("trello-key", "trello", "hex64", "hex32"),
    _named("travis-token", "travis", "word22"),
    _named("twilio-token", "twilio", "hex32"),
    _named("twitch-token", "twitch", "alnum30"),
    _named(
        "twitter-key",
        "twitter",
        r"aaaaaaaaaaaaaaaaaaaaa[a-z0-9%]{60,110}",
        r"\d{15,25}-[a-z0-9]{20,45}",
        "alnum50",
        "alnum45",
        "alnum25",
    ),
    _named("vercel-token", "vercel now_token", "alnum24"),
    _named("vultr-key", "vultr", "alnum36"),
    _named("wakatime-key", "wakatime", "uuid"),
    _named("wandb-key", "wandb weights_and", "hex40"),
    _named(
        "yandex-key", "yandex", r"aqvn[\w\-]{35,38}", r"y[co][\w\-]{38}", r"t1\.[a-z0-9_\-]{1,80}={0,2}\.[a-z0-9_\-]{86}={0,2}"
    ),
    _named("zendesk-key", "zendesk", "alnum40"),
)

_TRIGGER = (
    f"(?:{'|'.join(re.escape(word) for rule in _ISSUERS for word in rule.literals)})"
    r"[\w.\-\"'`\\ \t\[\],]*(?:[=:>,]|%3|\s+[\"']?value)"
)

NAMED: tuple[Rule, ...] = tuple(replace(rule, trigger=_TRIGGER) for rule in _ISSUERS)
"""All of them are looked for at once: one pattern is quickly compiled, a hundred aren't."""
