/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of named tensors: writing a plan into one, reading one back.
 *
 * The format is safetensors (https://github.com/huggingface/safetensors): a header in JSON, then
 * every tensor's elements, row-major, little-endian. Files written here are laid out as Python's
 * safetensors lays them out, and are read by it.
 */
#ifndef KINDLING_CHECKPOINT_H
#define KINDLING_CHECKPOINT_H

#include "kindling/module_state_dict.h"
#include "kindling/options.h"
#include "kindling/plan.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- writing ----------------------------------------------------------------------------- */

/**
 * Told now and then how many bytes of `total` are done, beginning with 0 and ending with `total`;
 * returns whether to go on.
 */
typedef bool kdl_progress_callback(void *user_data, uint64_t done, uint64_t total);

/** Options of kdl_plan_save(); start from KDL_SAVE_DEFAULTS. */
typedef struct kdl_save_options {
    size_t nbytes;                   /**< sizeof(kdl_save_options), for the ABI */
    bool force;                      /**< replace a file that is there; default false */
    bool sync;                       /**< wait until the disk has it (fsync); default false */
    kdl_progress_callback *progress; /**< default NULL */
    void *progress_user_data;
} kdl_save_options;

#define KDL_SAVE_DEFAULTS                                                                          \
    {                                                                                              \
        sizeof(kdl_save_options), false, false, NULL, NULL                                         \
    }

/**
 * Computes every tensor of `plan` into the safetensors file `path`, in the order and with the
 * header that Python's safetensors.torch.save_file gives them: by descending element type, then by
 * name. A tied entry is left out, as transformers' save_pretrained does. The metadata holds
 * "format": "pt" and, each with "kindling." before its name, the version, the profile, the seed
 * (where the plan has one) and the plan's attributes.
 *
 * The file appears under its name when it is complete, and not at all on failure; until then it has
 * no name where the file system allows that (O_TMPFILE), else one that begins with ".kindling-" in
 * the same directory. Memory is a window of 16 MiB whatever the size, besides what whole-tensor
 * operations need. The context's threads work.
 *
 * Errors: KDL_ERROR_IO (the file is there and `force` is not given, no directory, a full disk,
 * ...), KDL_ERROR_VALUE (a name that is not UTF-8), KDL_ERROR_INTERRUPTED (`progress` said so), and
 * what computing the tensors gives. A process that is to get an error rather than a signal when it
 * passes its limit on file sizes ignores SIGXFSZ.
 */
#define kdl_plan_save(plan, path, ...)                                                             \
    KDL__WITH(kdl_save_options, KDL_SAVE_DEFAULTS, (__VA_ARGS__), kdl_plan_save_with, plan, path)
KDL_API kdl_status kdl_plan_save_with(kdl_plan *plan, const char *path, const kdl_save_options *);

/**
 * Whether a file could be made at `path` now, with the error that kdl_plan_save() would give: for
 * programs that want to know before long work. Leaves nothing behind.
 */
KDL_API kdl_status kdl_save_check(kdl_context *ctx, const char *path, bool force);

/**
 * safetensors.torch.save_model(module, path): writes the module's state_dict as kdl_plan_save()
 * writes a plan; of tied tensors the one whose name sorts first. Options and errors are
 * kdl_plan_save()'s.
 */
#define kdl_save(module, path, ...)                                                                \
    KDL__WITH(kdl_save_options, KDL_SAVE_DEFAULTS, (__VA_ARGS__), kdl_save_with, module, path)
KDL_API kdl_status kdl_save_with(kdl_module *module, const char *path, const kdl_save_options *);

/* ---- reading ----------------------------------------------------------------------------- */

/** A safetensors file open for reading. */
typedef struct kdl_safetensors kdl_safetensors;

/** One tensor of it (owned by the file). */
typedef struct kdl_safetensors_entry {
    const char *name;
    const char *dtype_name; /**< the format's word: "F32", "BF16", "F8_E4M3" */
    kdl_dtype dtype;        /**< KDL_DTYPE_COUNT: one that Kindling cannot compute with */
    kdl_shape shape;
    int64_t numel;
    uint64_t offset, nbytes; /**< where its elements lie in the file */
} kdl_safetensors_entry;

/**
 * Opens `path` and checks its whole header: sizes, names, element types, and that the tensors
 * fill the file without gaps or overlaps. Entries are in the order in which they lie in the file.
 * KDL_ERROR_IO when it cannot be read, KDL_ERROR_FORMAT (naming what is wrong) when it is no
 * safetensors file. One thread at a time.
 */
KDL_API kdl_safetensors *kdl_safetensors_open(kdl_context *ctx, const char *path);
/** Closes it. NULL is ignored. */
KDL_API void kdl_safetensors_close(kdl_safetensors *file);
KDL_API kdl_context *kdl_safetensors_context(const kdl_safetensors *file);

KDL_API int kdl_safetensors_count(const kdl_safetensors *file);
/** The entry at `index`; IndexError and NULL when there is none. */
KDL_API const kdl_safetensors_entry *kdl_safetensors_get(kdl_safetensors *file, int index);
/** The index of `name`, or -1 (no error). */
KDL_API int kdl_safetensors_find(const kdl_safetensors *file, const char *name);

/** The number of entries of the header's __metadata__. */
KDL_API int kdl_safetensors_metadata_count(const kdl_safetensors *file);
/** The key and the value at `index` (owned by the file); IndexError when there is none. */
KDL_API kdl_status kdl_safetensors_metadata(kdl_safetensors *file, int index, const char **key,
                                            const char **value);

/**
 * Elements [first, first + count) of the entry at `index`, row-major, into `values`. IndexError for
 * a range that is not there, NotImplementedError for an element type that Kindling does not have,
 * KDL_ERROR_IO when the file has become shorter or cannot be read.
 */
KDL_API kdl_status kdl_safetensors_read(kdl_safetensors *file, int index, int64_t first,
                                        int64_t count, void *values);

/**
 * safetensors.torch.load_file(path): the file's tensors as a state_dict. The header is checked now;
 * each tensor is read when it is asked for or loaded, so a part of the file costs that part only.
 * Errors as kdl_safetensors_open(), and later kdl_safetensors_read().
 */
KDL_API kdl_state_dict *kdl_state_dict_open(kdl_context *ctx, const char *path);

/**
 * safetensors.torch.load_model(module, path): kdl_load_state_dict() from a file. A tensor that the
 * module has under several names may be in the file under one of them only.
 */
#define kdl_load(module, path, ...)                                                                \
    KDL__WITH(kdl_load_options, KDL_LOAD_DEFAULTS, (__VA_ARGS__), kdl_load_with, module, path)
KDL_API kdl_status kdl_load_with(kdl_module *module, const char *path, const kdl_load_options *);

/** What a tensor's elements are like. In double; any NaN makes them all NaN, as in PyTorch. */
typedef struct kdl_summary {
    int64_t numel;
    double mean;     /**< NaN when there are no elements */
    double std;      /**< with Bessel's correction, as torch.std; NaN for fewer than two elements */
    double min, max; /**< NaN when there are no elements */
} kdl_summary;

/**
 * Reads the entry at `index` once, in bounded memory, on the context's threads. The result does not
 * depend on their number. Errors as kdl_safetensors_read().
 */
KDL_API kdl_status kdl_safetensors_summarize(kdl_safetensors *file, int index,
                                             kdl_summary *summary);

#ifdef __cplusplus
}
#endif
#endif
