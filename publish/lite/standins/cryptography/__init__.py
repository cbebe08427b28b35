"""Stand in for the library cryptography, where it has no wheel: in a browser's Pyodide.

It holds what the lesson, the sandbox and moto's IoT ask of the library, under the library's own
names, whose documentation says what each does (https://cryptography.io); the tests compare the two,
damaged input included. No more than that: it keeps no secret from whoever can measure time.

DER is read here, because the packages that read it take more than the library does: pyasn1 and
asn1crypto (whose last release is of March 2022) accept BER. Elliptic curves come from ecdsa.
"""
