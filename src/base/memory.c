/* SPDX-License-Identifier: Apache-2.0 */
/* Memory from the context's allocator, with every size product checked. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base.h"

/*
 * From this size on memory lies in huge pages, if the system has them: touching a fresh page costs
 * more than computing its values, and 2 MiB at a time cost a seventh of it.
 */
#define HUGE_PAGE ((size_t)2 << 20)
#define HUGE_FROM (2 * HUGE_PAGE)

/* Advice for the pages that lie wholly inside: nothing depends on it. */
static void advise_huge_pages(void *pointer, size_t nbytes)
{
    size_t before = -(uintptr_t)pointer % HUGE_PAGE;
    if (nbytes >= before + HUGE_PAGE)
        (void)madvise((char *)pointer + before, (nbytes - before) / HUGE_PAGE * HUGE_PAGE,
                      MADV_HUGEPAGE);
}

/* realloc of count * size bytes, at least one, so that an empty array has an address too. */
static void *reallocate(kdl_context *ctx, void *pointer, size_t count, size_t size)
{
    size_t nbytes;
    if (!kdl__mul_size(count, size, &nbytes) || nbytes > PTRDIFF_MAX)
        return NULL;
    pointer = ctx->allocator.reallocate(ctx->allocator.user_data, pointer, nbytes ? nbytes : 1);
    if (pointer && nbytes >= HUGE_FROM)
        advise_huge_pages(pointer, nbytes);
    return pointer;
}

void *kdl__realloc(kdl_context *ctx, void *pointer, size_t count, size_t size)
{
    void *result = reallocate(ctx, pointer, count, size);
    if (!result)
        kdl__fail(ctx, KDL_ERROR_MEMORY, "out of memory: cannot allocate %zu x %zu bytes", count,
                  size);
    return result;
}

void *kdl__alloc(kdl_context *ctx, size_t count, size_t size)
{
    return kdl__realloc(ctx, NULL, count, size);
}

void *kdl__alloc_zeroed(kdl_context *ctx, size_t count, size_t size)
{
    void *result = kdl__alloc(ctx, count, size);
    return result ? memset(result, 0, count * size) : NULL;
}

void *kdl__alloc_quiet(kdl_context *ctx, size_t count, size_t size)
{
    return reallocate(ctx, NULL, count, size);
}

void kdl_free(kdl_context *ctx, void *pointer)
{
    if (pointer)
        ctx->allocator.deallocate(ctx->allocator.user_data, pointer);
}

/* The allocator's block begins somewhat before the memory; its address is kept right before that. */
void *kdl__alloc_aligned(kdl_context *ctx, size_t alignment, size_t nbytes)
{
    char *block = NULL;
    size_t total;
    if (__builtin_add_overflow(nbytes, sizeof block + alignment - 1, &total))
        total = SIZE_MAX; /* refused below */
    block = kdl__alloc(ctx, total, 1);
    if (!block)
        return NULL;
    char *memory = block + sizeof block;
    memory += -(uintptr_t)memory % alignment;
    memcpy(memory - sizeof block, &block, sizeof block);
    return memory;
}

void kdl__free_aligned(kdl_context *ctx, void *pointer)
{
    char *block = NULL;
    if (pointer)
        memcpy(&block, (char *)pointer - sizeof block, sizeof block);
    kdl_free(ctx, block);
}

char *kdl__strndup(kdl_context *ctx, const char *text, size_t nbytes)
{
    char *copy = kdl__alloc(ctx, nbytes + 1, 1);
    if (!copy)
        return NULL;
    memcpy(copy, text, nbytes);
    copy[nbytes] = '\0';
    return copy;
}

char *kdl__strdup(kdl_context *ctx, const char *text)
{
    return kdl__strndup(ctx, text, strlen(text));
}

char *kdl__asprintf(kdl_context *ctx, const char *format, ...)
{
    kdl__text text;
    va_list arguments;
    kdl__text_init(&text, ctx);
    va_start(arguments, format);
    kdl__text_vprintf(&text, format, arguments);
    va_end(arguments);
    return kdl__text_take(&text);
}

bool kdl__grow(kdl_context *ctx, void **array, size_t *capacity, size_t needed, size_t size)
{
    if (needed <= *capacity)
        return true;
    size_t larger = *capacity < SIZE_MAX / 2 ? *capacity * 2 : SIZE_MAX;
    if (larger < needed)
        larger = needed;
    if (larger < 8)
        larger = 8;
    void *grown = kdl__realloc(ctx, *array, larger, size);
    if (!grown)
        return false;
    *array = grown;
    *capacity = larger;
    return true;
}
