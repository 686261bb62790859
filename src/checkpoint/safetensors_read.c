/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading safetensors files. Nothing in them is believed: the header is checked as a whole before
 * any of it is used, and elements are read with pread, which a file that shrinks cannot crash.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "checkpoint/checkpoint.h"

struct kdl_safetensors {
    kdl_context *ctx; /* retained */
    char *path;
    int file;
    json_t *header; /* owns the names and the metadata */
    uint64_t data;  /* where the header ends */
    uint64_t size;  /* of the file */
    kdl_safetensors_entry *entries;
    int count;
    int *by_name; /* entry numbers in the order of their names */
};

#define fail_format(file, ...) fail_format_at((file), __func__, __VA_ARGS__)

/* "'path' is not a safetensors file: <what is wrong>". */
static bool fail_format_at(kdl_safetensors *file, const char *place, const char *format, ...)
    KDL_PRINTF(3, 4);
static bool fail_format_at(kdl_safetensors *file, const char *place, const char *format, ...)
{
    kdl__text text;
    va_list arguments;
    kdl__text_init(&text, file->ctx);
    va_start(arguments, format);
    kdl__text_vprintf(&text, format, arguments);
    va_end(arguments);
    if (!text.failed)
        kdl__fail_at(file->ctx, place, KDL_ERROR_FORMAT, "'%s' is not a safetensors file: %s",
                     file->path, text.data);
    kdl__text_free(&text);
    return false;
}

int kdl__safetensors_pread(const kdl_safetensors *file, uint64_t offset, void *bytes, size_t nbytes)
{
    for (size_t done = 0; done < nbytes;) {
        ssize_t n = pread(file->file, (char *)bytes + done, nbytes - done, (off_t)(offset + done));
        if (n == 0)
            return ENODATA;
        if (n < 0 && errno != EINTR)
            return errno;
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

kdl_status kdl__safetensors_fail(kdl_safetensors *file, int error)
{
    if (error == ENODATA)
        return kdl__fail(file->ctx, KDL_ERROR_IO,
                         "cannot read '%s': the file has become shorter since it was opened",
                         file->path);
    return kdl__fail_errno(file->ctx, __func__, "read", file->path, error);
}

/* ---- the header --------------------------------------------------------------------------- */

static bool open_file(kdl_safetensors *file)
{
    struct stat status;
    file->file = open(file->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (file->file < 0 || fstat(file->file, &status)) {
        kdl__safetensors_fail(file, errno);
        return false;
    }
    if (!S_ISREG(status.st_mode)) {
        kdl__fail(file->ctx, KDL_ERROR_IO, "cannot read '%s': it is %s", file->path,
                  S_ISDIR(status.st_mode) ? "a directory" : "not a regular file");
        return false;
    }
    file->size = (uint64_t)status.st_size;
    return true;
}

static bool parse_header(kdl_safetensors *file, const char *text, size_t nbytes)
{
    json_error_t error;
    file->header = json_loadb(text, nbytes, JSON_REJECT_DUPLICATES, &error);
    if (!file->header)
        return fail_format(file, "line %d, column %d of its header: %s", error.line, error.column,
                           error.text);
    return json_is_object(file->header) || fail_format(file, "its header is no JSON object");
}

static bool read_header(kdl_safetensors *file)
{
    uint8_t bytes[8];
    uint64_t nbytes = 0;
    int error;
    if (file->size < sizeof bytes)
        return fail_format(file, "it has only %llu bytes", (unsigned long long)file->size);
    error = kdl__safetensors_pread(file, 0, bytes, sizeof bytes);
    for (int i = 0; i < 8; i++)
        nbytes |= (uint64_t)bytes[i] << 8 * i;
    if (!error && nbytes > file->size - sizeof bytes)
        return fail_format(file, "its header should have %llu bytes, and the file has %llu",
                           (unsigned long long)nbytes, (unsigned long long)file->size);
    if (!error && nbytes > KDL__SAFETENSORS_HEADER_MAX)
        return fail_format(file, "its header of %llu bytes is longer than the format allows",
                           (unsigned long long)nbytes);
    char *text = error ? NULL : kdl__alloc(file->ctx, (size_t)nbytes, 1);
    if (text)
        error = kdl__safetensors_pread(file, sizeof bytes, text, (size_t)nbytes);
    if (error)
        kdl__safetensors_fail(file, error);
    file->data = sizeof bytes + nbytes;
    bool parsed = text && !error && parse_header(file, text, (size_t)nbytes);
    kdl_free(file->ctx, text);
    return parsed;
}

static bool check_metadata(kdl_safetensors *file)
{
    json_t *metadata = json_object_get(file->header, "__metadata__"), *value;
    const char *key;
    if (metadata && !json_is_object(metadata))
        return fail_format(file, "its __metadata__ is no object");
    json_object_foreach(metadata, key, value)
    {
        if (!json_is_string(value))
            return fail_format(file, "'%s' in its __metadata__ is no string", key);
    }
    return true;
}

/* An integer that is not negative. */
static bool get_count(const json_t *value, uint64_t *count)
{
    *count = json_is_integer(value) ? (uint64_t)json_integer_value(value) : 0;
    return json_is_integer(value) && json_integer_value(value) >= 0;
}

static bool read_dtype(kdl_safetensors *file, const json_t *tensor, kdl_safetensors_entry *entry,
                       unsigned *bits)
{
    const char *name = json_string_value(json_object_get(tensor, "dtype"));
    if (!name)
        return fail_format(file, "'%s' has no dtype", entry->name);
    const kdl__safetensors_dtype *dtype = kdl__safetensors_dtypes;
    while (dtype->name && strcmp(dtype->name, name) != 0)
        dtype++;
    if (!dtype->name)
        return fail_format(file, "'%s' has the unknown dtype '%s'", entry->name, name);
    entry->dtype_name = dtype->name;
    entry->dtype = dtype->dtype;
    *bits = dtype->bits;
    return true;
}

static bool read_shape(kdl_safetensors *file, const json_t *tensor, kdl_safetensors_entry *entry,
                       unsigned bits)
{
    const json_t *shape = json_object_get(tensor, "shape");
    size_t ndim = json_array_size(shape);
    uint64_t numel = 1, size, nbits;
    if (!json_is_array(shape))
        return fail_format(file, "'%s' has no shape", entry->name);
    if (ndim > KDL_MAX_DIMS)
        return fail_format(file, "'%s' has %zu dimensions, more than %d", entry->name, ndim,
                           KDL_MAX_DIMS);
    entry->shape.ndim = (int)ndim;
    for (size_t d = 0; d < ndim; d++) {
        if (!get_count(json_array_get(shape, d), &size))
            return fail_format(file, "'%s' has a size that is no count", entry->name);
        if (__builtin_mul_overflow(numel, size, &numel))
            return fail_format(file, "'%s' has more elements than can be counted", entry->name);
        entry->shape.sizes[d] = (int64_t)size;
    }
    if (__builtin_mul_overflow(numel, bits, &nbits) || numel > INT64_MAX || nbits % 8)
        return fail_format(file, "'%s' has an impossible number of elements", entry->name);
    entry->numel = (int64_t)numel;
    entry->nbytes = nbits / 8;
    return true;
}

static bool read_offsets(kdl_safetensors *file, const json_t *tensor, kdl_safetensors_entry *entry)
{
    const json_t *offsets = json_object_get(tensor, "data_offsets");
    uint64_t begin, end;
    if (json_array_size(offsets) != 2 || !get_count(json_array_get(offsets, 0), &begin) ||
        !get_count(json_array_get(offsets, 1), &end))
        return fail_format(file, "'%s' has no data_offsets", entry->name);
    if (end < begin || end > file->size - file->data)
        return fail_format(file, "'%s' lies outside the file", entry->name);
    if (end - begin != entry->nbytes)
        return fail_format(file, "'%s' has %llu bytes where its shape needs %llu", entry->name,
                           (unsigned long long)(end - begin), (unsigned long long)entry->nbytes);
    entry->offset = file->data + begin;
    return true;
}

static int by_offset(const void *left, const void *right)
{
    const kdl_safetensors_entry *a = left, *b = right;
    if (a->offset != b->offset)
        return a->offset < b->offset ? -1 : 1;
    return (a->nbytes > b->nbytes) - (a->nbytes < b->nbytes); /* empty ones first */
}

static int by_name(const void *left, const void *right, void *entries)
{
    const kdl_safetensors_entry *all = entries;
    return strcmp(all[*(const int *)left].name, all[*(const int *)right].name);
}

static bool read_entries(kdl_safetensors *file)
{
    size_t most = json_object_size(file->header);
    const char *name;
    json_t *tensor;
    unsigned bits = 0;
    file->entries = kdl__alloc_zeroed(file->ctx, most, sizeof *file->entries);
    file->by_name = kdl__alloc(file->ctx, most, sizeof *file->by_name);
    if (!file->entries || !file->by_name)
        return false;
    json_object_foreach(file->header, name, tensor)
    {
        if (strcmp(name, "__metadata__") == 0)
            continue;
        kdl_safetensors_entry *entry = &file->entries[file->count++];
        entry->name = name;
        if (!json_is_object(tensor))
            return fail_format(file, "'%s' is described by no object", name);
        if (!read_dtype(file, tensor, entry, &bits) || !read_shape(file, tensor, entry, bits) ||
            !read_offsets(file, tensor, entry))
            return false;
    }
    return true;
}

/* Tensors must lie one behind the other and fill the file: it has no room for anything else. */
static bool check_layout(kdl_safetensors *file)
{
    uint64_t end = file->data;
    qsort(file->entries, (size_t)file->count, sizeof *file->entries, by_offset);
    for (int i = 0; i < file->count; i++) {
        const kdl_safetensors_entry *entry = &file->entries[i];
        if (entry->offset != end)
            return fail_format(file, "'%s' does not begin where the tensor before it ends",
                               entry->name);
        end += entry->nbytes;
        file->by_name[i] = i;
    }
    if (end != file->size)
        return fail_format(file, "it has %llu bytes behind its tensors",
                           (unsigned long long)(file->size - end));
    qsort_r(file->by_name, (size_t)file->count, sizeof *file->by_name, by_name, file->entries);
    return true;
}

kdl_safetensors *kdl_safetensors_open(kdl_context *ctx, const char *path)
{
    kdl_safetensors *file = kdl__failed(ctx) ? NULL : kdl__alloc_zeroed(ctx, 1, sizeof *file);
    if (!file)
        return NULL;
    file->ctx = kdl_context_retain(ctx);
    file->file = -1;
    file->path = kdl__strdup(ctx, path);
    if (file->path && open_file(file) && read_header(file) && check_metadata(file) &&
        read_entries(file) && check_layout(file))
        return file;
    kdl_safetensors_close(file);
    return NULL;
}

void kdl_safetensors_close(kdl_safetensors *file)
{
    if (!file)
        return;
    kdl_context *ctx = file->ctx;
    if (file->file >= 0)
        close(file->file);
    json_decref(file->header);
    kdl_free(ctx, file->entries);
    kdl_free(ctx, file->by_name);
    kdl_free(ctx, file->path);
    kdl_free(ctx, file);
    kdl_context_release(ctx);
}

kdl_context *kdl_safetensors_context(const kdl_safetensors *file)
{
    return file ? file->ctx : NULL;
}

/* ---- what is in it ------------------------------------------------------------------------ */

int kdl_safetensors_count(const kdl_safetensors *file)
{
    return file ? file->count : 0;
}

const kdl_safetensors_entry *kdl_safetensors_get(kdl_safetensors *file, int index)
{
    if (!file || kdl__failed(file->ctx))
        return NULL;
    if (index >= 0 && index < file->count)
        return &file->entries[index];
    kdl__fail(file->ctx, KDL_ERROR_INDEX, "there is no tensor %d in a file of %d", index,
              file->count);
    return NULL;
}

int kdl_safetensors_find(const kdl_safetensors *file, const char *name)
{
    int low = 0, high = file ? file->count : 0;
    while (low < high) {
        int middle = low + (high - low) / 2, index = file->by_name[middle];
        int order = strcmp(name, file->entries[index].name);
        if (order == 0)
            return index;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return -1;
}

int kdl_safetensors_metadata_count(const kdl_safetensors *file)
{
    return file ? (int)json_object_size(json_object_get(file->header, "__metadata__")) : 0;
}

kdl_status kdl_safetensors_metadata(kdl_safetensors *file, int index, const char **key,
                                    const char **value)
{
    if (!file)
        return KDL_ERROR_VALUE;
    if (kdl__failed(file->ctx))
        return kdl_error_status(file->ctx);
    int count = kdl_safetensors_metadata_count(file);
    if (index < 0 || index >= count)
        return kdl__fail(file->ctx, KDL_ERROR_INDEX, "there is no metadata %d among %d", index,
                         count);
    json_t *metadata = json_object_get(file->header, "__metadata__");
    void *iterator = json_object_iter(metadata);
    for (int i = 0; i < index; i++)
        iterator = json_object_iter_next(metadata, iterator);
    *key = json_object_iter_key(iterator);
    *value = json_string_value(json_object_iter_value(iterator));
    return KDL_OK;
}

/* ---- elements ------------------------------------------------------------------------------ */

const kdl_safetensors_entry *kdl__safetensors_check(kdl_safetensors *file, int index, int64_t first,
                                                    int64_t count)
{
    const kdl_safetensors_entry *entry = kdl_safetensors_get(file, index);
    if (!entry)
        return NULL;
    if (entry->dtype == KDL_DTYPE_COUNT) {
        kdl__fail(file->ctx, KDL_ERROR_NOT_IMPLEMENTED,
                  "'%s' is of dtype %s, which Kindling does not have", entry->name,
                  entry->dtype_name);
        return NULL;
    }
    if (first < 0 || count < 0 || first > entry->numel || count > entry->numel - first) {
        kdl__fail(file->ctx, KDL_ERROR_INDEX,
                  "elements [%lld, %lld + %lld) of '%s' are out of range: it has %lld",
                  (long long)first, (long long)first, (long long)count, entry->name,
                  (long long)entry->numel);
        return NULL;
    }
    return entry;
}

kdl_status kdl_safetensors_read(kdl_safetensors *file, int index, int64_t first, int64_t count,
                                void *values)
{
    const kdl_safetensors_entry *entry = kdl__safetensors_check(file, index, first, count);
    if (!entry)
        return file ? kdl_error_status(file->ctx) : KDL_ERROR_VALUE;
    size_t size = kdl_dtype_nbytes(entry->dtype);
    int error = kdl__safetensors_pread(file, entry->offset + (uint64_t)first * size, values,
                                       (size_t)count * size);
    return error ? kdl__safetensors_fail(file, error) : KDL_OK;
}
