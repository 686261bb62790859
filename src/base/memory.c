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

/* ---- memory kept for the next who asks ----------------------------------------------------- */

/*
 * A step of training asks for the same sizes again and again. Given back, such memory would mostly
 * return to the system, which clears it page by page when it is touched again.
 */
enum { KEPT_BLOCKS = 128, KEPT_FROM = 1 << 16, KEPT_BLOCK = 1 << 26, KEPT_ALL = 1 << 29 };

typedef struct kept_block {
    void *block;
    size_t nbytes;
} kept_block;

struct kdl__kept {
    size_t nbytes; /* of all blocks */
    int count;
    kept_block blocks[KEPT_BLOCKS]; /* the oldest first */
};

/* Takes a block out of the list. */
static kept_block take_kept(struct kdl__kept *kept, int index)
{
    kept_block result = kept->blocks[index];
    kept->nbytes -= result.nbytes;
    kept->count--;
    memmove(kept->blocks + index, kept->blocks + index + 1,
            (size_t)(kept->count - index) * sizeof *kept->blocks);
    return result;
}

/*
 * Makes `*block`, that was asked for with block->nbytes, one that is there; false if there is none.
 */
static bool reuse_kept(struct kdl__kept *kept, kept_block *block)
{
    for (int i = kept ? kept->count - 1 : -1; i >= 0; i--) {
        size_t nbytes = kept->blocks[i].nbytes;
        if (nbytes >= block->nbytes && nbytes - block->nbytes <= nbytes / 8) {
            *block = take_kept(kept, i);
            return true;
        }
    }
    return false;
}

static void free_oldest_kept(kdl_context *ctx)
{
    kdl_free(ctx, take_kept(ctx->kept, 0).block);
}

/* Keeps the block, or frees it; others may have to go for it. */
static void keep_or_free(kdl_context *ctx, kept_block block)
{
    struct kdl__kept *kept = ctx->kept;
    if (!kept || block.nbytes < KEPT_FROM || block.nbytes > KEPT_BLOCK) {
        kdl_free(ctx, block.block);
        return;
    }
    while (kept->count == KEPT_BLOCKS || kept->nbytes + block.nbytes > KEPT_ALL)
        free_oldest_kept(ctx);
    kept->blocks[kept->count++] = block;
    kept->nbytes += block.nbytes;
}

/*
 * oneDNN asks malloc() for its buffers in every product. glibc gives memory at the heap's end back
 * to the system beyond a threshold: twice the largest block that was mapped and freed, up to 32
 * MiB. A block that is never touched costs two calls of the system, and raises it to the most.
 */
static void raise_trim_threshold(kdl_context *ctx)
{
    kdl_free(ctx, kdl__alloc_quiet(ctx, ((size_t)32 << 20) - HUGE_FROM, 1));
}

kdl_status kdl__keep_memory(kdl_context *ctx)
{
    if (!ctx->kept)
        raise_trim_threshold(ctx);
    if (!ctx->kept)
        ctx->kept = kdl__alloc_zeroed(ctx, 1, sizeof *ctx->kept);
    return ctx->status;
}

void kdl__kept_release(kdl_context *ctx)
{
    while (ctx->kept && ctx->kept->count > 0)
        free_oldest_kept(ctx);
    kdl_free(ctx, ctx->kept);
    ctx->kept = NULL;
}

/* ---- memory ------------------------------------------------------------------------------ */

void *kdl__realloc(kdl_context *ctx, void *pointer, size_t count, size_t size)
{
    void *result = reallocate(ctx, pointer, count, size);
    while (!result && ctx->kept && ctx->kept->count > 0) {
        free_oldest_kept(ctx);
        result = reallocate(ctx, pointer, count, size);
    }
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

/*
 * The allocator's block begins somewhat before the memory; what is known of it is kept right before
 * that.
 */
void *kdl__alloc_aligned(kdl_context *ctx, size_t alignment, size_t nbytes)
{
    kept_block block;
    if (__builtin_add_overflow(nbytes, sizeof block + alignment - 1, &block.nbytes))
        block.nbytes = SIZE_MAX; /* refused below */
    if (!reuse_kept(ctx->kept, &block))
        block.block = kdl__alloc(ctx, block.nbytes, 1);
    if (!block.block)
        return NULL;
    char *memory = (char *)block.block + sizeof block;
    memory += -(uintptr_t)memory % alignment;
    memcpy(memory - sizeof block, &block, sizeof block);
    return memory;
}

void kdl__free_aligned(kdl_context *ctx, void *pointer)
{
    kept_block block;
    if (!pointer)
        return;
    memcpy(&block, (char *)pointer - sizeof block, sizeof block);
    keep_or_free(ctx, block);
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

char *kdl__vasprintf(kdl_context *ctx, const char *format, va_list arguments)
{
    kdl__text text;
    kdl__text_init(&text, ctx);
    kdl__text_vprintf(&text, format, arguments);
    return kdl__text_take(&text);
}

char *kdl__asprintf(kdl_context *ctx, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = kdl__vasprintf(ctx, format, arguments);
    va_end(arguments);
    return text;
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
