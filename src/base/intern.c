/* SPDX-License-Identifier: Apache-2.0 */
/* Strings that live as long as their context, each kept once. */
#include <string.h>

#include "base.h"

/* The first one, which is empty, is what the context's slot holds. */
typedef struct interned {
    struct interned *next;
    char text[];
} interned;

static void destroy_all(kdl_context *ctx, void *value)
{
    for (interned *string = value, *next; string; string = next) {
        next = string->next;
        kdl_free(ctx, string);
    }
}

static interned *interned_new(kdl_context *ctx, const char *text, size_t nbytes)
{
    interned *string = kdl__alloc(ctx, 1, sizeof *string + nbytes + 1);
    if (!string)
        return NULL;
    memcpy(string->text, text, nbytes);
    string->text[nbytes] = '\0';
    string->next = NULL;
    return string;
}

const char *kdl__intern(kdl_context *ctx, const char *text, size_t nbytes)
{
    interned *string = kdl__slot_get(ctx, KDL__SLOT_STRINGS);
    if (!string) {
        string = interned_new(ctx, "", 0);
        kdl__slot_set(ctx, KDL__SLOT_STRINGS, string, destroy_all);
    }
    for (; string; string = string->next) {
        if (strncmp(string->text, text, nbytes) == 0 && string->text[nbytes] == '\0')
            return string->text;
        if (!string->next)
            string->next = interned_new(ctx, text, nbytes);
    }
    return NULL;
}
