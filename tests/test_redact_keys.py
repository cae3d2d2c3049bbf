"""
Names of fields that say that their value is a secret, and names that only look like it.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies import any_text
from tierlog.redact._keys import is_count, is_personal, is_sensitive, plain


SENSITIVE = """
    SETCOOKIE db_pass_secure ibm-iam_key square_oauth
    password passwd pwd secret token api_key apikey apiKey APIKey API_KEY x-api-key X-Api-Key Authorization
    Proxy-Authorization proxy_authorization cookie Cookie Set-Cookie set_cookie setCookie private_key privateKey
    PRIVATE_KEY privkey credential credentials session_id sessionId sessionid SESSIONID PHPSESSID JSESSIONID
    ASP.NET_SessionId dsn SENTRY_DSN connection_string connectionString ConnectionStrings:Default
    ConnectionStrings__DefaultConnection conn_str db_password dbpassword DBPASSWORD dbPassword dbPass db_pass userpass
    user_pass smtpPass PGPASSWORD MYSQL_PWD AWS_SESSION_TOKEN AWS_SECRET_ACCESS_KEY AWS_ACCESS_KEY_ID aws_access_key_id
    AWSAccessKeyId NPM_TOKEN npm_config__authToken npm_config__auth _auth _authToken _password
    GOOGLE_APPLICATION_CREDENTIALS_JSON GITHUB_TOKEN GH_PAT GITHUB_PAT CI_JOB_TOKEN TWINE_PASSWORD SECRET_KEY_BASE
    DJANGO_SECRET_KEY SECRET_KEY APP_KEY RAILS_MASTER_KEY JWT_SECRET jwt jwt_secret id_token idToken access_token
    accessToken accesstoken refresh_token refreshToken client_secret clientSecret clientsecret consumer_secret consumerKey
    oauth_token oauth_token_secret oauth2_access_token code_verifier client_assertion SAMLResponse assertion_token bearer
    bearer_token csrf csrftoken csrf_token csrfmiddlewaretoken _csrf X-CSRF-Token X-XSRF-TOKEN XSRF-TOKEN xsrf
    authenticity_token __RequestVerificationToken totp totp_secret otp otp_code otpCode mfa_code 2fa_code 2faCode
    two_factor_code recovery_code recovery_codes recoveryCodes backup_codes verification_code security_code
    one_time_password one_time_code cvv cvc cvv2 card_cvc pin card_pin userPin passcode passphrase pass_phrase passPhrase
    PassWord pass-word webhook_secret webhookSecret slack_webhook SLACK_WEBHOOK_URL sas_token sasToken sas_url
    SharedAccessSignature SharedAccessKey AccountKey account_key AZURE_STORAGE_KEY x-amz-signature X-Amz-Signature
    X-Amz-Security-Token X-Amz-Credential x-goog-signature X-Hub-Signature-256 Stripe-Signature session user_session
    laravel_session _gitlab_session connect.sid sid session_token session_key sessionKey sess encryption_key encryptionKey
    ENCRYPTION_KEY fernet_key AIRFLOW__CORE__FERNET_KEY signing_key signingKey ORG_GRADLE_PROJECT_signingKey master_key
    ssh_key sshPrivateKey id_rsa deploy_key license_key licenseKey NEW_RELIC_LICENSE_KEY DD_API_KEY DD_APP_KEY
    SUPABASE_SERVICE_ROLE_KEY OPENAI_API_KEY OPENAI_KEY stripe_key STRIPE_SECRET_KEY ANTHROPIC_API_KEY client-key-data
    client_key service_account_key GCP_SA_KEY .dockerconfigjson DOCKER_AUTH_CONFIG REDISCLI_AUTH redis_auth basic_auth
    http_auth auth x-auth x-auth-token X-Auth-Key auth_token authToken authtoken auth_code authorization_code
    authorizationCode auth_header auth_key Ocp-Apim-Subscription-Key X-RapidAPI-Key X-Functions-Key X-Vault-Token
    VAULT_TOKEN X-Shopify-Hmac-Sha256 Private-Token Job-Token PRIVATE-TOKEN Cf-Access-Jwt-Assertion
    CF-Access-Client-Secret pw db_pw LDAP_BIND_PW pswd password1 password_2 token2 api_key_2 passwordConfirmation
    password_confirmation password_hash password_digest hashed_password hashedPassword encrypted_password user[password]
    user.password params[:token] my_password_value my_api.key_value my_private-key_value my_credential_value
    my_cookie_value my_authorization_value secretkey mysecretkey accesskey secretaccesskey xapikey githubtoken npmtoken
    stripesecretkey sessiontoken refreshtoken passwords secrets tokens access_tokens refreshTokens api_tokens apiKeys
    api_keys API_KEYS privateKeys secret_id secretId SecretString secret_access_key seed_phrase seedPhrase mnemonic
    wallet_seed recovery_phrase security_answer secretAnswer psk wpa_psk pre_shared_key preshared_key
    RABBITMQ_ERLANG_COOKIE MINIO_ROOT_PASSWORD BORG_PASSPHRASE PULUMI_CONFIG_PASSPHRASE SSHPASS sshpass PGPASS pass
    htpasswd kubeconfig presigned_url signedUrl reset_link resetPasswordToken magic_link auth_salt SECURE_AUTH_SALT
    LOGGED_IN_SALT contraseña пароль 密码 senha PasswordHash JWTs OAuthToken oauthToken ACTIONS_RUNTIME_TOKEN
    ACTIONS_ID_TOKEN_REQUEST_TOKEN TF_VAR_db_password spring.datasource.password SPRING_DATASOURCE_PASSWORD
    javax.net.ssl.keyStorePassword keystorePassword keyPass storePassword ssl.key.password sasl.jaas.config.password
    connectionToken device_code pylf_token logfire-token token_value tokenValue tokenSecret new_password old_password
    newPassword currentPassword confirm_password password2 user_pwd userpwd AdminPwd --password password: ｐａｓｓｗｏｒｄ
    HTTP_AUTHORIZATION HTTP_COOKIE HTTP_X_API_KEY x-forwarded-access-token X-Goog-Iap-Jwt-Assertion personal_access_token
    PersonalAccessToken ghToken bot_token botToken webhook_token verify_token push_token fcm_token device_token
    temp_password root_pass adminpassword passwordfoo cfg_passwd rootpw apitoken api-token client_key_data private_key_pem
    privateKeyPem key_pem unseal_keys pbkdf_salt id_token_hint basicAuth proxyAuth HEROKU_API_KEY CLOUDFLARE_API_TOKEN
    SLACK_BOT_TOKEN ALGOLIA_ADMIN_KEY GOOGLE_MAPS_KEY X-Plex-Token plaid_secret coshmac_secret_key softlayer_key ibm_key
    sl_pass cos_hmac_secret_access_key sumologic_accesskey ibmcloudiamapikey openaiapikey hubspotkey ApIkEy cookies
    session_cookie sessionCookie cookie_value device_key management_key system_pass server_pass
""".split()
"""Names as programs, headers, variables and clouds write them."""

HARMLESS = """
    author authors Author authored_by authority authorities author_id authr authorized authorize authorizer
    authorization_url authorizationEndpoint authorization_type authenticated isAuthenticated auth_method authMethod
    auth_type auth_provider auth_url auth_enabled auth_status authenticator authentication_method tokens_used tokensUsed
    max_tokens maxTokens max_new_tokens total_tokens totalTokens prompt_tokens prompt-tokens completion_tokens
    input_tokens output_tokens cached_tokens reasoning_tokens token_count tokenCount tokencount token_type tokenType
    token_limit tokens_per_second tokens_per_minute tokenizer tokenized tokenize token_bucket token_bucket_size
    cost_per_token price_per_token token_expires_at token_expires_in token_expiry tokenExpiry next_page_token
    nextPageToken next_token nextToken page_token continuation_token ContinuationToken pagination_token sync_token
    session_count sessionCount session_duration sessionDuration session_timeout session_length sessions_total secretary
    secretariat secret_name secretName secret_count secret_arn secret_version secretKeyRef secretRef imagePullSecrets
    secret_santa secretSanta secret_santa_list password_changed_at passwordChangedAt password_reset_required
    passwordLength password_length password_policy password_strength passwordless password_min_length
    AUTH_PASSWORD_VALIDATORS PASSWORD_HASHERS password_expires_at password_field forgot_password key keys Key keyboard
    keyword keywords keyname keyspace primary_key primaryKey foreign_key public_key publicKey PUBLIC_KEY cache_key
    cacheKey partition_key sort_key sortKey hash_key key_id keyId kid kms_key_id routing_key idempotency_key object_key
    s3_key storage_key remote_key site_key publishable_key project_key ssh_public_key ssh_key_fingerprint api_key_id
    api_key_name apiKeyName api_key_count monkey donkey turkey passenger passengers passed passes_total passing compass
    bypass trespass overpass passport pass_rate passthrough pass_through boarding_pass first_pass render_pass
    cookie_consent cookieConsent cookies_enabled cookie_policy cookie_domain cookie_name cookie_banner cookie_path
    cookie_secure SESSION_COOKIE_AGE SESSION_COOKIE_NAME CSRF_COOKIE_NAME csp credential_type credentialType credential_id
    credentials_provider signature signature_algorithm signatureAlgorithm signature_version salt pincode pin_code pinCode
    postcode postal_code country_code status_code error_code code exit_code zip_code gpio_pin led_pin pinned pinata
    spinner mapping shipping pattern pat path patch sidebar side inside residence president account_sid message_sid
    oracle_sid ssid bssid user_sid dsname id user_id userId request_id trace_id username user email host hostname otp_app
    otp_release otp_enabled otp_sent_at mfa_enabled two_factor_enabled seed random_seed nonce state challenge
    code_challenge PATH HOME SHELL XDG_SESSION_ID XDG_SESSION_TYPE DESKTOP_SESSION TERM_SESSION_ID WT_SESSION
    SSH_AUTH_SOCK GPG_TTY DBUS_SESSION_BUS_ADDRESS SESSION_MANAGER secret_path token_file private_key_path password_file
    PASSWORD_FILE SSL_CERT_FILE webhook_url webhook_id database_url redis_url oauth oauth_provider oauthScope assertion
    assertions response description title content_type content-length etag if-none-match x-request-id user-agent referer
    accept authorId is_author coauthors sessionize obsession possession session_state sessionStart session_started_at
    session_end_time credit_card ssn tax_id token_symbol token_address tokenId lead_id secretsmanager_arn cryptography
    encrypted encryption encryption_algorithm certificate fingerprint hash sha256 checksum digest keystone keystroke
    hotkey shortcut_key lookup_key dict_key map_key group_key message_key dedup_key row_key row_keys sort_keys gpg_key
    design signing assigned signed_at signed_in license licensed discover card cvs csv pwm pvc crl accessed access
    access_level access_type accesslog accessibility service services account accounts client clients apis api api_version
    api_url app_name application subscription subscription_id device_id recovery_mode recoverypoint backup_id unseal
    invitation masterclass master rooted root_dir vault_addr VAULT_ADDR compassion classpass eos_token pad_token
    user_secrets_id UserSecretsId secretsId nonMatchingToken not_secret fake_token passwordVariable
    keyVaultToStoreSecrets bucket_for_secrets special_tokens bos_token stop_tokens word_tokens first_token_ms is_valid remember_me
""".split()
"""Names that look or sound alike, or tell something about secrets."""


STYLES = {
    "snake": "_".join,
    "kebab": "-".join,
    "dotted": ".".join,
    "spaces": " ".join,
    "double": "__".join,
    "brackets": lambda words: words[0] + "".join(f"[{word}]" for word in words[1:]),
    "screaming": lambda words: "_".join(words).upper(),
    "camel": lambda words: words[0] + "".join(map(str.capitalize, words[1:])),
    "pascal": lambda words: "".join(map(str.capitalize, words)),
    "header": lambda words: "X-" + "-".join(map(str.capitalize, words)),
    "flag": lambda words: "--" + "-".join(words),
    "quoted": lambda words: f"'{'_'.join(words)}'",
    "numbered": lambda words: "_".join([*words, "2"]),
    "prefixed": lambda words: "_".join(["acme", *words]),
}

PHRASES = [
    name.split("_")
    for name in (
        "password secret token api_key private_key access_token refresh_token client_secret session_id connection_string dsn "
        "set_cookie proxy_authorization db_pass one_time_code recovery_codes encryption_key access_key_id seed_phrase sas_url"
    ).split()
]


class TestSensitive:
    @pytest.mark.parametrize("name", SENSITIVE)
    def test_is_hidden(self, name):
        """
        What is called a secret, by anyone, is one.
        """
        assert is_sensitive(name)

    @pytest.mark.parametrize("style", STYLES)
    @pytest.mark.parametrize("words", PHRASES, ids="_".join)
    def test_in_any_style(self, words, style):
        """
        A name is the same name in every case style, with a prefix, and with a number.
        """
        assert is_sensitive(STYLES[style](words))

    @pytest.mark.parametrize(
        "name",
        [
            pytest.param("pass\u200bword", id="unseen-character"),
            pytest.param("\uff50\uff41\uff53\uff53\uff57\uff4f\uff52\uff44", id="wide-letters"),
            pytest.param("contrase\u00f1a", id="accent"),
            pytest.param("contrasen\u0303a", id="accent-of-its-own"),
            pytest.param('"password"', id="quotes"),
            pytest.param("password:", id="colon"),
        ],
    )
    def test_however_it_is_spelled(self, name):
        """
        Accents, wide letters, unseen characters and signs are no hiding place.
        """
        assert is_sensitive(name)

    @pytest.mark.parametrize("where", ["{}_password", "password_{}", "{}.password.x"])
    def test_long_name(self, where):
        """
        Of a name of any length, the ends are looked at.
        """
        assert is_sensitive(where.format("x" * 300_000))


class TestHarmless:
    @pytest.mark.parametrize("name", HARMLESS)
    def test_stays(self, name):
        """
        What counts, dates, names or only sounds like a secret stays.
        """
        assert not is_sensitive(name)

    @pytest.mark.parametrize("style", STYLES)
    @pytest.mark.parametrize(
        "name",
        ["max_tokens", "token_count", "password_changed_at", "cookie_consent", "next_page_token", "primary_key", "author_id"],
    )
    def test_in_any_style(self, name, style):
        """
        Harmless names are harmless in every style.
        """
        assert not is_sensitive(STYLES[style](name.split("_")))

    @pytest.mark.parametrize("name", ["", "_", "-", "1", "\u00e9", " ", "*", "$", "[]", "\u200b"])
    def test_without_words(self, name):
        """
        A name without words says nothing.
        """
        assert (is_sensitive(name), is_personal(name), is_count(name)) == (False, False, False)


class TestCounts:
    @pytest.mark.parametrize("name", ["tokens", "sessions", "secrets", "activePasswords", "cookies", "pass"])
    def test_plural(self, name):
        """
        A number called by a plural counts secrets, and so does the number of tests that pass.
        """
        assert is_count(name)

    @pytest.mark.parametrize("name", ["token", "pin", "otp", "db_pass", "password", "sas", "sess"])
    def test_singular(self, name):
        """
        Any other number may be the secret.
        """
        assert not is_count(name)


class TestPersonal:
    @pytest.mark.parametrize(
        "name",
        ["ssn", "SSN", "social_security", "socialSecurityNumber", "credit_card", "creditCardNumber", "my_credit_card_value"]
        + ["cardNumber", "card-number", "iban", "user.ssn", "my_ssn_value", "passport_number", "taxId", "creditcard"],
    )
    def test_numbers_of_cards_and_papers(self, name):
        """
        Numbers of cards, accounts and papers are personal, and no secrets by themselves.
        """
        assert (is_personal(name), is_sensitive(name)) == (True, False)

    @pytest.mark.parametrize(
        "name", ["card_count", "credit_card_type", "assn", "session", "discard", "cardinal_number", "tax_rate"]
    )
    def test_others(self, name):
        """
        What describes them isn't.
        """
        assert not is_personal(name)


class TestProperties:
    @given(name=any_text)
    def test_any_name_has_an_answer(self, name):
        """
        No name is too strange.
        """
        assert {type(is_sensitive(name)), type(is_personal(name)), type(is_count(name))} == {bool}

    @given(words=st.sampled_from(PHRASES), before=st.lists(st.sampled_from(["acme", "main", "x", "eu", "v"]), max_size=3))
    def test_what_stands_before_it_changes_nothing(self, words, before):
        """
        A secret of somebody is a secret.
        """
        assert is_sensitive("_".join([*before, *words]))

    @given(
        words=st.sampled_from(PHRASES),
        end=st.sampled_from(["count", "expires_at", "url", "type", "length", "enabled", "policy", "name", "status"]),
    )
    def test_what_is_said_about_it_stays(self, words, end):
        """
        What ends in a word that counts, dates or describes is harmless.
        """
        assert not is_sensitive("_".join([*words, end]))

    @given(text=any_text)
    def test_plain_twice_is_once(self, text):
        """
        A plain name is left as it is.
        """
        assert plain(plain(text)) == plain(text)
