/* SPDX-License-Identifier: Apache-2.0 */
/* Writing a plan as a safetensors file, one window of it after the other. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "checkpoint/checkpoint.h"
#include "plan/plan_impl.h"

/* One tensor of the file. */
typedef struct piece {
    const kdl_plan_tensor *tensor;
    int index;           /* in the plan */
    int rank;            /* of its element type in kdl__safetensors_dtypes */
    uint64_t begin, end; /* its bytes, counted from the end of the header */
} piece;

typedef struct writer {
    kdl_context *ctx;
    kdl_plan *plan;
    piece *pieces;
    size_t count;
    size_t next;  /* the first piece with bytes that are still to be written */
    char *header; /* with its length before it and its padding behind */
    size_t header_nbytes;
    uint64_t total;
    char *window; /* the part of the file that is being written */
    kdl_plan_request *requests;
    size_t request_capacity;
} writer;

static int dtype_rank(kdl_dtype dtype)
{
    int rank = 0;
    while (kdl__safetensors_dtypes[rank].dtype != dtype)
        rank++;
    return rank;
}

static int by_dtype_then_name(const void *left, const void *right)
{
    const piece *a = left, *b = right;
    return a->rank != b->rank ? a->rank - b->rank : strcmp(a->tensor->name, b->tensor->name);
}

static kdl_status check_name(kdl_context *ctx, const char *name)
{
    if (!kdl__is_utf8(name, strlen(name)))
        return kdl__fail_at(ctx, "kdl_plan_save", KDL_ERROR_VALUE,
                            "the tensor name '%s' is not UTF-8", name);
    if (!strcmp(name, "__metadata__"))
        return kdl__fail_at(ctx, "kdl_plan_save", KDL_ERROR_VALUE,
                            "'%s' cannot be a tensor's name in a safetensors file", name);
    return KDL_OK;
}

/* Collects the tensors that are not tied to earlier ones, in the file's order. */
static kdl_status lay_out(writer *w)
{
    int count = kdl_plan_count(w->plan);
    w->pieces = kdl__alloc(w->ctx, (size_t)count, sizeof *w->pieces);
    for (int i = 0; w->pieces && i < count; i++) {
        const kdl_plan_tensor *tensor = kdl_plan_get(w->plan, i);
        if (tensor->tied_to >= 0)
            continue;
        if (check_name(w->ctx, tensor->name))
            break;
        w->pieces[w->count++] = (piece){ tensor, i, dtype_rank(tensor->dtype), 0, 0 };
    }
    if (!w->pieces || kdl__failed(w->ctx))
        return kdl_error_status(w->ctx);
    qsort(w->pieces, w->count, sizeof *w->pieces, by_dtype_then_name);
    for (size_t i = 0; i < w->count; i++) {
        piece *p = &w->pieces[i];
        uint64_t nbytes;
        p->begin = i ? w->pieces[i - 1].end : 0;
        if (__builtin_mul_overflow((uint64_t)p->tensor->numel, kdl_dtype_nbytes(p->tensor->dtype),
                                   &nbytes) ||
            __builtin_add_overflow(p->begin, nbytes, &p->end) || p->end > INT64_MAX)
            return kdl__fail_at(w->ctx, "kdl_plan_save", KDL_ERROR_VALUE,
                                "the tensors are too large for one file");
    }
    return KDL_OK;
}

static void add_member(kdl__text *json, const char *key, const char *value)
{
    kdl__json_add_string(json, key);
    kdl__text_puts(json, ":");
    kdl__json_add_string(json, value);
}

/* How the file was made, next to what transformers asks of every file. */
static void add_metadata(writer *w, kdl__text *json)
{
    uint64_t seed;
    kdl__text_puts(json, "\"__metadata__\":{");
    add_member(json, "format", "pt");
    kdl__text_puts(json, ",");
    add_member(json, "kindling.version", kdl_version());
    kdl__text_puts(json, ",");
    add_member(json, "kindling.profile", kdl_profile());
    if (kdl_plan_seed(w->plan, &seed)) {
        char digits[24];
        snprintf(digits, sizeof digits, "%llu", (unsigned long long)seed);
        kdl__text_puts(json, ",");
        add_member(json, "kindling.seed", digits);
    }
    for (size_t i = 0; i < w->plan->attribute_count; i++) {
        const kdl__plan_attribute *attribute = &w->plan->attributes[i];
        char *name = kdl__asprintf(w->ctx, "kindling.%s", attribute->key);
        if (!name)
            return;
        kdl__text_puts(json, ",");
        add_member(json, name, attribute->value);
        kdl_free(w->ctx, name);
    }
    kdl__text_puts(json, "}");
}

static void add_piece(kdl__text *json, const piece *p)
{
    kdl__text_puts(json, ",");
    kdl__json_add_string(json, p->tensor->name);
    kdl__text_printf(json, ":{\"dtype\":\"%s\",\"shape\":[", kdl__safetensors_dtypes[p->rank].name);
    for (int d = 0; d < p->tensor->shape.ndim; d++)
        kdl__text_printf(json, "%s%lld", d ? "," : "", (long long)p->tensor->shape.sizes[d]);
    kdl__text_printf(json, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)p->begin,
                     (unsigned long long)p->end);
}

static kdl_status make_header(writer *w)
{
    kdl__text json;
    uint8_t length[8];
    kdl__text_init(&json, w->ctx);
    kdl__text_repeat(&json, ' ', sizeof length);
    kdl__text_puts(&json, "{");
    add_metadata(w, &json);
    for (size_t i = 0; i < w->count; i++)
        add_piece(&json, &w->pieces[i]);
    kdl__text_puts(&json, "}");
    kdl__text_repeat(&json, ' ', -json.length & 7); /* elements of 8 bytes are to be aligned */
    w->header_nbytes = json.length;
    w->header = kdl__text_take(&json);
    if (!w->header)
        return kdl_error_status(w->ctx);
    uint64_t nbytes = w->header_nbytes - sizeof length;
    if (nbytes > KDL__SAFETENSORS_HEADER_MAX)
        return kdl__fail_at(w->ctx, "kdl_plan_save", KDL_ERROR_VALUE,
                            "the header of %llu bytes is longer than a safetensors file may have",
                            (unsigned long long)nbytes);
    for (int i = 0; i < 8; i++)
        length[i] = (uint8_t)(nbytes >> 8 * i);
    memcpy(w->header, length, sizeof length);
    w->total = w->header_nbytes + (w->count ? w->pieces[w->count - 1].end : 0);
    return KDL_OK;
}

/* The parts of tensors that lie in the file's bytes [begin, end), as requests; -1 on failure. */
static int make_requests(writer *w, uint64_t begin, uint64_t end)
{
    size_t count = 0;
    for (size_t i = w->next; i < w->count; i++) {
        const piece *p = &w->pieces[i];
        uint64_t size = kdl_dtype_nbytes(p->tensor->dtype);
        uint64_t low = p->begin + w->header_nbytes, high = p->end + w->header_nbytes;
        uint64_t from = low > begin ? low : begin, to = high < end ? high : end;
        void *requests = w->requests;
        if (low >= end)
            break;
        if (from >= to)
            continue;
        if (!kdl__grow(w->ctx, &requests, &w->request_capacity, count + 1, sizeof *w->requests))
            return -1;
        w->requests = requests;
        w->requests[count++] =
            (kdl_plan_request){ p->index, (int64_t)((from - low) / size),
                                (int64_t)((to - from) / size), w->window + (from - begin) };
    }
    return (int)count;
}

/* Gives back what was kept for tensors that are written to their end. */
static void drop_finished(writer *w, uint64_t end)
{
    while (w->next < w->count && w->pieces[w->next].end + w->header_nbytes <= end)
        kdl_plan_drop(w->plan, w->pieces[w->next++].index);
}

static kdl_status write_window(writer *w, kdl__output *output, uint64_t begin, uint64_t end)
{
    w->window = kdl__output_window(output, begin, (size_t)(end - begin));
    if (!w->window)
        return kdl_error_status(w->ctx);
    if (begin < w->header_nbytes) {
        uint64_t header_end = w->header_nbytes < end ? w->header_nbytes : end;
        memcpy(w->window, w->header + begin, (size_t)(header_end - begin));
    }
    int count = make_requests(w, begin, end);
    if (count < 0 || kdl_plan_read(w->plan, w->requests, count) || kdl__output_store(output))
        return kdl_error_status(w->ctx);
    drop_finished(w, end);
    return KDL_OK;
}

static bool go_on(writer *w, const kdl_save_options *options, uint64_t done)
{
    if (!options->progress || options->progress(options->progress_user_data, done, w->total))
        return true;
    kdl__fail_at(w->ctx, "kdl_plan_save", KDL_ERROR_INTERRUPTED, "interrupted");
    return false;
}

static kdl_status write_all(writer *w, kdl__output *output, const kdl_save_options *options)
{
    uint64_t begin = 0;
    while (go_on(w, options, begin)) {
        if (begin == w->total)
            return kdl__output_publish(output, options->sync);
        uint64_t end =
            w->total - begin > KDL__OUTPUT_WINDOW ? begin + KDL__OUTPUT_WINDOW : w->total;
        if (write_window(w, output, begin, end))
            break;
        begin = end;
    }
    return kdl_error_status(w->ctx);
}

kdl_status kdl_plan_save_with(kdl_plan *plan, const char *path, const kdl_save_options *given)
{
    kdl_context *ctx = plan ? kdl_plan_context(plan) : NULL;
    kdl_save_options options = KDL_SAVE_DEFAULTS;
    writer w = { .ctx = ctx, .plan = plan };
    if (!plan)
        return KDL_ERROR_VALUE; /* what made no plan has left its error */
    if (kdl__failed(ctx) ||
        !kdl__read_options(ctx, "kdl_plan_save", &options, sizeof options, given))
        return kdl_error_status(ctx);
    if (!lay_out(&w) && !make_header(&w)) {
        kdl__output *output = kdl__output_open(ctx, path, options.force, w.total);
        if (output)
            write_all(&w, output, &options);
        kdl__output_close(output);
    }
    kdl_free(ctx, w.pieces);
    kdl_free(ctx, w.header);
    kdl_free(ctx, w.requests);
    return kdl_error_status(ctx);
}
