"""How RSA fills a signature up."""


class PKCS1v15:
    """The way of certificates: https://www.rfc-editor.org/rfc/rfc8017#section-9.2."""
