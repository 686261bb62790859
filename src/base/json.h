/* SPDX-License-Identifier: Apache-2.0 */
/* Writing JSON, and bytes in it. Reading is Jansson's. */
#ifndef KDL_SRC_BASE_JSON_H
#define KDL_SRC_BASE_JSON_H

#include "base/base.h"

/* Whether the text is UTF-8, the only encoding that JSON knows. */
bool kdl__is_utf8(const char *text, size_t nbytes);

/* A string with its quotes, escaped as Python's json and Rust's serde_json do. */
KDL__SHARED void kdl__json_add_string(kdl__text *json, const char *text);
/* As Python writes floats, but "inf", "-inf", "nan" and "-nan" as strings, which JSON can hold. */
void kdl__json_add_number(kdl__text *json, double value);
/* A string of the bytes in base64 (RFC 4648). */
void kdl__json_add_base64(kdl__text *json, const void *bytes, size_t nbytes);

/* The bytes that `length` characters of base64 stand for; false when they are none. */
bool kdl__base64_nbytes(const char *text, size_t length, size_t *nbytes);
/* Decodes them; false for characters that are not base64's. */
bool kdl__base64_decode(const char *text, size_t length, void *bytes);

#endif
