"""Stand in for the library cryptography, where it has no wheel: in a browser's Pyodide.

It holds what the lesson, the sandbox and moto's IoT ask of the library, and no more, under the
library's names, whose documentation says what each does: https://cryptography.io. What it takes and
refuses, damaged input included, the tests compare with the library. It keeps no secret from whoever
can measure how long it takes.

Elliptic curves come from the package ecdsa. DER is read here: asn1crypto (last released in March
2022) and pyasn1 let pass what the library refuses, and take longer to import than all of this.
"""
