"""Names: which ones are those of secrets, written out word by word, so that none can be lost unnoticed."""

import pytest

from chaos_harness.harness.redaction.names import is_secret

ENDINGS = (
    *("password", "passwd", "passphrase", "passcode", "pwd", "kennwort"),
    *("token", "secret", "credential", "credentials", "cookie"),
    *("apikey", "privatekey", "secretkey", "accesskey", "accountkey", "signingkey", "encryptionkey"),
)
ALONE = ("pass", "pw", "pat", "creds", "jwt", "psk", "authorization", "otp")
OF_KEYS = (
    *("access", "account", "api", "app", "application", "auth", "certificate", "client", "consumer", "crypto"),
    *("decryption", "deploy", "dsa", "ecdsa", "encryption", "function", "hmac", "instrumentation", "license"),
    *("master", "private", "rsa", "secret", "server", "session", "shared", "signing", "ssh", "ssl", "storage"),
    *("subscription", "tls", "webhook"),
)
OF_ENVIRONMENT = ("key", "keys", "auth", "cred", "dsn", "salt", "tokens", "passwords", "secrets")
OBJECTS = ("existing", "pull", "tls", "cert", "certificate", "checksum", "hash")
TAILS = (
    *("base", "data", "value", "base64", "b64", "plain", "plaintext", "text", "raw", "string"),
    *("json", "hash", "hex", "encoded", "current", "old", "new", "1"),
)


@pytest.mark.parametrize("word", [*ENDINGS, *ALONE])
def test_a_secret_is_named_by_its_last_word(word: str) -> None:
    """However the words are joined, and alone."""
    assert [
        name for name in (word, f"my-{word}", f"MY_{word.upper()}", f"my{word.title()}") if not is_secret(name)
    ] == []


@pytest.mark.parametrize("word", ENDINGS)
def test_a_word_may_end_with_that_of_a_secret(word: str) -> None:
    """Such as `dbpassword`, without a sign between the two."""
    assert is_secret(f"db{word}")


@pytest.mark.parametrize("word", ALONE)
def test_a_short_word_counts_alone_only(word: str) -> None:
    """Such as `bypass` and `adopt`: words that end alike are no secrets."""
    assert not is_secret(f"xy{word}")


@pytest.mark.parametrize("word", OF_KEYS)
def test_a_key_is_a_secret_by_the_word_before_it(word: str) -> None:
    """One key or several; a key by itself is not, for most are names."""
    assert is_secret(f"{word}-key")
    assert is_secret(f"{word}_keys")
    assert not is_secret(f"{word}-keyed")


@pytest.mark.parametrize("word", OF_ENVIRONMENT)
def test_some_words_are_secrets_in_variables_only(word: str) -> None:
    """`REDIS_AUTH` holds one, a field `redis-auth` seldom does."""
    assert is_secret(f"REDIS_{word.upper()}")
    assert not is_secret(f"redis-{word}")


@pytest.mark.parametrize("word", OBJECTS)
def test_the_name_of_an_object_is_no_secret(word: str) -> None:
    """`imagePullSecret` is what a Secret is called."""
    assert not is_secret(f"{word}Secret")


@pytest.mark.parametrize("tail", TAILS)
def test_what_follows_a_name_hides_no_secret(tail: str) -> None:
    """`client-key-data` is one, and so is `TOKEN_1`."""
    assert is_secret(f"client-key-{tail}")
    assert is_secret(f"TOKEN_{tail.upper()}")
