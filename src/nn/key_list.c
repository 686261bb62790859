/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of keys, and strings as Python's repr() writes them. */
#include <string.h>

#include "nn/key_list.h"

struct kdl_key_list {
    kdl_context *ctx; /* retained */
    char **keys;      /* owned */
    size_t count, capacity;
};

kdl_key_list *kdl_key_list_new(kdl_context *ctx)
{
    if (kdl__failed(ctx))
        return NULL;
    kdl_key_list *list = kdl__alloc_zeroed(ctx, 1, sizeof *list);
    if (list)
        list->ctx = kdl_context_retain(ctx);
    return list;
}

void kdl_key_list_clear(kdl_key_list *list)
{
    while (list && list->count > 0)
        kdl_free(list->ctx, list->keys[--list->count]);
}

void kdl_key_list_release(kdl_key_list *list)
{
    if (!list)
        return;
    kdl_context *ctx = list->ctx;
    kdl_key_list_clear(list);
    kdl_free(ctx, list->keys);
    kdl_free(ctx, list);
    kdl_context_release(ctx);
}

size_t kdl_key_list_count(const kdl_key_list *list)
{
    return list ? list->count : 0;
}

const char *kdl_key_list_get(const kdl_key_list *list, size_t index)
{
    return index < kdl_key_list_count(list) ? list->keys[index] : NULL;
}

static size_t find_key(const kdl_key_list *list, const char *key)
{
    size_t i = 0;
    while (i < list->count && strcmp(list->keys[i], key) != 0)
        i++;
    return i;
}

bool kdl_key_list_contains(const kdl_key_list *list, const char *key)
{
    return list && find_key(list, key) < list->count;
}

kdl_status kdl_key_list_append(kdl_key_list *list, const char *key)
{
    if (!list)
        return KDL_ERROR_VALUE;
    void *keys = list->keys;
    if (kdl__failed(list->ctx) ||
        !kdl__grow(list->ctx, &keys, &list->capacity, list->count + 1, sizeof *list->keys))
        return list->ctx->status;
    list->keys = keys;
    char *copy = kdl__strdup(list->ctx, key);
    if (copy)
        list->keys[list->count++] = copy;
    return list->ctx->status;
}

void kdl__key_list_take_out(kdl_key_list *list, size_t index)
{
    char **key = list->keys + index;
    kdl_free(list->ctx, *key);
    memmove(key, key + 1, (--list->count - index) * sizeof *key);
}

kdl_status kdl_key_list_remove(kdl_key_list *list, const char *key)
{
    if (!list || kdl__failed(list->ctx))
        return list ? list->ctx->status : KDL_ERROR_VALUE;
    size_t at = find_key(list, key);
    if (at == list->count)
        return kdl__fail(list->ctx, KDL_ERROR_VALUE, "list.remove(x): x not in list");
    kdl__key_list_take_out(list, at);
    return KDL_OK;
}

void kdl__text_quoted(kdl__text *text, const char *string)
{
    const char quote[] = { strchr(string, '\'') && !strchr(string, '"') ? '"' : '\'', '\0' };
    kdl__text_puts(text, quote);
    for (; *string; string++) {
        unsigned char c = (unsigned char)*string;
        if (c == '\\' || c == (unsigned char)quote[0])
            kdl__text_printf(text, "\\%c", c);
        else if (c == '\n' || c == '\t' || c == '\r')
            kdl__text_printf(text, "\\%c", c == '\n' ? 'n' : c == '\t' ? 't' : 'r');
        else if (c < ' ' || c == 0x7f)
            kdl__text_printf(text, "\\x%02x", c);
        else
            kdl__text_add(text, string, 1);
    }
    kdl__text_puts(text, quote);
}

char *kdl_key_list_to_string(kdl_key_list *list)
{
    if (!list || kdl__failed(list->ctx))
        return NULL;
    kdl__text text;
    kdl__text_init(&text, list->ctx);
    kdl__text_puts(&text, "[");
    for (size_t i = 0; i < list->count; i++) {
        kdl__text_puts(&text, i > 0 ? ", " : "");
        kdl__text_quoted(&text, list->keys[i]);
    }
    kdl__text_puts(&text, "]");
    return kdl__text_take(&text);
}
