/* SPDX-License-Identifier: Apache-2.0 */
/* Typed access to JSON objects. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "kindling/tensor.h"
#include "recipe/fields.h"

static void add_path(kdl__text *text, const kdl__path *at)
{
    if (!at)
        return;
    add_path(text, at->up);
    if (at->key)
        kdl__text_printf(text, "%s%s", at->up ? "." : "", at->key);
    else
        kdl__text_printf(text, "[%zu]", at->index);
}

bool kdl__field_fail(kdl_context *ctx, const kdl__path *at, const char *format, ...)
{
    kdl__text text;
    va_list arguments;
    kdl__text_init(&text, ctx);
    add_path(&text, at);
    kdl__text_puts(&text, at ? ": " : "");
    va_start(arguments, format);
    kdl__text_vprintf(&text, format, arguments);
    va_end(arguments);
    if (!text.failed)
        kdl__fail_at(ctx, "kdl_plan_from_json", KDL_ERROR_FORMAT, "recipe: %s", text.data);
    kdl__text_free(&text);
    return false;
}

bool kdl__field_object(kdl_context *ctx, const kdl__path *at, const json_t *value,
                       const char *const *known, size_t count)
{
    const char *key;
    json_t *member;
    if (!json_is_object(value))
        return kdl__field_fail(ctx, at, "this must be an object");
    json_object_foreach((json_t *)value, key, member)
    {
        size_t i = 0;
        while (i < count && (!known[i] || strcmp(known[i], key) != 0))
            i++;
        if (i == count)
            return kdl__field_fail(ctx, at, "unknown field '%s'", key);
    }
    return true;
}

/* The member, or NULL with the error that it is missing. */
static const json_t *find(kdl_context *ctx, const kdl__path *at, const json_t *object,
                          const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (!value)
        kdl__field_fail(ctx, at, "the field '%s' is missing", key);
    return value;
}

bool kdl__field_string(kdl_context *ctx, const kdl__path *at, const json_t *object, const char *key,
                       const char **value)
{
    const json_t *found = find(ctx, at, object, key);
    *value = json_string_value(found);
    return found && (*value || kdl__field_fail(ctx, at, "'%s' must be a string", key));
}

bool kdl__field_number(kdl_context *ctx, const kdl__path *at, const json_t *object, const char *key,
                       double *value)
{
    static const struct {
        const char *name;
        double value;
    } names[] = { { "inf", INFINITY }, { "-inf", -INFINITY }, { "nan", NAN }, { "-nan", -NAN } };
    const json_t *found = find(ctx, at, object, key);
    const char *text = json_string_value(found);
    if (!found)
        return false;
    if (json_is_number(found)) {
        *value = json_number_value(found);
        return true;
    }
    for (size_t i = 0; text && i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i].name, text) == 0) {
            *value = names[i].value;
            return true;
        }
    return kdl__field_fail(ctx, at, "'%s' must be a number", key);
}

bool kdl__field_integer(kdl_context *ctx, const kdl__path *at, const json_t *object,
                        const char *key, int64_t *value)
{
    const json_t *found = find(ctx, at, object, key);
    *value = json_integer_value(found);
    return found &&
           (json_is_integer(found) || kdl__field_fail(ctx, at, "'%s' must be an integer", key));
}

static bool is_count(const json_t *value)
{
    return json_is_integer(value) && json_integer_value(value) >= 0 &&
           json_integer_value(value) <= INT64_C(1) << 62;
}

bool kdl__field_count(kdl_context *ctx, const kdl__path *at, const json_t *object, const char *key,
                      int64_t *value)
{
    const json_t *found = find(ctx, at, object, key);
    *value = json_integer_value(found);
    return found && (is_count(found) ||
                     kdl__field_fail(ctx, at, "'%s' must be an integer from 0 to 2^62", key));
}

bool kdl__field_sizes(kdl_context *ctx, const kdl__path *at, const json_t *object, const char *key,
                      int *ndim, int64_t *sizes)
{
    const json_t *found = find(ctx, at, object, key);
    size_t count = json_array_size(found);
    if (!found)
        return false;
    if (!json_is_array(found) || count > KDL_MAX_DIMS)
        return kdl__field_fail(ctx, at, "'%s' must be a list of at most %d sizes", key,
                               KDL_MAX_DIMS);
    for (size_t i = 0; i < count; i++) {
        const json_t *size = json_array_get(found, i);
        if (!is_count(size))
            return kdl__field_fail(ctx, at, "'%s' must be a list of integers from 0 to 2^62", key);
        sizes[i] = json_integer_value(size);
    }
    *ndim = (int)count;
    return true;
}

bool kdl__field_seed(kdl_context *ctx, const kdl__path *at, const json_t *object, const char *key,
                     uint64_t *value)
{
    const json_t *found = find(ctx, at, object, key);
    const char *text = json_string_value(found);
    char *end = NULL;
    *value = (uint64_t)json_integer_value(found);
    if (!found || json_is_integer(found))
        return found != NULL;
    errno = 0;
    if (text && *text >= '0' && *text <= '9')
        *value = strtoull(text, &end, 10);
    if (!end || *end || errno)
        return kdl__field_fail(ctx, at,
                               "'%s' must be an integer from -2^63 to 2^63 - 1, or a string of "
                               "digits up to 2^64 - 1",
                               key);
    return true;
}

bool kdl__field_bytes(kdl_context *ctx, const kdl__path *at, const json_t *object, const char *key,
                      void **bytes, size_t *nbytes)
{
    const json_t *found = find(ctx, at, object, key);
    const char *text = json_string_value(found);
    size_t length = json_string_length(found);
    if (!found)
        return false;
    if (!text || !kdl__base64_nbytes(text, length, nbytes))
        return kdl__field_fail(ctx, at, "'%s' must be a string of base64", key);
    *bytes = kdl__alloc(ctx, *nbytes, 1);
    if (!*bytes)
        return false;
    if (kdl__base64_decode(text, length, *bytes))
        return true;
    kdl_free(ctx, *bytes);
    return kdl__field_fail(ctx, at, "'%s' must be a string of base64", key);
}
