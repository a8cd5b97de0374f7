#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""sign_update.py KEY CERTIFICATE VARIABLE LISTS OUT [append]

Signs an update of a database of Secure Boot: EFI_VARIABLE_AUTHENTICATION_2 of the
UEFI specification 2.10, section 8.2.2, then the signature lists.  The signature
is made by openssl.  sbvarsign of Debian 13 (0.9.4-3.2) cannot do it: it signs the
name with four bytes for each character, and no firmware takes that.
"""

import subprocess
import struct
import sys
import tempfile
import time
import uuid

GLOBAL = uuid.UUID("8be4df61-93ca-11d2-aa0d-00e098032b8c")
SECURITY = uuid.UUID("d719b2cb-3d3a-4596-a3bc-dad00e67656f")
PKCS7 = uuid.UUID("4aafd29d-68df-49ee-8aa9-347d375665a7")
ATTRIBUTES = 0x27  # non-volatile, boot service, run time, time-based
APPEND = 0x40


def inner(der, count):
    """The content of the count-th element inside of the first one of der."""
    start, _ = header(der, 0)
    for _ in range(count):
        content, length = header(der, start)
        start = content + length
    return der[start:]


def header(der, at):
    """Where the content of the element at this place starts, and its length."""
    length = der[at + 1]
    if length < 0x80:
        return at + 2, length
    count = length & 0x7F
    return at + 2 + count, int.from_bytes(der[at + 2:at + 2 + count], "big")


def sign(key, certificate, content):
    """SignedData, which a ContentInfo of openssl has as its second element."""
    with tempfile.NamedTemporaryFile() as signed:
        signed.write(content)
        signed.flush()
        info = subprocess.run(
            ["openssl", "smime", "-sign", "-binary", "-md", "sha256",
             "-nosmimecap", "-outform", "DER", "-signer", certificate,
             "-inkey", key, "-in", signed.name],
            check=True, stdout=subprocess.PIPE).stdout
    explicit = inner(info, 1)
    start, length = header(explicit, 0)
    return explicit[start:start + length]


def main():
    key, certificate, name, lists, out = sys.argv[1:6]
    attributes = ATTRIBUTES | (APPEND if sys.argv[6:] == ["append"] else 0)
    guid = GLOBAL if name in ("PK", "KEK") else SECURITY
    now = time.gmtime()
    stamp = struct.pack("<HBBBBBxIhBx", now.tm_year, now.tm_mon, now.tm_mday,
                        now.tm_hour, now.tm_min, now.tm_sec, 0, 0, 0)
    with open(lists, "rb") as f:
        data = f.read()
    signature = sign(key, certificate, name.encode("utf-16-le") +
                     guid.bytes_le + struct.pack("<I", attributes) + stamp +
                     data)
    with open(out, "wb") as f:
        f.write(stamp + struct.pack("<IHH", 24 + len(signature), 0x200, 0xEF1) +
                PKCS7.bytes_le + signature + data)


main()
