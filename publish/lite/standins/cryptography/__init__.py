"""Stand in for the library cryptography, where it has no wheel: in a browser's Pyodide.

It holds what the lesson, the sandbox and moto's IoT can reach in a page, under the library's names,
whose documentation says what each does: https://cryptography.io. It signs and checks RSA only; an
elliptic key is recognised, no more. Damage is a ValueError, but not every breach of DER is noticed:
a certificate counts here because it is registered. How long it takes may give a secret away.
"""
