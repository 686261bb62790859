/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256, the digest by which files say what they were made from. */
#ifndef KDL_SRC_BASE_SHA256_H
#define KDL_SRC_BASE_SHA256_H

#include <stddef.h>

/* The size of a digest in hexadecimal with its final NUL. */
#define KDL__SHA256_HEX_NBYTES 65

/* Writes the digest of `data` as 64 lower-case hexadecimal digits. */
void kdl__sha256_hex(const void *data, size_t nbytes, char hex[KDL__SHA256_HEX_NBYTES]);

#endif
