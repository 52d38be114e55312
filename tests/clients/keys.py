"""The cloud's official clients for temporary keys against the simulated STS and metadata service: what these accept is what real clients
send, and what they refuse they refuse with the documented codes.

usage: keys.py STS_URL METADATA_URL TOKENS     as `cargo sandbox sts --takes-queries --tokens TOKENS` prints them
"""

import logging
import os
import sys
import tempfile
import time
import urllib.parse

from alibabacloud_credentials.provider import (
    EcsRamRoleCredentialsProvider,
    OIDCRoleArnCredentialsProvider,
    RamRoleArnCredentialsProvider,
)
from alibabacloud_sts20150401 import models
from alibabacloud_sts20150401.client import Client
from alibabacloud_tea_openapi.models import Config
from darabonba.runtime import RuntimeOptions

from checks import Checks
from tls import Tls

KEY, SECRET = "sandbox-key", "sandbox-secret"
ROLE = "acs:ram::1234567890123456:role/sandbox"
SPOKE = "acs:ram::6543210987654321:role/sandbox-spoke"
PROVIDER = "acs:ram::1234567890123456:oidc-provider/sandbox"
EXTERNAL_ID = "sandbox-external-id"
POLICY = '{"Version":"1","Statement":[{"Effect":"Allow","Action":"rds:*","Resource":"*"}]}'


def lives(expiration, seconds):
    """Whether a key ends in about so many seconds."""
    return abs(expiration - time.time() - seconds) < 30


class Sts:
    """alibabacloud-sts20150401 over https."""

    def __init__(self, tls):
        self._tls = tls

    def _ask(self, key, secret, token, action, request):
        config = Config(access_key_id=key, access_key_secret=secret, security_token=token, endpoint=self._tls.address)
        runtime = RuntimeOptions(autoretry=False, max_attempts=1, connect_timeout=5000, read_timeout=10000, ca=self._tls.ca)
        try:
            return getattr(Client(config), action)(request, runtime).body.credentials, "OK"
        except Exception as error:  # the client has classes of its own for refusals
            return None, getattr(error, "code", None) or "%s: %s" % (type(error).__name__, error)

    def assume(self, key=KEY, secret=SECRET, token=None, **parameters):
        parameters = dict(dict(role_arn=ROLE, role_session_name="by-client"), **parameters)
        return self._ask(key, secret, token, "assume_role_with_options", models.AssumeRoleRequest(**parameters))

    def with_token(self, path, **parameters):
        with open(path) as file:
            token = file.read()
        parameters = dict(dict(role_arn=ROLE, oidcprovider_arn=PROVIDER, oidctoken=token, role_session_name="by-client"), **parameters)
        return self._ask(None, None, None, "assume_role_with_oidcwith_options", models.AssumeRoleWithOIDCRequest(**parameters))


def ends_at(key):
    return time.mktime(time.strptime(key.expiration, "%Y-%m-%dT%H:%M:%SZ")) - time.timezone


def check_sts(checks, sts, tokens):
    name = "alibabacloud-sts20150401"
    key, code = sts.assume()
    checks.check("%s: AssumeRole gives a key" % name, (code, bool(key and key.access_key_id.startswith("STS."))), ("OK", True))
    checks.check("%s: ... of an hour" % name, lives(ends_at(key), 3600), True)
    short, code = sts.assume(duration_seconds=900, policy=POLICY)
    checks.check("%s: ... of 15 minutes, with a policy" % name, (code, lives(ends_at(short), 900)), ("OK", True))
    spoke = dict(key=key.access_key_id, secret=key.access_key_secret, token=key.security_token, role_arn=SPOKE)
    checks.check("%s: a role assumes another one" % name, sts.assume(external_id=EXTERNAL_ID, **spoke)[1], "OK")
    checks.check("%s: ... and not without the external id" % name, sts.assume(**spoke)[1], "NoPermission")
    for what, parameters, expected in [
        ("a wrong key", dict(key="nobody"), "InvalidAccessKeyId.NotFound"),
        ("a wrong secret", dict(secret="wrong"), "SignatureDoesNotMatch"),
        ("a role that is not there", dict(role_arn=ROLE + "-x"), "EntityNotExist.Role"),
        ("a session that is too short", dict(duration_seconds=60), "InvalidParameter.DurationSeconds"),
        ("a policy that is none", dict(policy="{"), "InvalidParameter.PolicyGrammar"),
    ]:
        checks.check("%s: %s" % (name, what), sts.assume(**parameters)[1], expected)
    path = os.path.join(tokens, "token")
    key, code = sts.with_token(path)
    checks.check("%s: AssumeRoleWithOIDC gives a key" % name, (code, bool(key and lives(ends_at(key), 3600))), ("OK", True))
    for what, path, parameters, expected in [
        ("an expired token", "expired", {}, "AuthenticationFail.OIDCToken.Expired"),
        ("a token for another audience", "other-audience", {}, "AuthenticationFail.OIDCToken.AudienceNotMatch"),
        ("a provider that is not there", "token", dict(oidcprovider_arn=PROVIDER + "-x"), "AuthenticationFail.NoPermission"),
        ("a role that does not trust the token", "token", dict(role_arn=SPOKE), "AuthenticationFail.NoPermission"),
    ]:
        checks.check("%s: %s" % (name, what), sts.with_token(os.path.join(tokens, path), **parameters)[1], expected)


def outcome(provider):
    """Whether the provider has a key, or the code in what it says."""
    try:
        key = provider.get_credentials()
    except Exception as error:
        return str(error), None
    return "OK", key


def check_providers(checks, tls, tokens):
    def over_tls(provider):
        provider._runtime_options["ca"] = tls.ca
        return provider

    def by_key(**parameters):
        given = dict(access_key_id=KEY, access_key_secret=SECRET, role_arn=ROLE, sts_endpoint=tls.address, **parameters)
        return over_tls(RamRoleArnCredentialsProvider(**given))

    def by_token(name, role=ROLE):
        path = os.path.join(tokens, name)
        provider = OIDCRoleArnCredentialsProvider(
            role_arn=role, oidc_provider_arn=PROVIDER, oidc_token_file_path=path, sts_endpoint=tls.address
        )
        return over_tls(provider)

    name = "alibabacloud-credentials"
    code, key = outcome(by_key(duration_seconds=900, policy=POLICY))
    found = (code, bool(key and key.get_access_key_id().startswith("STS.") and lives(key._expiration, 900)))
    checks.check("%s: the provider of AssumeRole" % name, found, ("OK", True))
    hub = by_token("token")
    code, key = outcome(hub)
    found = (code, bool(key and key.get_security_token() and lives(key._expiration, 3600)))
    checks.check("%s: the provider of AssumeRoleWithOIDC" % name, found, ("OK", True))
    chained = RamRoleArnCredentialsProvider(
        credentials_provider=hub, role_arn=SPOKE, external_id=EXTERNAL_ID, sts_endpoint=tls.address
    )
    checks.check("%s: ... and another role with its key" % name, outcome(over_tls(chained))[0], "OK")
    for file, expected in [("expired", "OIDCToken.Expired"), ("other-audience", "OIDCToken.AudienceNotMatch")]:
        checks.check("%s: a token that is no proof (%s)" % (name, file), expected in outcome(by_token(file))[0], True)


def check_node(checks, address):
    def of(role):
        provider = EcsRamRoleCredentialsProvider(role_name=role, disable_imds_v1=True, async_update_enabled=False)
        # It knows no other way to be told where the service is.
        provider._EcsRamRoleCredentialsProvider__metadata_service_host = address
        return provider

    name = "alibabacloud-credentials"
    for what, role in [("the role of the node", None), ("a role by its name", "node-role")]:
        code, key = outcome(of(role))
        found = (code, bool(key and key.get_access_key_id().startswith("STS.") and key.get_security_token()))
        checks.check("%s: the provider of EcsRamRole, %s, version 2" % (name, what), found, ("OK", True))
    checks.check("%s: ... and a role that the node has not" % name, "404" in outcome(of("other"))[0], True)


def main(sts_url, metadata_url, tokens):
    # The clients write the stack of every refusal that is checked here.
    logging.disable(logging.CRITICAL)
    checks = Checks()
    target = urllib.parse.urlsplit(sts_url)
    with tempfile.TemporaryDirectory() as directory:
        tls = Tls((target.hostname, target.port), directory)
        check_sts(checks, Sts(tls), tokens)
        check_providers(checks, tls, tokens)
        check_node(checks, urllib.parse.urlsplit(metadata_url).netloc)
        tls.close()
    print("keys: %d checks, %d ok, %d failed" % (checks.done, checks.done - checks.failed, checks.failed))
    return 1 if checks.failed else 0


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__.strip())
    sys.exit(main(*[argument.rstrip("/") for argument in sys.argv[1:]]))
