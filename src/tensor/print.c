/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text of print(tensor), by the rules of PyTorch's _tensor_str.py with its default options.
 *
 * The elements that will show are collected first: they alone decide how numbers are written and
 * how wide. Then they are written in the same order.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "tensor/tape.h"

#define PRECISION 4
#define LINE_WIDTH 80
#define THRESHOLD 1000 /* more elements than this are summarised */
#define EDGE_ITEMS 3   /* to so many at either end of a dimension */

typedef union number {
    double real;
    int64_t integer;
} number;

typedef struct printer {
    const kdl_tensor *tensor;
    const void *data;
    bool summarize;
    number *shown; /* the elements that show, in order */
    size_t count;
    bool is_real, integral, scientific;
    size_t width;   /* of the widest element that decides it */
    kdl__text text; /* the result */
    kdl__text scratch;
} printer;

/* Whether a dimension shows only its ends. */
static bool is_cut(const printer *p, int64_t size)
{
    return p->summarize && size > 2 * EDGE_ITEMS;
}

/* The index of the i-th position that shows in a dimension of `size`. */
static int64_t shown_index(const printer *p, int64_t size, int64_t i)
{
    return is_cut(p, size) && i >= EDGE_ITEMS ? size - 2 * EDGE_ITEMS + i : i;
}

static int64_t shown_size(const printer *p, int64_t size)
{
    return is_cut(p, size) ? 2 * EDGE_ITEMS : size;
}

static void collect(printer *p, int dim, int64_t offset)
{
    const kdl_tensor *tensor = p->tensor;
    if (dim == tensor->ndim) {
        kdl_dtype dtype = tensor->storage->dtype;
        number *next = &p->shown[p->count++];
        if (p->is_real)
            next->real = kdl__load_double(dtype, p->data, offset);
        else
            next->integer = kdl__load_int(dtype, p->data, offset);
        return;
    }
    int64_t size = tensor->dims[dim];
    for (int64_t i = 0; i < shown_size(p, size); i++)
        collect(p, dim + 1, offset + shown_index(p, size, i) * tensor->strides[dim]);
}

/* Writes one element to p->scratch, without padding. */
static void format_number(printer *p, number value)
{
    p->scratch.length = 0;
    if (!p->is_real) {
        if (p->tensor->storage->dtype == KDL_BOOL)
            kdl__text_puts(&p->scratch, value.integer ? "True" : "False");
        else
            kdl__text_printf(&p->scratch, "%" PRId64, value.integer);
    } else if (p->scientific) {
        kdl__text_double(&p->scratch, 'e', PRECISION, value.real);
    } else if (p->integral) {
        kdl__text_double(&p->scratch, 'f', 0, value.real);
        if (isfinite(value.real))
            kdl__text_puts(&p->scratch, ".");
    } else {
        kdl__text_double(&p->scratch, 'f', PRECISION, value.real);
    }
}

static bool decides(const printer *p, number value)
{
    return !p->is_real || (isfinite(value.real) && value.real != 0);
}

/* Chooses how numbers are written; zeros and what is not finite have no say. */
static void choose_format(printer *p)
{
    double smallest = INFINITY, largest = 0;
    p->integral = true;
    p->scientific = false;
    p->width = 1;
    for (size_t i = 0; p->is_real && i < p->count; i++) {
        double value = p->shown[i].real;
        if (!decides(p, p->shown[i]))
            continue;
        smallest = fmin(smallest, fabs(value));
        largest = fmax(largest, fabs(value));
        p->integral = p->integral && value == ceil(value);
    }
    if (largest > 0)
        p->scientific = largest / smallest > 1000.0 || largest > 1.0e8 || smallest < 1.0e-4;
    for (size_t i = 0; i < p->count; i++) {
        if (!decides(p, p->shown[i]))
            continue;
        format_number(p, p->shown[i]);
        if (p->scratch.length > p->width)
            p->width = p->scratch.length;
    }
}

static void write_next(printer *p)
{
    format_number(p, p->shown[p->count++]);
    if (p->scratch.length < p->width)
        kdl__text_repeat(&p->text, ' ', p->width - p->scratch.length);
    if (!p->scratch.failed)
        kdl__text_add(&p->text, p->scratch.data, p->scratch.length);
}

/* The last dimension: as many elements a line as fit, at least one. */
static void write_vector(printer *p, int64_t size, size_t indent)
{
    int64_t items = shown_size(p, size) + is_cut(p, size);
    int64_t per_line = ((int64_t)LINE_WIDTH - (int64_t)indent) / ((int64_t)p->width + 2);
    if (per_line < 1)
        per_line = 1;
    for (int64_t i = 0; i < items; i++) {
        if (i > 0 && i % per_line == 0) {
            kdl__text_puts(&p->text, ",\n");
            kdl__text_repeat(&p->text, ' ', indent + 1);
        } else if (i > 0) {
            kdl__text_puts(&p->text, ", ");
        }
        if (is_cut(p, size) && i == EDGE_ITEMS)
            kdl__text_puts(&p->text, " ...");
        else
            write_next(p);
    }
}

static void write_dim(printer *p, int dim, size_t indent)
{
    const kdl_tensor *tensor = p->tensor;
    if (dim == tensor->ndim) {
        write_next(p);
        return;
    }
    int64_t size = tensor->dims[dim];
    kdl__text_puts(&p->text, "[");
    if (dim == tensor->ndim - 1) {
        write_vector(p, size, indent);
    } else {
        int64_t items = shown_size(p, size) + is_cut(p, size);
        for (int64_t i = 0; i < items; i++) {
            if (i > 0) {
                kdl__text_puts(&p->text, ",");
                kdl__text_repeat(&p->text, '\n', (size_t)(tensor->ndim - dim - 1));
                kdl__text_repeat(&p->text, ' ', indent + 1);
            }
            if (is_cut(p, size) && i == EDGE_ITEMS)
                kdl__text_puts(&p->text, "...");
            else
                write_dim(p, dim + 1, indent + 1);
        }
    }
    kdl__text_puts(&p->text, "]");
}

/* Appends `suffix`, on a line of its own when this one would get too long. */
static void write_suffix(printer *p, size_t *line_length, size_t indent, const char *suffix)
{
    size_t length = strlen(suffix);
    if (*line_length + length + 2 > LINE_WIDTH) {
        kdl__text_puts(&p->text, ",\n");
        kdl__text_repeat(&p->text, ' ', indent);
        *line_length = indent + length;
    } else {
        kdl__text_puts(&p->text, ", ");
        *line_length += length + 2;
    }
    kdl__text_puts(&p->text, suffix);
}

/* "size=(0, 3)", as Python writes a tuple. */
static void describe_size(kdl__text *text, const kdl_tensor *tensor)
{
    kdl__text_puts(text, "size=(");
    for (int d = 0; d < tensor->ndim; d++)
        kdl__text_printf(text, "%s%" PRId64, d ? ", " : "", tensor->dims[d]);
    kdl__text_puts(text, ")");
}

static void write_suffixes(printer *p, size_t indent, size_t start)
{
    const kdl_tensor *tensor = p->tensor;
    kdl_dtype dtype = tensor->storage->dtype;
    if (p->text.failed)
        return;
    const char *last_line = strrchr(p->text.data + start, '\n');
    const char *end = p->text.data + p->text.length;
    size_t line_length = last_line ? (size_t)(end - last_line) + 1 : p->text.length - start + 2;
    if (tensor->numel == 0 && tensor->ndim != 1) {
        p->scratch.length = 0;
        describe_size(&p->scratch, tensor);
        if (!p->scratch.failed)
            write_suffix(p, &line_length, indent, p->scratch.data);
    }
    /* Values alone show float32, and int64 and bool unless there are none. */
    bool shows_dtype =
        dtype == KDL_F32 || (tensor->numel > 0 && (dtype == KDL_I64 || dtype == KDL_BOOL));
    if (!shows_dtype) {
        char suffix[40];
        snprintf(suffix, sizeof suffix, "dtype=torch.%s", kdl_dtype_name(dtype));
        write_suffix(p, &line_length, indent, suffix);
    }
    /* The tape stands there while recording is switched off, too. */
    const kdl__tape *tape = kdl__slot_get(tensor->ctx, KDL__SLOT_TRAINING);
    const char *grad_fn = tape ? tape->grad_fn(tensor) : NULL;
    char made_by[64];
    snprintf(made_by, sizeof made_by, "grad_fn=<%s>", grad_fn ? grad_fn : "");
    if (grad_fn)
        write_suffix(p, &line_length, indent, made_by);
    else if (kdl__requires_grad(tensor))
        write_suffix(p, &line_length, indent, "requires_grad=True");
}

/* Reads what shows into p->shown. */
static bool collect_shown(printer *p)
{
    size_t count = 1;
    for (int d = 0; d < p->tensor->ndim; d++)
        count *= (size_t)shown_size(p, p->tensor->dims[d]);
    p->shown = kdl__alloc(p->tensor->ctx, count, sizeof *p->shown);
    if (p->shown)
        collect(p, 0, 0);
    return p->shown;
}

static void write_values(printer *p, size_t indent)
{
    if (p->tensor->numel == 0) {
        kdl__text_puts(&p->text, "[]");
    } else if (collect_shown(p)) {
        choose_format(p);
        p->count = 0; /* from here on: how many are written */
        write_dim(p, 0, indent);
    }
}

char *kdl_tensor_to_string(kdl_tensor *tensor)
{
    static const char prefix[] = "tensor(";
    const size_t indent = sizeof prefix - 1;
    if (tensor && tensor->is_uninitialized)
        return kdl__strdup(tensor->ctx, tensor->is_parameter ? "<UninitializedParameter>"
                                                             : "<UninitializedBuffer>");
    printer p = { .tensor = tensor, .data = kdl_tensor_data(tensor) };
    if (!p.data)
        return NULL;
    p.summarize = tensor->numel > THRESHOLD;
    p.is_real = kdl_dtype_is_floating_point(tensor->storage->dtype);
    kdl__text_init(&p.text, tensor->ctx);
    kdl__text_init(&p.scratch, tensor->ctx);
    if (tensor->is_parameter)
        kdl__text_puts(&p.text, "Parameter containing:\n");
    size_t start = p.text.length;
    kdl__text_puts(&p.text, prefix);
    write_values(&p, indent);
    write_suffixes(&p, indent, start);
    kdl__text_puts(&p.text, ")");
    kdl__text_free(&p.scratch);
    kdl_free(tensor->ctx, p.shown);
    if (kdl__failed(tensor->ctx)) {
        kdl__text_free(&p.text);
        return NULL;
    }
    return kdl__text_take(&p.text);
}

kdl_status kdl_tensor_print(kdl_tensor *tensor, FILE *file)
{
    char *text = kdl_tensor_to_string(tensor);
    if (!text)
        return kdl__refusal(tensor);
    if (fprintf(file, "%s\n", text) < 0)
        kdl__fail(tensor->ctx, KDL_ERROR_IO, "cannot write a tensor's text: %s", strerror(errno));
    kdl_free(tensor->ctx, text);
    return tensor->ctx->status;
}
