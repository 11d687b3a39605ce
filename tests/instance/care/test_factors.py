"""The secrets of second factors are sealed anew with everything else."""

from allauth.mfa.models import Authenticator
from pytest_django import Settings

from portal.accounts.models import User
from portal.core import vault
from portal.instance.care import factors


def test_codes_and_recovery_seeds_come_along_and_their_rows_keep_the_rest(
    owner: User, settings: Settings, tmp_path: object
) -> None:
    settings.ENCRYPTION_KEYS = f"{tmp_path}/keys/encryption.json"
    totp = Authenticator.objects.create(user=owner, type="totp", data={"secret": vault.seal("canary")})
    codes = Authenticator.objects.create(
        user=owner, type="recovery_codes", data={"seed": vault.seal("seed"), "used_mask": 5}
    )
    Authenticator.objects.create(user=owner, type="webauthn", data={"name": "key", "credential": {}})
    assert factors.reseal(lambda text: text) == {1: 2}
    vault.add_key()

    assert factors.reseal(lambda text: vault.seal(vault.unseal(text))) == {2: 2}

    vault.drop_keys_below(2)
    totp.refresh_from_db()
    codes.refresh_from_db()
    assert vault.unseal(totp.data["secret"]) == "canary"
    assert (vault.unseal(codes.data["seed"]), codes.data["used_mask"]) == ("seed", 5)
