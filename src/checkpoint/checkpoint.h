/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checkpoint: files of named tensors, their writers over one kind of output and their readers.
 */
#ifndef KDL_SRC_CHECKPOINT_CHECKPOINT_H
#define KDL_SRC_CHECKPOINT_CHECKPOINT_H

#include "base/base.h"
#include "kindling/checkpoint.h"

/*
 * Records, as found by `where`, "cannot <action> '<path>': <what errno says>"; returns the status
 * in force.
 */
kdl_status kdl__fail_errno(kdl_context *ctx, const char *where, const char *action,
                           const char *path, int error);

/* ---- outputs: a file that appears under its name when it is complete ---------------------- */

typedef struct kdl__output kdl__output;

/* The bytes of the file that are in memory at one time. A multiple of every page size. */
#define KDL__OUTPUT_WINDOW ((size_t)16 << 20)

/*
 * A file of `nbytes` bytes to be written, for which the disk has room (where it can promise that).
 * NULL on failure.
 */
kdl__output *kdl__output_open(kdl_context *ctx, const char *path, bool force, uint64_t nbytes);
/*
 * Memory for the bytes [offset, offset + nbytes) of the file; the caller writes all of them. The
 * offset is a multiple of KDL__OUTPUT_WINDOW and nbytes at most that. One window at a time.
 */
void *kdl__output_window(kdl__output *output, uint64_t offset, size_t nbytes);
/* Puts the window's bytes into the file; its memory is gone. */
kdl_status kdl__output_store(kdl__output *output);
/* Gives the complete file its name, after an fsync with `sync`. The output remains to be closed. */
kdl_status kdl__output_publish(kdl__output *output, bool sync);
/* Frees the output; a file that was not published is gone. NULL is ignored. */
void kdl__output_close(kdl__output *output);

/* ---- the safetensors format --------------------------------------------------------------- */

/* The longest header that Python's safetensors reads. */
#define KDL__SAFETENSORS_HEADER_MAX 100000000

/* An element type of the format. */
typedef struct kdl__safetensors_dtype {
    const char *name;
    unsigned bits;   /* of one element */
    kdl_dtype dtype; /* KDL_DTYPE_COUNT: Kindling has none */
} kdl__safetensors_dtype;

/* In the order in which Python's safetensors lays tensors out; ends with a NULL name. */
extern const kdl__safetensors_dtype kdl__safetensors_dtypes[];

/* The file's bytes [offset, offset + nbytes), on any thread; 0 or an errno, recorded by nobody. */
int kdl__safetensors_pread(const kdl_safetensors *file, uint64_t offset, void *bytes,
                           size_t nbytes);
/* Records what kdl__safetensors_pread() returned. */
kdl_status kdl__safetensors_fail(kdl_safetensors *file, int error);
/* The entry, if its elements [first, first + count) can be had; else NULL with the error. */
const kdl_safetensors_entry *kdl__safetensors_check(kdl_safetensors *file, int index, int64_t first,
                                                    int64_t count);

#endif
