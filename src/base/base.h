/* SPDX-License-Identifier: Apache-2.0 */
/* base: the context, its errors and warnings, allocation with checked sizes, threads. */
#ifndef KDL_SRC_BASE_BASE_H
#define KDL_SRC_BASE_BASE_H

#include <stdarg.h>
#include <stdatomic.h>
#include "base/cpu.h"
#include "kindling/base.h"
#include "kindling/dtype.h"

/* Marks what libkindling_train takes from libkindling: private all the same. */
#define KDL__SHARED KDL_API

/* What higher layers keep in a context, without base knowing them. */
typedef enum kdl__slot {
    KDL__SLOT_DEFAULT_GENERATOR,
    KDL__SLOT_LAPACK,
    KDL__SLOT_STRINGS,
    KDL__SLOT_CLASSES,
    KDL__SLOT_TRAINING,
    KDL__SLOT_FORWARDS,
    KDL__SLOT_CONVOLUTIONS,
    KDL__SLOT_COUNT
} kdl__slot;

struct kdl_context {
    atomic_long references;
    kdl_allocator allocator;
    kdl_warning_callback *warning;
    void *warning_user_data;
    int threads;
    bool deferred;
    bool deterministic; /* what was asked for: all is, in either mode */
    kdl__cpu cpu;
    kdl_status status;
    struct kdl__pool *pool;       /* NULL until a call runs in parallel */
    struct kdl__kept *kept;       /* what kdl__free_aligned() keeps; NULL: nothing */
    const struct kdl__tape *tape; /* what records gradients now (tensor/tape.h); NULL: nothing */
    const char *place;
    char *long_message; /* when `message` is too short for it */
    char message[512];
    struct {
        void *value;
        void (*destroy)(kdl_context *ctx, void *value);
    } slots[KDL__SLOT_COUNT];
};

/*
 * Records the first error; `place` is the function that found it. Returns the status that is in
 * force. Without memory for a long message its beginning is kept.
 */
KDL__SHARED kdl_status kdl__fail_at(kdl_context *ctx, const char *place, kdl_status status,
                                    const char *format, ...) KDL_PRINTF(4, 5);
#define kdl__fail(ctx, status, ...) kdl__fail_at(ctx, __func__, status, __VA_ARGS__)
#define kdl__fail_memory(ctx) kdl__fail_at(ctx, __func__, KDL_ERROR_MEMORY, "out of memory")

/* True while an error stands: public functions then do nothing. */
static inline bool kdl__failed(const kdl_context *ctx)
{
    return ctx->status != KDL_OK;
}

/* Hands a warning to the context's callback. */
KDL__SHARED void kdl__warn(kdl_context *ctx, const char *format, ...) KDL_PRINTF(2, 3);

/* The C++ type of an element, where PyTorch's messages say that: "long int" (a static string). */
KDL__SHARED const char *kdl__dtype_cpp_name(kdl_dtype dtype);

/*
 * Memory from the context's allocator. On failure, or when count * size overflows, these record
 * KDL_ERROR_MEMORY and return NULL. A size of zero gives a valid pointer. Workers, which must not
 * touch the context's error, use the _quiet variants.
 */
KDL__SHARED void *kdl__alloc(kdl_context *ctx, size_t count, size_t size);
KDL__SHARED void *kdl__alloc_zeroed(kdl_context *ctx, size_t count, size_t size);
void *kdl__realloc(kdl_context *ctx, void *pointer, size_t count, size_t size);
void *kdl__alloc_quiet(kdl_context *ctx, size_t count, size_t size);
/*
 * The same at a multiple of `alignment` bytes (a power of two, at least a pointer's size), which
 * the allocator does not promise. Such memory goes back through kdl__free_aligned() only.
 */
#define KDL__CACHE_LINE 64 /* also the width of the widest vector */
void *kdl__alloc_aligned(kdl_context *ctx, size_t alignment, size_t nbytes);
void kdl__free_aligned(kdl_context *ctx, void *pointer);
/*
 * From now on what goes back so is kept, of blocks of 64 KiB to 64 MiB half a gigabyte, for those
 * that ask for about as much. It goes when there is no other memory, and with the context.
 */
KDL__SHARED kdl_status kdl__keep_memory(kdl_context *ctx);
void kdl__kept_release(kdl_context *ctx);
KDL__SHARED char *kdl__strdup(kdl_context *ctx, const char *text);
char *kdl__strndup(kdl_context *ctx, const char *text, size_t nbytes);
/* printf into fresh memory; NULL with the error recorded when memory runs out. */
char *kdl__vasprintf(kdl_context *ctx, const char *format, va_list arguments) KDL_PRINTF(2, 0);
KDL__SHARED char *kdl__asprintf(kdl_context *ctx, const char *format, ...) KDL_PRINTF(2, 3);

/* The string of those bytes that lives as long as the context; NULL when memory runs out. */
KDL__SHARED const char *kdl__intern(kdl_context *ctx, const char *text, size_t nbytes);

/* Grows *array to hold at least `needed` elements of `size` bytes, doubling; false on failure. */
KDL__SHARED bool kdl__grow(kdl_context *ctx, void **array, size_t *capacity, size_t needed,
                           size_t size);

/*
 * Reads a caller's option struct `given` (NULL: none) over the defaults in `options`. The first
 * field of both is their size; an older, shorter struct leaves the rest alone. False, with a
 * TypeError at `place`, for a size that cannot be.
 */
KDL__SHARED bool kdl__read_options(kdl_context *ctx, const char *place, void *options,
                                   size_t nbytes, const void *given);

/* Checked arithmetic: false on overflow. */
static inline bool kdl__mul_size(size_t a, size_t b, size_t *product)
{
    return !__builtin_mul_overflow(a, b, product);
}

/* A string that grows; on failure it stays valid and `failed` is set (and the context's error). */
typedef struct kdl__text {
    kdl_context *ctx;
    char *data;
    size_t length, capacity;
    bool failed;
} kdl__text;
KDL__SHARED void kdl__text_init(kdl__text *text, kdl_context *ctx);
KDL__SHARED void kdl__text_add(kdl__text *text, const char *piece, size_t nbytes);
KDL__SHARED void kdl__text_puts(kdl__text *text, const char *piece);
void kdl__text_repeat(kdl__text *text, char character, size_t count);
KDL__SHARED void kdl__text_printf(kdl__text *text, const char *format, ...) KDL_PRINTF(2, 3);
void kdl__text_vprintf(kdl__text *text, const char *format, va_list arguments) KDL_PRINTF(2, 0);
/*
 * A number as Python formats it: '{:.4f}'.format(value), conversion 'e', 'f' or 'g'. The decimal
 * point is a point whatever the program's locale, and a NaN has no sign.
 */
void kdl__text_double(kdl__text *text, char conversion, int precision, double value);
/* A number as Python's repr() writes a float: the fewest digits that give it back. */
KDL__SHARED void kdl__text_repr(kdl__text *text, double value);
/* Reads all of a number written with a decimal point, or "inf" or "nan"; false if it is none. */
bool kdl__parse_double(const char *text, size_t nbytes, double *value);
/* The finished, NUL-terminated string (the caller frees it with kdl_free), or NULL on failure. */
KDL__SHARED char *kdl__text_take(kdl__text *text);
void kdl__text_free(kdl__text *text);

/*
 * Slots. Setting replaces and destroys what was there; so does the context's end. As a slot lives
 * as long as its context, what it holds must not retain the context.
 */
KDL__SHARED void *kdl__slot_get(const kdl_context *ctx, kdl__slot slot);
KDL__SHARED void kdl__slot_set(kdl_context *ctx, kdl__slot slot, void *value,
                               void (*destroy)(kdl_context *ctx, void *value));

/*
 * Runs task(user_data, index, worker) for index in [0, tasks) on up to ctx->threads threads (the
 * calling one is worker 0); returns the status of the failing task of the lowest index, without
 * recording it. Tasks are begun in order; after a failure no more are begun, those below it all
 * finish. They must not touch the context's error, and a task that forks must not return in the
 * child. One task, one thread, or a call from within a task: runs inline, as worker 0.
 */
typedef kdl_status kdl__task(void *user_data, size_t index, int worker);
KDL__SHARED kdl_status kdl__parallel(kdl_context *ctx, size_t tasks, kdl__task *task,
                                     void *user_data);

/* The number of processors this process may run on, at least 1. */
int kdl__processors(void);

/* Stops the context's worker threads and waits for them. */
void kdl__pool_release(kdl_context *ctx);

#endif
