/* SPDX-License-Identifier: Apache-2.0 */
/* Networks from the text that PyTorch printed of them, and rules, against what PyTorch gave. */
#include <inttypes.h>

#include "kindling/kindling.h"
#include "support/contexts.h"
#include "support/golden.h"
#include "support/modules.h"

enum { MAX_LINE = 256, MAX_TEXT = 1 << 16, MAX_RULES = 8 };

typedef struct network {
    char text[MAX_TEXT];
    char rules[MAX_RULES][MAX_LINE];
    int rule_count;
} network;

static void check_values(kdl_context *ctx, const network *net, const char *line)
{
    char dtype_name[8];
    uint64_t seed, values, state;
    kdl_dtype dtype;
    unsigned char bytes[KDL_GENERATOR_STATE_NBYTES];
    const char *rules[MAX_RULES];
    assert_int_equal(sscanf(line, "values %7s %" SCNu64 " %" SCNx64 " %" SCNx64, dtype_name, &seed,
                            &values, &state),
                     4);
    assert_true(kdl_dtype_parse(dtype_name, &dtype));
    for (int i = 0; i < net->rule_count; i++)
        rules[i] = net->rules[i];
    kdl_manual_seed(ctx, seed);
    kdl_module *module = kdl_module_from_string(ctx, net->text, strlen(net->text), .dtype = dtype);
    kdl_apply_rules(module, rules, net->rule_count);
    assert_string_equal(kdl_error_message(ctx), "");
    kdl_generator_get_state(kdl_default_generator(ctx), bytes);
    char *printed = kdl_module_to_string(module);
    assert_string_equal(printed, net->text);
    if (digest_values(module) != values || golden_digest(bytes, sizeof bytes) != state)
        fail_msg("%.40s: %s", net->text, line);
    kdl_free(ctx, printed);
    kdl_module_release(module);
}

static void test_networks(void **state)
{
    kdl_context *ctx = *state;
    network *net = calloc(1, sizeof *net);
    char line[MAX_LINE];
    int count = 0;
    FILE *file = golden_open("texts.txt");
    while (golden_line(file, line, sizeof line)) {
        if (strncmp(line, "text ", 5) == 0) {
            memset(net, 0, sizeof *net);
        } else if (line[0] == '|') {
            assert_true(strlen(net->text) + strlen(line) + 1 < MAX_TEXT);
            strcat(strcat(net->text, *net->text ? "\n" : ""), line + 1);
        } else if (strncmp(line, "rule ", 5) == 0) {
            assert_true(net->rule_count < MAX_RULES);
            strcpy(net->rules[net->rule_count++], line + 5);
        } else {
            check_values(ctx, net, line);
            count++;
        }
    }
    fclose(file);
    free(net);
    assert_int_equal(count, 44);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONTEXT_TEST(test_networks),
        RECORDED_TEST(test_networks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
