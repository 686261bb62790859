/* SPDX-License-Identifier: Apache-2.0 */
/* The context's lifetime, its kept error, its warnings and what higher layers store in it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base.h"

static void *malloc_reallocate(void *user_data, void *pointer, size_t nbytes)
{
    (void)user_data;
    return realloc(pointer, nbytes);
}

static void malloc_deallocate(void *user_data, void *pointer)
{
    (void)user_data;
    free(pointer);
}

/* Copies an option struct over another of `nbytes`; false when its size cannot be. */
static bool overlay(void *options, size_t nbytes, const void *given)
{
    size_t given_nbytes;
    if (!given)
        return true;
    memcpy(&given_nbytes, given, sizeof given_nbytes);
    if (given_nbytes < sizeof given_nbytes || given_nbytes > nbytes)
        return false;
    memcpy(options, given, given_nbytes);
    return true;
}

bool kdl__read_options(kdl_context *ctx, const char *place, void *options, size_t nbytes,
                       const void *given)
{
    if (overlay(options, nbytes, given))
        return true;
    kdl__fail_at(ctx, place, KDL_ERROR_TYPE,
                 "the options' size is wrong: are they of another version of the library?");
    return false;
}

static bool read_options(const kdl_context_options *given, kdl_context_options *options)
{
    *options = (kdl_context_options)KDL_CONTEXT_DEFAULTS;
    if (!overlay(options, sizeof *options, given))
        return false;
    if (!options->allocator.reallocate != !options->allocator.deallocate)
        return false;
    if (!options->allocator.reallocate)
        options->allocator = (kdl_allocator){ malloc_reallocate, malloc_deallocate, NULL };
    kdl__cpu cpu;
    return options->threads >= 0 && kdl__cpu_parse(options->cpu, &cpu);
}

kdl_context *kdl_context_new(const kdl_context_options *given)
{
    kdl_context_options options;
    if (!read_options(given, &options))
        return NULL;
    const kdl_allocator *allocator = &options.allocator;
    kdl_context *ctx = allocator->reallocate(allocator->user_data, NULL, sizeof *ctx);
    if (!ctx)
        return NULL;
    memset(ctx, 0, sizeof *ctx);
    atomic_init(&ctx->references, 1);
    ctx->allocator = options.allocator;
    ctx->warning = options.warning;
    ctx->warning_user_data = options.warning_user_data;
    ctx->threads = options.threads ? options.threads : kdl__processors();
    ctx->deferred = options.deferred;
    (void)kdl__cpu_parse(options.cpu, &ctx->cpu);
    ctx->place = "";
    return ctx;
}

kdl_context *kdl_context_retain(kdl_context *ctx)
{
    atomic_fetch_add_explicit(&ctx->references, 1, memory_order_relaxed);
    return ctx;
}

void kdl_context_release(kdl_context *ctx)
{
    if (!ctx || atomic_fetch_sub_explicit(&ctx->references, 1, memory_order_acq_rel) != 1)
        return;
    for (int slot = 0; slot < KDL__SLOT_COUNT; slot++)
        kdl__slot_set(ctx, (kdl__slot)slot, NULL, NULL);
    kdl__pool_release(ctx);
    kdl__kept_release(ctx);
    kdl_error_clear(ctx);
    kdl_free(ctx, ctx);
}

kdl_status kdl_error_status(const kdl_context *ctx)
{
    return ctx->status;
}

const char *kdl_error_message(const kdl_context *ctx)
{
    return ctx->long_message ? ctx->long_message : ctx->message;
}

const char *kdl_error_place(const kdl_context *ctx)
{
    return ctx->place;
}

void kdl_error_clear(kdl_context *ctx)
{
    kdl_free(ctx, ctx->long_message);
    ctx->long_message = NULL;
    ctx->message[0] = '\0';
    ctx->place = "";
    ctx->status = KDL_OK;
}

/*
 * Formats into `buffer`, or into fresh memory that goes to *longer when the buffer is too small.
 * When there is no such memory the text stays cut off in the buffer.
 */
KDL_PRINTF(5, 0)
static void format_message(kdl_context *ctx, char *buffer, size_t nbytes, char **longer,
                           const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(buffer, nbytes, format, arguments);
    *longer = NULL;
    if (length >= 0 && (size_t)length >= nbytes) {
        *longer = kdl__alloc_quiet(ctx, (size_t)length + 1, 1);
        if (*longer)
            vsnprintf(*longer, (size_t)length + 1, format, again);
    }
    va_end(again);
}

kdl_status kdl__fail_at(kdl_context *ctx, const char *place, kdl_status status, const char *format,
                        ...)
{
    if (kdl__failed(ctx))
        return ctx->status;
    va_list arguments;
    va_start(arguments, format);
    format_message(ctx, ctx->message, sizeof ctx->message, &ctx->long_message, format, arguments);
    va_end(arguments);
    ctx->place = place;
    ctx->status = status;
    return status;
}

void kdl_set_warning_callback(kdl_context *ctx, kdl_warning_callback *callback, void *user_data)
{
    ctx->warning = callback;
    ctx->warning_user_data = user_data;
}

void kdl__warn(kdl_context *ctx, const char *format, ...)
{
    if (!ctx->warning)
        return;
    char buffer[512], *longer;
    va_list arguments;
    va_start(arguments, format);
    format_message(ctx, buffer, sizeof buffer, &longer, format, arguments);
    va_end(arguments);
    ctx->warning(ctx->warning_user_data, longer ? longer : buffer);
    kdl_free(ctx, longer);
}

void *kdl__slot_get(const kdl_context *ctx, kdl__slot slot)
{
    return ctx->slots[slot].value;
}

void kdl__slot_set(kdl_context *ctx, kdl__slot slot, void *value,
                   void (*destroy)(kdl_context *ctx, void *value))
{
    void *old_value = ctx->slots[slot].value;
    void (*old_destroy)(kdl_context *, void *) = ctx->slots[slot].destroy;
    ctx->slots[slot].value = value;
    ctx->slots[slot].destroy = destroy;
    if (old_value && old_destroy)
        old_destroy(ctx, old_value);
}
