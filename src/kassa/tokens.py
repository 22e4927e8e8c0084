"""The card gate's token: a JWT of exactly ``sid`` and ``exp``, the same at every read.

See contract#card-gate.
"""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jws, jwt
from joserfc.errors import JoseError, UnsupportedAlgorithmError
from joserfc.jwa import JWSAlgModel
from joserfc.jwk import OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from kassa.config import Settings
from kassa.errors import SettingsWrong, Unauthorized
from kassa.sealing import Root

_REMEMBERED: Final = 10_000


class TokenSigner:
    """Signs and reads tokens under one key and one algorithm; anything signed otherwise is refused."""

    def __init__(self, settings: Settings, root: Root) -> None:
        """Take the key from the settings (RS512) or derive it from the root (EdDSA)."""
        self._algorithm = settings.token_algorithm
        self._key = _key(settings, root)
        self._registry = _OneAlgorithm(algorithms=[self._algorithm])
        self.sign = lru_cache(maxsize=_REMEMBERED)(self._sign)

    def _sign(self, session_id: str, expires_at: datetime) -> str:
        """Return the token of a card session, good until the invoice expires."""
        header = {"typ": "JWT", "alg": self._algorithm}
        claims = msgspec.json.encode({"sid": session_id, "exp": int(expires_at.timestamp())})
        # A JWT is claims in a JWS; said so, it takes a third less than jwt.encode does.
        return jws.serialize_compact(header, claims, self._key, registry=self._registry)

    def read(self, token: str, *, now: datetime) -> str:
        """Return the session id in a token. Raises ``Unauthorized`` for one that is forged, malformed or expired."""
        try:
            claims = jwt.decode(token, self._key, registry=self._registry).claims
        except (JoseError, ValueError):
            raise Unauthorized from None
        session_id, expires = claims.get("sid"), claims.get("exp")
        if set(claims) != {"sid", "exp"} or not isinstance(session_id, str) or not isinstance(expires, int):
            raise Unauthorized
        if datetime.fromtimestamp(expires, UTC) <= now:
            raise Unauthorized
        return session_id


class _OneAlgorithm(JWSRegistry):
    """Knows one algorithm by its name.

    The library's own warns of the name EdDSA, which RFC 9864 split by curve: with one key there is nothing to confuse.
    """

    def get_alg(self, name: str) -> JWSAlgModel:
        """Return the algorithm. Raises ``UnsupportedAlgorithmError`` for every other name."""
        if name not in (self.allowed or ()):
            raise UnsupportedAlgorithmError(f"Algorithm of '{name}' is not allowed")
        return self.algorithms[name]


def _key(settings: Settings, root: Root) -> OKPKey | RSAKey:
    match settings.token_algorithm:
        case "EdDSA":
            private = Ed25519PrivateKey.from_private_bytes(root.derive("gate-token"))
            return OKPKey.import_key(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        case "RS512":
            if settings.token_private_key is None:
                raise SettingsWrong("KASSA_TOKEN_ALGORITHM=RS512 needs KASSA_TOKEN_PRIVATE_KEY, an RSA key in PEM.")
            try:
                return RSAKey.import_key(settings.token_private_key)
            except (JoseError, ValueError):
                raise SettingsWrong("KASSA_TOKEN_PRIVATE_KEY should be an RSA private key in PEM.") from None
        case other:
            raise SettingsWrong(f"KASSA_TOKEN_ALGORITHM should be EdDSA or RS512, not {other!r}.")
