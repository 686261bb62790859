/* SPDX-License-Identifier: Apache-2.0 */
/* JSON as Python's json module reads and writes it: with numbers that JSON does not have. */
#ifndef KDL_SRC_BASE_JSON_PYTHON_H
#define KDL_SRC_BASE_JSON_PYTHON_H

#include <jansson.h>
#include "base/base.h"

/*
 * Parses a text, in which Infinity, -Infinity and NaN may stand for numbers. One reference; NULL
 * with KDL_ERROR_FORMAT at `place`, naming line and column, for what is no JSON.
 */
KDL__SHARED json_t *kdl__json_parse(kdl_context *ctx, const char *place, const char *text,
                                    size_t nbytes);
/* Whether it is one of those numbers, or {"__float__": "Infinity"} as transformers writes them. */
bool kdl__json_special(const json_t *json, double *value);
/* Reads any number; false for what is none. */
KDL__SHARED bool kdl__json_number(const json_t *json, double *value);
/* Writes one so. */
KDL__SHARED void kdl__json_add_any_number(kdl__text *json, double value);

#endif
