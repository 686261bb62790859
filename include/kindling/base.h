/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The context: errors, warnings, memory, threads. Every other object belongs to one.
 *
 * Errors are kept in the context (as cairo does): the first failing call leaves its status and
 * message there, and until kdl_error_clear() later calls on objects of that context do nothing and
 * fail in turn. So calls may be nested and checked once, at the end.
 *
 * Thread safety: a context and its objects belong to one thread at a time. Different contexts are
 * independent. Reading tensors that are already materialised may happen on many threads at once.
 */
#ifndef KINDLING_BASE_H
#define KINDLING_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__) || defined(__clang__)
#define KDL_API __attribute__((visibility("default")))
#define KDL_PRINTF(format_index, first_argument)                                                   \
    __attribute__((format(printf, format_index, first_argument)))
#define KDL_MUST_CHECK __attribute__((warn_unused_result))
#else
#error "Kindling is built with GCC or Clang"
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define KDL_VERSION_MAJOR 0
#define KDL_VERSION_MINOR 1
#define KDL_VERSION_PATCH 0
#define KDL_VERSION_STRING "0.1.0"

/** The version of the library that is linked, e.g. "0.1.0" (a static string). */
KDL_API const char *kdl_version(void);

/** The profile whose bits this library produces: "torch-2.13" (a static string). */
KDL_API const char *kdl_profile(void);

/** What went wrong. The names follow the Python exception that PyTorch raises in the same place. */
typedef enum kdl_status {
    KDL_OK = 0,
    KDL_ERROR_VALUE,           /**< ValueError: an argument out of its range */
    KDL_ERROR_TYPE,            /**< TypeError: an argument of the wrong kind */
    KDL_ERROR_INDEX,           /**< IndexError: a dimension or an index out of range */
    KDL_ERROR_KEY,             /**< KeyError: a name that is not there, or there already */
    KDL_ERROR_RUNTIME,         /**< RuntimeError: PyTorch's most common one */
    KDL_ERROR_NOT_IMPLEMENTED, /**< NotImplementedError: a dtype or a case that is not supported */
    KDL_ERROR_ZERO_DIVISION,   /**< ZeroDivisionError */
    KDL_ERROR_MEMORY,          /**< an allocation failed */
    KDL_ERROR_IO,              /**< the operating system refused a file operation */
    KDL_ERROR_FORMAT,          /**< a file or text is not what it should be */
    KDL_ERROR_INTERRUPTED      /**< a progress callback asked to stop */
} kdl_status;

/** A short name of a status, e.g. "ValueError" (a static string). */
KDL_API const char *kdl_status_name(kdl_status status);

typedef struct kdl_context kdl_context;

/**
 * Where memory comes from. Both functions may be called from several threads at once.
 * `reallocate(user_data, pointer, nbytes)` behaves as realloc: NULL pointer allocates, the result
 * is aligned for any type, NULL means failure. `deallocate` accepts NULL.
 */
typedef struct kdl_allocator {
    void *(*reallocate)(void *user_data, void *pointer, size_t nbytes);
    void (*deallocate)(void *user_data, void *pointer);
    void *user_data;
} kdl_allocator;

/** Receives each warning's text (PyTorch's wording), valid during the call only. */
typedef void kdl_warning_callback(void *user_data, const char *message);

/** Options of kdl_context_new(); start from KDL_CONTEXT_DEFAULTS. */
typedef struct kdl_context_options {
    size_t nbytes;                 /**< sizeof(kdl_context_options), for the ABI */
    kdl_allocator allocator;       /**< default (functions NULL): malloc's family */
    kdl_warning_callback *warning; /**< default NULL: warnings are dropped */
    void *warning_user_data;
    int threads; /**< threads a call may use; default 1; 0: every processor this process may use */
    bool deferred;   /**< record initialisers instead of running them (plan.h); default false */
    const char *cpu; /**< the instruction set, by name: see kdl_set_cpu(); default NULL: the best */
} kdl_context_options;

#define KDL_CONTEXT_DEFAULTS                                                                       \
    {                                                                                              \
        sizeof(kdl_context_options), { NULL, NULL, NULL }, NULL, NULL, 1, false, NULL              \
    }

/**
 * A new context with one reference. `options` may be NULL for the defaults. Returns NULL when
 * memory runs out or an option is invalid (there is no context yet to hold the error).
 */
KDL_API kdl_context *kdl_context_new(const kdl_context_options *options);

/** Adds a reference; returns its argument. */
KDL_API kdl_context *kdl_context_retain(kdl_context *ctx);

/** Drops a reference; every object keeps its context alive. NULL is ignored. */
KDL_API void kdl_context_release(kdl_context *ctx);

/** The status of the first error since the last kdl_error_clear(), KDL_OK if none. */
KDL_API kdl_status kdl_error_status(const kdl_context *ctx);

/** Its message, or "" (owned by the context, valid until the error is cleared). */
KDL_API const char *kdl_error_message(const kdl_context *ctx);

/** The name of the function that found it, for reports, or "" (a static string). */
KDL_API const char *kdl_error_place(const kdl_context *ctx);

/** Forgets the error, so that calls work again. */
KDL_API void kdl_error_clear(kdl_context *ctx);

/** Replaces the warning callback (NULL: warnings are dropped). */
KDL_API void kdl_set_warning_callback(kdl_context *ctx, kdl_warning_callback *callback,
                                      void *user_data);

/** The number of threads that a call may use. */
KDL_API int kdl_get_num_threads(const kdl_context *ctx);

/** Sets it; 0 means every processor that this process may use. Negative: ValueError. */
KDL_API kdl_status kdl_set_num_threads(kdl_context *ctx, int threads);

/**
 * The instruction set whose kernels the context computes with (a static string): "ref" is plain C,
 * for any processor; "avx2", "avx512" and "avx512icl", or "neon" and "neon-pmull", are faster. All
 * give the same bits. (Compare torch.backends.cpu.get_cpu_capability().)
 */
KDL_API const char *kdl_get_cpu(const kdl_context *ctx);

/**
 * Chooses it by name, for calls from now on; "auto" or NULL is the best one, which every context
 * starts with. ValueError, with a list of what there is, for a name that is unknown or that this
 * machine or this build of the library lacks.
 */
KDL_API kdl_status kdl_set_cpu(kdl_context *ctx, const char *name);

/** The names that kdl_set_cpu() takes here, "ref" first and the best last; NULL behind them. */
KDL_API const char *kdl_cpu_at(size_t index);

/** Frees memory that a function of this library handed to the caller (strings). NULL is ignored. */
KDL_API void kdl_free(kdl_context *ctx, void *pointer);

#ifdef __cplusplus
}
#endif
#endif
