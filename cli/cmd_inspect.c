/* SPDX-License-Identifier: Apache-2.0 */
/* kindling inspect: what a safetensors file holds. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include <jansson.h>

#include "cli.h"

/* Column widths. */
typedef struct layout {
    int name, shape;
} layout;

static layout measure(kdl_safetensors *file)
{
    char shape[CLI_SHAPE_NBYTES];
    layout l = { (int)strlen("tensor"), (int)strlen("shape") };
    for (int i = 0; i < kdl_safetensors_count(file); i++) {
        const kdl_safetensors_entry *entry = kdl_safetensors_get(file, i);
        int name = (int)strlen(entry->name), width = (int)strlen(cli_shape(&entry->shape, shape));
        l.name = name > l.name ? name : l.name;
        l.shape = width > l.shape ? width : l.shape;
    }
    return l;
}

/* The entry's statistics; false when it is of a type that has none. An error is in the context. */
static bool summarize(kdl_safetensors *file, int index, kdl_summary *summary)
{
    return kdl_safetensors_get(file, index)->dtype != KDL_DTYPE_COUNT &&
           !kdl_safetensors_summarize(file, index, summary);
}

static void print_number(double value)
{
    if (isnan(value))
        printf(" %12s", "-");
    else
        printf(" %12.5g", value);
}

static void print_row(kdl_safetensors *file, int index, const layout *l)
{
    char shape[CLI_SHAPE_NBYTES];
    kdl_summary summary;
    const kdl_safetensors_entry *entry = kdl_safetensors_get(file, index);
    bool known = summarize(file, index, &summary);
    if (kdl_error_status(kdl_safetensors_context(file)))
        return;
    printf("%-*s  %-*s  %-7s", l->name, entry->name, l->shape, cli_shape(&entry->shape, shape),
           entry->dtype_name);
    print_number(known ? summary.mean : NAN);
    print_number(known ? summary.std : NAN);
    print_number(known ? summary.min : NAN);
    print_number(known ? summary.max : NAN);
    printf("\n");
}

static void print_metadata(kdl_safetensors *file)
{
    const char *key, *value;
    for (int i = 0; i < kdl_safetensors_metadata_count(file); i++)
        if (!kdl_safetensors_metadata(file, i, &key, &value))
            printf("%s: %s\n", key, value);
}

static void print_table(kdl_safetensors *file)
{
    kdl_context *ctx = kdl_safetensors_context(file);
    char count[CLI_COUNT_NBYTES], size[CLI_COUNT_NBYTES];
    int64_t numel = 0;
    uint64_t nbytes = 0;
    layout l = measure(file);
    printf("%-*s  %-*s  %-7s %12s %12s %12s %12s\n", l.name, "tensor", l.shape, "shape", "dtype",
           "mean", "std", "min", "max");
    for (int i = 0; i < kdl_safetensors_count(file) && !kdl_error_status(ctx); i++) {
        print_row(file, i, &l);
        numel += kdl_safetensors_get(file, i) ? kdl_safetensors_get(file, i)->numel : 0;
        nbytes += kdl_safetensors_get(file, i) ? kdl_safetensors_get(file, i)->nbytes : 0;
    }
    if (kdl_error_status(ctx))
        return;
    printf("\n%d tensors, %s elements, %s\n", kdl_safetensors_count(file), cli_count(numel, count),
           cli_nbytes(nbytes, size));
    print_metadata(file);
}

/* ---- JSON ----------------------------------------------------------------------------------- */

static json_t *number_json(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *entry_json(kdl_safetensors *file, int index)
{
    kdl_summary summary;
    const kdl_safetensors_entry *entry = kdl_safetensors_get(file, index);
    bool known = summarize(file, index, &summary);
    json_t *shape = json_array();
    for (int d = 0; d < entry->shape.ndim; d++)
        json_array_append_new(shape, json_integer(entry->shape.sizes[d]));
    json_t *json =
        json_pack("{s:s, s:s, s:o, s:I}", "name", entry->name, "dtype", entry->dtype_name, "shape",
                  shape, "nbytes", (json_int_t)entry->nbytes);
    if (known) {
        json_object_set_new(json, "mean", number_json(summary.mean));
        json_object_set_new(json, "std", number_json(summary.std));
        json_object_set_new(json, "min", number_json(summary.min));
        json_object_set_new(json, "max", number_json(summary.max));
    }
    return json;
}

static json_t *metadata_json(kdl_safetensors *file)
{
    json_t *json = json_object();
    const char *key, *value;
    for (int i = 0; i < kdl_safetensors_metadata_count(file); i++)
        if (!kdl_safetensors_metadata(file, i, &key, &value))
            json_object_set_new(json, key, json_string(value));
    return json;
}

static bool print_json(kdl_safetensors *file)
{
    kdl_context *ctx = kdl_safetensors_context(file);
    json_t *tensors = json_array();
    for (int i = 0; i < kdl_safetensors_count(file) && !kdl_error_status(ctx); i++)
        json_array_append_new(tensors, entry_json(file, i));
    json_t *json = json_pack("{s:o, s:o}", "metadata", metadata_json(file), "tensors", tensors);
    bool ok = kdl_error_status(ctx) ||
              (json && !json_dumpf(json, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9)));
    json_decref(json);
    printf("\n");
    return ok;
}

static int inspect(const cli_options *options)
{
    kdl_context *ctx = cli_context(options);
    kdl_safetensors *file = ctx ? kdl_safetensors_open(ctx, options->input) : NULL;
    int status = CLI_FAILED;
    bool ok = true;
    if (!ctx)
        return CLI_FAILED;
    if (file && options->json)
        ok = print_json(file);
    else if (file)
        print_table(file);
    if (kdl_error_status(ctx))
        status = cli_report(ctx, NULL, file != NULL);
    else if (ok)
        status = CLI_DONE;
    else
        cli_complain("the table could not be written as JSON");
    kdl_safetensors_close(file);
    kdl_context_release(ctx);
    return status;
}

static const char usage[] =
    "Usage: kindling inspect FILE [OPTION]...\n"
    "\n"
    "Shows the tensors of a safetensors file in the order in which they lie in it, with the mean,\n"
    "the standard deviation (n - 1) and the extremes of each, and the file's metadata.\n"
    "\n"
    "  -t, --threads T      default: every processor\n"
    "      --cpu NAME       compute with a lower instruction set, as in ref\n"
    "      --json           print it as JSON\n";

const cli_command cli_inspect = { "inspect", "tcj", "safetensors file", usage, inspect };
