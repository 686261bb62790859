/* SPDX-License-Identifier: Apache-2.0 */
/* Layers from their constructors' calls against torch.nn: text, values, the generator's state. */
#include <inttypes.h>

#include "kindling/kindling.h"
#include "support/contexts.h"
#include "support/counting_allocator.h"
#include "support/golden.h"
#include "support/modules.h"

enum { MAX_CALL = 256, MAX_TEXT = 1 << 14 };

/* The call with what stands for its dtype replaced. */
static void set_dtype(char *out, const char *call, kdl_dtype dtype)
{
    out[0] = '\0';
    for (const char *mark; (mark = strstr(call, "{}")); call = mark + 2) {
        size_t length = strlen(out), size = 2 * MAX_CALL - length;
        int written = snprintf(out + length, size, "%.*s, dtype=torch.%s", (int)(mark - call), call,
                               kdl_dtype_name(dtype));
        assert_true(written > 0 && (size_t)written < size);
    }
    assert_true(strlen(out) + strlen(call) < 2 * MAX_CALL);
    strcat(out, call);
}

/* "2 4 9" as sizes. */
static kdl_shape read_shape(const char *text)
{
    kdl_shape shape = KDL_SCALAR_SHAPE;
    for (char *end; *text && shape.ndim < KDL_MAX_DIMS; text = end)
        shape.sizes[shape.ndim++] = strtoll(text, &end, 10);
    return shape;
}

static void check_call(kdl_context *ctx, const char *call, kdl_shape input, const char *line,
                       const char *text)
{
    char dtype_name[8], with_dtype[2 * MAX_CALL];
    uint64_t seed, values, state;
    kdl_dtype dtype;
    unsigned char bytes[KDL_GENERATOR_STATE_NBYTES];
    assert_int_equal(sscanf(line, "values %7s %" SCNu64 " %" SCNx64 " %" SCNx64, dtype_name, &seed,
                            &values, &state),
                     4);
    assert_true(kdl_dtype_parse(dtype_name, &dtype));
    set_dtype(with_dtype, call, dtype);
    kdl_manual_seed(ctx, seed);
    kdl_module *module = kdl_nn_from_text(ctx, with_dtype);
    if (input.ndim > 0)
        kdl_initialize_parameters(module, input);
    assert_string_equal(kdl_error_message(ctx), "");
    kdl_generator_get_state(kdl_default_generator(ctx), bytes);
    char *printed = kdl_module_to_string(module);
    assert_string_equal(printed, text);
    if (digest_values(module) != values || golden_digest(bytes, sizeof bytes) != state)
        fail_msg("%s: %s", with_dtype, line);
    kdl_free(ctx, printed);
    kdl_module_release(module);
}

static void test_calls(void **state)
{
    kdl_context *ctx = *state;
    char line[MAX_CALL], call[MAX_CALL] = "";
    char *text = malloc(MAX_TEXT);
    int count = 0;
    kdl_shape input = KDL_SCALAR_SHAPE, next_input = input;
    FILE *file = golden_open("calls.txt");
    while (golden_line(file, line, sizeof line)) {
        if (strncmp(line, "input ", 6) == 0) {
            next_input = read_shape(line + 6);
        } else if (strncmp(line, "call ", 5) == 0) {
            strcpy(call, line + 5);
            text[0] = '\0';
            input = next_input;
            next_input = KDL_SCALAR_SHAPE;
        } else if (line[0] == '|') {
            assert_true(strlen(text) + strlen(line) + 1 < MAX_TEXT);
            strcat(strcat(text, *text ? "\n" : ""), line + 1);
        } else {
            check_call(ctx, call, input, line, text);
            count++;
        }
    }
    fclose(file);
    free(text);
    assert_true(count > 600);
}

static kdl_status make_one(kdl_context *ctx, void *call)
{
    kdl_module *module = kdl_nn_from_text(ctx, call);
    kdl_free(ctx, kdl_module_to_string(module));
    kdl_module_release(module);
    return kdl_error_status(ctx);
}

static void test_allocation_failures(void **state)
{
    (void)state;
    char line[MAX_CALL], call[2 * MAX_CALL];
    FILE *file = golden_open("calls.txt");
    while (golden_line(file, line, sizeof line)) {
        if (strncmp(line, "call ", 5) != 0)
            continue;
        set_dtype(call, line + 5, KDL_F64);
        check_allocation_failures(make_one, call);
    }
    fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONTEXT_TEST(test_calls),
        RECORDED_TEST(test_calls),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
