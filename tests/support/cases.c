/* SPDX-License-Identifier: Apache-2.0 */
/* Golden cases about tensors. */
#include "support/cases.h"

#include "kindling/ops.h"
#include "support/golden.h"
#include "support/tensors.h"
#include "support/unit.h"

json_t *load_cases(const char *name)
{
    FILE *file = golden_open(name);
    json_error_t error;
    json_t *cases = json_loadf(file, 0, &error);
    fclose(file);
    if (!json_is_array(cases)) {
        fprintf(stderr, "%s:%d: %s\n", name, error.line, error.text);
        abort();
    }
    return cases;
}

const char *case_text(const json_t *given, const char *key)
{
    return json_string_value(json_object_get(given, key));
}

static kdl_shape shape_of(const json_t *sizes)
{
    kdl_shape shape = { .ndim = (int)json_array_size(sizes) };
    for (int d = 0; d < shape.ndim && d < KDL_MAX_DIMS; d++)
        shape.sizes[d] = json_integer_value(json_array_get(sizes, (size_t)d));
    return shape;
}

static kdl_tensor *permute(kdl_tensor *tensor, const json_t *dims)
{
    kdl_shape shape = shape_of(dims);
    int list[KDL_MAX_DIMS];
    for (int d = 0; d < shape.ndim; d++)
        list[d] = (int)shape.sizes[d];
    return kdl_permute(tensor, shape.ndim, list);
}

/* One view call: the name and its arguments. */
static kdl_tensor *view_call(kdl_tensor *tensor, const json_t *call)
{
    const char *name = json_string_value(json_array_get(call, 0));
    const json_t *list = json_array_get(call, 1);
    int64_t number[4] = { 0 };
    for (size_t i = 0; i < 4; i++)
        number[i] = json_integer_value(json_array_get(call, i + 1));
    int dim = (int)number[0];
    if (strcmp(name, "alias") == 0)
        return kdl_alias(tensor);
    if (strcmp(name, "detach") == 0)
        return kdl_detach(tensor);
    if (strcmp(name, "t") == 0)
        return kdl_t(tensor);
    if (strcmp(name, "transpose") == 0)
        return kdl_transpose(tensor, dim, (int)number[1]);
    if (strcmp(name, "permute") == 0)
        return permute(tensor, list);
    if (strcmp(name, "narrow") == 0)
        return kdl_narrow(tensor, dim, number[1], number[2]);
    if (strcmp(name, "select") == 0)
        return kdl_select(tensor, dim, number[1]);
    if (strcmp(name, "slice") == 0)
        return kdl_slice(tensor, dim, number[1], number[2], number[3]);
    if (strcmp(name, "squeeze") == 0)
        return kdl_squeeze(tensor, dim);
    if (strcmp(name, "unsqueeze") == 0)
        return kdl_unsqueeze(tensor, dim);
    if (strcmp(name, "expand") == 0)
        return kdl_expand(tensor, shape_of(list));
    if (strcmp(name, "reshape") == 0)
        return kdl_reshape(tensor, shape_of(list));
    if (strcmp(name, "flatten") == 0)
        return kdl_flatten(tensor, dim, (int)number[1]);
    if (strcmp(name, "contiguous") == 0)
        return kdl_contiguous(tensor);
    assert_string_equal(name, "view");
    return kdl_view(tensor, shape_of(list));
}

kdl_tensor *case_tensor(kdl_context *ctx, const json_t *given)
{
    kdl_dtype dtype;
    unsigned char pattern[4096];
    const char *digits = case_text(given, "pattern");
    size_t nbytes = digits ? golden_hex(digits, pattern, sizeof pattern) : 0;
    assert_true(kdl_dtype_parse(case_text(given, "dtype"), &dtype));
    kdl_tensor *tensor =
        make_tensor(ctx, dtype, shape_of(json_object_get(given, "shape")), pattern, nbytes);
    size_t i;
    json_t *call;
    json_array_foreach(json_object_get(given, "calls"), i, call)
    {
        kdl_tensor *view = view_call(tensor, call);
        kdl_tensor_release(tensor);
        tensor = view;
    }
    return tensor;
}
