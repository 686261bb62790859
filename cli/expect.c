/* SPDX-License-Identifier: Apache-2.0 */
/* --expect: comparing a plan's names, shapes and types with a list or a safetensors file. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

/* One tensor of the list. */
typedef struct expected {
    char *name; /* owned */
    kdl_dtype dtype;
    kdl_shape shape;
} expected;

typedef struct expectation {
    kdl_plan *plan, *all; /* what is written; every name of the state_dict */
    const char *path;
    expected *tensors;
    int count, differences;
} expectation;

/* ---- reading ----------------------------------------------------------------------------- */

static bool add_tensor(expectation *list, const char *name, size_t length, kdl_dtype dtype,
                       const kdl_shape *shape)
{
    expected *tensors = realloc(list->tensors, ((size_t)list->count + 1) * sizeof *tensors);
    list->tensors = tensors ? tensors : list->tensors;
    char *copy = tensors ? strndup(name, length) : NULL;
    if (!copy) {
        cli_complain("out of memory");
        return false;
    }
    tensors[list->count++] = (expected){ copy, dtype, *shape };
    return true;
}

/* "[3, 4]", "(3, 4)" or "[3, 4])", up to `end`. */
static bool read_shape(const char *at, const char *end, kdl_shape *shape)
{
    *shape = KDL_SCALAR_SHAPE;
    at += strspn(at, "([ ");
    while (at < end && *at >= '0' && *at <= '9' && shape->ndim < KDL_MAX_DIMS) {
        char *next;
        errno = 0;
        shape->sizes[shape->ndim++] = strtoll(at, &next, 10);
        if (errno)
            return false;
        at = next + strspn(next, ", ");
    }
    return at + strspn(at, ")] \t") >= end;
}

/* "name shape dtype"; a name may hold spaces, so it is read from the end. */
static bool read_line(expectation *list, const char *line, size_t length)
{
    char *copy = strndup(line, length), *dtype = copy ? strrchr(copy, ' ') : NULL;
    bool read = false;
    kdl_shape shape;
    kdl_dtype type;
    char *bracket = NULL;
    if (dtype && kdl_dtype_parse(dtype + (strncmp(dtype, " torch.", 7) == 0 ? 7 : 1), &type)) {
        *dtype = '\0';
        char *round = strrchr(copy, '(');
        bracket = strrchr(copy, '[');
        bracket = round && (!bracket || round > bracket) ? round : bracket;
    }
    if (bracket && read_shape(bracket, dtype, &shape)) {
        char *end = bracket;
        if (end - copy >= 11 && strncmp(end - 11, "torch.Size(", 11) == 0)
            end -= 11;
        while (end > copy && strchr(" \t", end[-1]))
            end--;
        read = end > copy && end < bracket &&
               add_tensor(list, copy, (size_t)(end - copy), type, &shape);
    }
    free(copy);
    return read;
}

static bool read_lines(expectation *list, const char *text)
{
    static const char blanks[] = " \t\r";
    for (int number = 1; *text; number++) {
        const char *end = text + strcspn(text, "\n"), *next = end + (*end == '\n');
        text += strspn(text, blanks);
        while (end > text && strchr(blanks, end[-1]))
            end--;
        if (end > text && *text != '#' && !read_line(list, text, (size_t)(end - text))) {
            cli_complain("%s: line %d: a name, a shape and a dtype are expected, such as "
                         "'fc.weight [10, 84] float32'",
                         list->path, number);
            return false;
        }
        text = next;
    }
    return true;
}

static bool read_file_header(expectation *list, kdl_context *ctx)
{
    bool read = true;
    kdl_safetensors *file = kdl_safetensors_open(ctx, list->path);
    for (int i = 0; file && read && i < kdl_safetensors_count(file); i++) {
        const kdl_safetensors_entry *entry = kdl_safetensors_get(file, i);
        read = add_tensor(list, entry->name, strlen(entry->name), entry->dtype, &entry->shape);
    }
    kdl_safetensors_close(file);
    return file && read;
}

static bool read_expected(expectation *list, kdl_context *ctx)
{
    size_t nbytes;
    FILE *file = fopen(list->path, "rb");
    unsigned char start[9];
    bool is_safetensors =
        file && fread(start, 1, sizeof start, file) == sizeof start && !start[7] && start[8] == '{';
    if (file)
        fclose(file);
    if (is_safetensors)
        return read_file_header(list, ctx);
    char *text = cli_read_file(list->path, &nbytes);
    bool read = text && read_lines(list, text);
    free(text);
    return read;
}

/* ---- comparing --------------------------------------------------------------------------- */

static void tell(expectation *list, const char *format, const char *name, const char *of,
                 const char *instead)
{
    if (list->differences++ == 0)
        cli_complain("the model is not the one of '%s':", list->path);
    fputs("  ", stderr);
    fprintf(stderr, format, name, of, instead);
    fputs("\n", stderr);
}

static bool same_shape(const kdl_shape *a, const kdl_shape *b)
{
    return a->ndim == b->ndim &&
           memcmp(a->sizes, b->sizes, (size_t)a->ndim * sizeof *a->sizes) == 0;
}

static const char *dtype_name(kdl_dtype dtype)
{
    return dtype == KDL_DTYPE_COUNT ? "of a type that Kindling lacks" : kdl_dtype_name(dtype);
}

static void compare_tensor(expectation *list, const expected *one)
{
    char ours[CLI_SHAPE_NBYTES], theirs[CLI_SHAPE_NBYTES];
    int index = kdl_plan_find(list->all, one->name);
    cli_shape(&one->shape, theirs);
    if (index < 0) {
        tell(list, "%s %s %s is not in the model", one->name, theirs, dtype_name(one->dtype));
        return;
    }
    const kdl_plan_tensor *tensor = kdl_plan_get(list->all, index);
    if (!same_shape(&tensor->shape, &one->shape))
        tell(list, "%s is %s in the model, not %s", one->name, cli_shape(&tensor->shape, ours),
             theirs);
    if (tensor->dtype != one->dtype)
        tell(list, "%s is %s in the model, not %s", one->name, kdl_dtype_name(tensor->dtype),
             dtype_name(one->dtype));
}

static int compare_names(const void *left, const void *right)
{
    const expected *a = left, *b = right;
    return strcmp(a->name, b->name);
}

static void compare_all(expectation *list)
{
    char shape[CLI_SHAPE_NBYTES];
    for (int i = 0; i < list->count; i++)
        compare_tensor(list, &list->tensors[i]);
    if (list->count)
        qsort(list->tensors, (size_t)list->count, sizeof *list->tensors, compare_names);
    for (int i = 1; i < list->count; i++) {
        if (strcmp(list->tensors[i].name, list->tensors[i - 1].name) == 0)
            tell(list, "%s is there twice in '%s'%s", list->tensors[i].name, list->path, "");
    }
    for (int i = 0; i < kdl_plan_count(list->plan); i++) {
        const kdl_plan_tensor *tensor = kdl_plan_get(list->plan, i);
        expected key = { .name = (char *)tensor->name };
        if (!list->count || !bsearch(&key, list->tensors, (size_t)list->count,
                                     sizeof *list->tensors, compare_names))
            tell(list, "%s %s %s is only in the model", tensor->name,
                 cli_shape(&tensor->shape, shape), kdl_dtype_name(tensor->dtype));
    }
}

bool cli_check_expected(kdl_plan *plan, kdl_module *model, const char *path, int *status)
{
    kdl_context *ctx = kdl_plan_context(plan);
    expectation list = { .plan = plan, .all = plan, .path = path };
    if (model) {
        list.all = kdl_plan_new(ctx);
        kdl_module_plan(model, list.all);
    }
    bool same = list.all && read_expected(&list, ctx);
    if (same)
        compare_all(&list);
    if (list.all != plan)
        kdl_plan_release(list.all);
    for (int i = 0; i < list.count; i++)
        free(list.tensors[i].name);
    free(list.tensors);
    *status = CLI_BAD_INPUT;
    if (kdl_error_status(ctx)) {
        *status = cli_report(ctx, path, false);
        kdl_error_clear(ctx);
        return false;
    }
    return same && list.differences == 0;
}
