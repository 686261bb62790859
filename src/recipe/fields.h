/* SPDX-License-Identifier: Apache-2.0 */
/* Members of JSON objects by type, with errors that say where in the text they are. */
#ifndef KDL_SRC_RECIPE_FIELDS_H
#define KDL_SRC_RECIPE_FIELDS_H

#include <jansson.h>

#include "base/base.h"

/* The way from the text's root to a value: tensors[3].ops[0]. Lives on the stack. */
typedef struct kdl__path {
    const struct kdl__path *up; /* NULL: the root */
    const char *key;            /* NULL: an array's element */
    size_t index;
} kdl__path;

/* Records KDL_ERROR_FORMAT with the path before the message; returns false. */
bool kdl__field_fail(kdl_context *ctx, const kdl__path *at, const char *format, ...)
    KDL_PRINTF(3, 4);

/* Whether `value` is an object whose keys are all among `known` or the arguments' names. */
bool kdl__field_object(kdl_context *ctx, const kdl__path *at, const json_t *value,
                       const char *const *known, size_t count);

/*
 * The member `key` of an object at `at`, which must be there and of that kind. Numbers may be
 * "inf", "-inf", "nan", "-nan"; counts are integers from 0 to 2^62, sizes are lists of them.
 */
bool kdl__field_string(kdl_context *ctx, const kdl__path *at, const json_t *object, const char *key,
                       const char **value);
bool kdl__field_number(kdl_context *ctx, const kdl__path *at, const json_t *object, const char *key,
                       double *value);
bool kdl__field_integer(kdl_context *ctx, const kdl__path *at, const json_t *object,
                        const char *key, int64_t *value);
bool kdl__field_count(kdl_context *ctx, const kdl__path *at, const json_t *object, const char *key,
                      int64_t *value);
bool kdl__field_sizes(kdl_context *ctx, const kdl__path *at, const json_t *object, const char *key,
                      int *ndim, int64_t *sizes);
/* -2^63 to 2^64 - 1, as PyTorch takes seeds; beyond 2^63 - 1 as a string of digits. */
bool kdl__field_seed(kdl_context *ctx, const kdl__path *at, const json_t *object, const char *key,
                     uint64_t *value);
/* Base64: fresh memory (kdl_free) and its size. */
bool kdl__field_bytes(kdl_context *ctx, const kdl__path *at, const json_t *object, const char *key,
                      void **bytes, size_t *nbytes);

#endif
