/* SPDX-License-Identifier: Apache-2.0 */
/* Containers against torch.nn; what is common to the layers' constructors. */
#include <inttypes.h>

#include "kindling/kindling.h"
#include "support/contexts.h"
#include "support/counting_allocator.h"
#include "support/golden.h"
#include "support/modules.h"

/* ---- the containers, by their names in tests/golden/make_nn.py ---------------------------- */

#define CONTAINER(name, ...)                                                                       \
    static kdl_module *name(kdl_context *ctx, kdl_dtype dtype)                                     \
    {                                                                                              \
        (void)dtype;                                                                               \
        return __VA_ARGS__;                                                                        \
    }

CONTAINER(sequential,
          kdl_nn_sequential(ctx, kdl_nn_linear(ctx, 3, 4, .dtype = dtype), kdl_nn_sequential(ctx),
                            kdl_nn_sequential(ctx, kdl_nn_relu(ctx), kdl_nn_tanh(ctx)),
                            kdl_nn_embedding(ctx, 3, 2, .dtype = dtype)))
CONTAINER(module_list,
          kdl_nn_module_list(ctx, kdl_nn_linear(ctx, 2, 2, .dtype = dtype),
                             kdl_nn_linear(ctx, 2, 2, .dtype = dtype), kdl_nn_relu(ctx),
                             kdl_nn_linear(ctx, 2, 2, .dtype = dtype), kdl_nn_module_list(ctx)))

static kdl_module *module_dict(kdl_context *ctx, kdl_dtype dtype)
{
    kdl_module *dict = kdl_nn_module_dict(ctx);
    kdl_add_module(dict, "a", kdl_nn_linear(ctx, 2, 1, .dtype = dtype));
    kdl_add_module(dict, "b", kdl_nn_module_list(ctx, kdl_nn_dropout(ctx, .p = 0.25)));
    return dict;
}

#define NAMED(name)                                                                                \
    {                                                                                              \
#name, name                                                                                \
    }
static const struct container {
    const char *name;
    kdl_module *(*make)(kdl_context *ctx, kdl_dtype dtype);
} containers[] = {
    NAMED(sequential),
    NAMED(module_list),
    NAMED(module_dict),
};
enum { CONTAINER_COUNT = sizeof containers / sizeof *containers };

static const struct container *find_container(const char *name)
{
    for (int i = 0; i < CONTAINER_COUNT; i++) {
        if (strcmp(containers[i].name, name) == 0)
            return &containers[i];
    }
    fail_msg("there is no container %s here", name);
    return NULL;
}

/* ---- comparing --------------------------------------------------------------------------- */

static void check_container(kdl_context *ctx, const char *line, const char *text)
{
    char name[64], dtype_name[8];
    uint64_t seed, values, state;
    kdl_dtype dtype;
    unsigned char bytes[KDL_GENERATOR_STATE_NBYTES];
    assert_int_equal(sscanf(line, "container %63s %7s %" SCNu64 " %" SCNx64 " %" SCNx64, name,
                            dtype_name, &seed, &values, &state),
                     5);
    assert_true(kdl_dtype_parse(dtype_name, &dtype));
    kdl_manual_seed(ctx, seed);
    kdl_module *module = find_container(name)->make(ctx, dtype);
    kdl_generator_get_state(kdl_default_generator(ctx), bytes);
    char *printed = kdl_module_to_string(module);
    assert_string_equal(printed, text);
    if (digest_values(module) != values || golden_digest(bytes, sizeof bytes) != state)
        fail_msg("%s", line);
    assert_int_equal(kdl_error_status(ctx), KDL_OK);
    kdl_free(ctx, printed);
    kdl_module_release(module);
}

static void test_containers(void **state)
{
    kdl_context *ctx = *state;
    char line[256], text[1024] = "";
    int count = 0;
    bool in_text = false;
    FILE *file = golden_open("nn.txt");
    while (golden_line(file, line, sizeof line)) {
        if (line[0] == '|') {
            if (!in_text)
                text[0] = '\0';
            in_text = true;
            assert_true(strlen(text) + strlen(line) + 1 < sizeof text);
            strcat(strcat(text, *text ? "\n" : ""), line + 1);
        } else {
            in_text = false;
            check_container(ctx, line, text);
            count++;
        }
    }
    fclose(file);
    assert_int_equal(count, CONTAINER_COUNT * 4 * 3);
}

static void test_reset_parameters(void **state)
{
    (void)state;
    kdl_context *ctx = kdl_context_new(NULL);
    kdl_manual_seed(ctx, 3);
    kdl_module *first = kdl_nn_embedding(ctx, 4, 4, .padding_idx = 1);
    kdl_module *second = kdl_nn_embedding(ctx, 4, 4, .padding_idx = 1);
    uint64_t digest = digest_values(second);
    kdl_manual_seed(ctx, 3);
    kdl_reset_parameters(first);
    assert_int_not_equal(digest_values(first), digest);
    kdl_reset_parameters(first); /* the next draws */
    assert_int_equal(digest_values(first), digest);
    kdl_module_release(first);
    kdl_module_release(second);
    kdl_context_release(ctx);
}

static void test_errors(void **state)
{
    (void)state;
    kdl_context *ctx = kdl_context_new(NULL);
    assert_null(kdl_nn_embedding(ctx, 5, 3, .padding_idx = 5));
    assert_error(ctx, KDL_ERROR_VALUE, "Padding_idx must be within num_embeddings");
    assert_null(kdl_nn_embedding(ctx, 5, 3, .padding_idx = -6));
    assert_error(ctx, KDL_ERROR_VALUE, "Padding_idx must be within num_embeddings");
    assert_null(kdl_nn_dropout(ctx, .p = 1.5));
    assert_error(ctx, KDL_ERROR_VALUE,
                 "dropout probability has to be between 0 and 1, but got 1.5");
    assert_null(kdl_nn_dropout(ctx, .p = -1e-7));
    assert_error(ctx, KDL_ERROR_VALUE,
                 "dropout probability has to be between 0 and 1, but got -1e-07");
    assert_null(kdl_nn_gelu(ctx, .approximate = "erf"));
    assert_error(ctx, KDL_ERROR_RUNTIME, "approximate argument must be either none or tanh.");
    assert_null(kdl_nn_linear(ctx, -1, 3));
    assert_error(ctx, KDL_ERROR_RUNTIME,
                 "Trying to create tensor with negative dimension -1: [3, -1]");
    assert_null(kdl_nn_linear(ctx, 2, 3, .dtype = KDL_I64));
    assert_int_equal(kdl_error_status(ctx), KDL_ERROR_RUNTIME);
    kdl_error_clear(ctx);

    kdl_linear_options older = KDL_LINEAR_DEFAULTS;
    older.nbytes = offsetof(kdl_linear_options, bias);
    older.bias = false; /* behind the end of this caller's struct */
    kdl_module *linear = kdl_nn_new(ctx, KDL_CLASS_LINEAR, &older);
    assert_non_null(kdl_parameter(linear, "bias"));
    kdl_module_release(linear);
    older.nbytes = sizeof older + 1;
    assert_null(kdl_nn_new(ctx, KDL_CLASS_LINEAR, &older));
    assert_error(ctx, KDL_ERROR_TYPE,
                 "the options' size is wrong: are they of another version of the library?");
    assert_null(kdl_nn_new(ctx, KDL_CLASS_LINEAR, NULL));
    assert_error(ctx, KDL_ERROR_TYPE, "Linear() misses its required arguments");
    assert_null(kdl_nn_new(ctx, KDL_CLASS_MODULE, NULL));
    assert_error(ctx, KDL_ERROR_TYPE,
                 "Module has no arguments: construct it with kdl_module_new()");

    char warning[MAX_WARNING] = "";
    kdl_set_warning_callback(ctx, keep_warning, warning);
    kdl_module_release(kdl_nn_linear(ctx, 3, 0));
    assert_string_equal(warning, "Initializing zero-element tensors is a no-op");

    /* The first error is the one that is kept, and what was made is released. */
    kdl_module *net = kdl_nn_sequential(ctx, kdl_nn_linear(ctx, 2, 2), kdl_nn_dropout(ctx, .p = 2),
                                        kdl_nn_linear(ctx, -2, 2));
    assert_error(ctx, KDL_ERROR_VALUE,
                 "dropout probability has to be between 0 and 1, but got 2.0");
    kdl_module_release(net);
    kdl_context_release(ctx);
}

static kdl_status make_one(kdl_context *ctx, void *container)
{
    kdl_module *module = ((const struct container *)container)->make(ctx, KDL_F32);
    kdl_free(ctx, kdl_module_to_string(module));
    kdl_module_release(module);
    return kdl_error_status(ctx);
}

static void test_allocation_failures(void **state)
{
    (void)state;
    for (int i = 0; i < CONTAINER_COUNT; i++)
        check_allocation_failures(make_one, (void *)&containers[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONTEXT_TEST(test_containers),
        RECORDED_TEST(test_containers),
        cmocka_unit_test(test_reset_parameters),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
