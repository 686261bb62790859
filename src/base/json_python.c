/* SPDX-License-Identifier: Apache-2.0 */
/* JSON as Python's json module reads and writes it. */
#include <math.h>
#include <string.h>

#include "base/json_python.h"

/*
 * Python writes and reads Infinity, -Infinity and NaN, which are no JSON. Each becomes a string of
 * the same length, so that lines and columns stay: quotes around as many of these marks as remain.
 * Where a number is wanted, no other string is taken, so none can be mistaken for them.
 */
#define MARK '@'
static const struct {
    const char *token;
    double value;
} specials[] = { { "Infinity", INFINITY }, { "-Infinity", -INFINITY }, { "NaN", NAN } };
enum { SPECIAL_COUNT = sizeof specials / sizeof *specials };

static void mark_specials(char *text, size_t nbytes)
{
    bool in_string = false;
    for (size_t i = 0; i < nbytes; i++) {
        if (in_string) {
            if (text[i] == '\\')
                i++;
            else if (text[i] == '"')
                in_string = false;
            continue;
        }
        in_string = text[i] == '"';
        for (int s = 0; s < SPECIAL_COUNT && !in_string; s++) {
            size_t length = strlen(specials[s].token);
            if (length > nbytes - i || memcmp(text + i, specials[s].token, length) != 0)
                continue;
            memset(text + i, MARK, length);
            text[i] = text[i + length - 1] = '"';
            i += length - 1;
            break;
        }
    }
}

bool kdl__json_special(const json_t *json, double *value)
{
    const char *tagged = json_string_value(json_object_get(json, "__float__"));
    const char *marks = json_string_value(json);
    for (int s = 0; s < SPECIAL_COUNT; s++) {
        size_t length = strlen(specials[s].token) - 2;
        bool marked = marks && strlen(marks) == length && strspn(marks, "@") == length;
        if (!marked && !(tagged && strcmp(tagged, specials[s].token) == 0))
            continue;
        *value = specials[s].value;
        return true;
    }
    return false;
}

bool kdl__json_number(const json_t *json, double *value)
{
    if (kdl__json_special(json, value))
        return true;
    *value = json_number_value(json);
    return json_is_number(json);
}

json_t *kdl__json_parse(kdl_context *ctx, const char *place, const char *text, size_t nbytes)
{
    char *copy = kdl__strndup(ctx, text, nbytes);
    if (!copy)
        return NULL;
    mark_specials(copy, nbytes);
    json_error_t error;
    json_t *json = json_loadb(copy, nbytes, 0, &error);
    kdl_free(ctx, copy);
    if (!json && json_error_code(&error) == json_error_out_of_memory)
        kdl__fail_memory(ctx);
    else if (!json)
        kdl__fail_at(ctx, place, KDL_ERROR_FORMAT, "line %d, column %d: %s", error.line,
                     error.column, error.text);
    return json;
}

void kdl__json_add_any_number(kdl__text *json, double value)
{
    if (isfinite(value))
        kdl__text_repr(json, value);
    else
        kdl__text_puts(json, isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity");
}
