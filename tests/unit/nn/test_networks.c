/* SPDX-License-Identifier: Apache-2.0 */
/* The networks of examples/networks against what PyTorch gave for their twins. */
#include <inttypes.h>

#include "networks/networks.h"
#include "support/contexts.h"
#include "support/counting_allocator.h"
#include "support/golden.h"
#include "support/modules.h"

/* A network by its name, of sizes s[0], s[1], ...; NULL for an unknown name. */
static kdl_module *construct(kdl_context *ctx, const char *name, const int64_t *s)
{
    if (strcmp(name, "lenet5") == 0)
        return lenet5(ctx);
    if (strcmp(name, "alexnet") == 0)
        return alexnet(ctx, s[0], s[1], s[2]);
    if (strcmp(name, "vgg16_bn") == 0)
        return vgg16_bn(ctx, s[0], s[1], s[2]);
    if (strcmp(name, "resnet50") == 0)
        return resnet50(ctx, s[0], s[1]);
    if (strcmp(name, "mobilenet_v2") == 0)
        return mobilenet_v2(ctx, s[0], s[1]);
    if (strcmp(name, "densenet121") == 0)
        return densenet121(ctx, s[0], s[1]);
    if (strcmp(name, "unet") == 0)
        return unet(ctx, s[0]);
    if (strcmp(name, "lstm_tagger") == 0)
        return lstm_tagger(ctx);
    if (strcmp(name, "gru_seq2seq") == 0)
        return gru_seq2seq(ctx);
    if (strcmp(name, "transformer") == 0)
        return transformer(ctx, s[0], s[1], s[2], s[3]);
    if (strcmp(name, "dcgan_generator") == 0)
        return dcgan_generator(ctx, s[0]);
    return strcmp(name, "vit") == 0 ? vit(ctx, s[0]) : NULL;
}

static void check_network(kdl_context *ctx, const char *line)
{
    char name[32];
    uint64_t seed, values, state, printed;
    int64_t sizes[4];
    unsigned char bytes[KDL_GENERATOR_STATE_NBYTES];
    assert_true(sscanf(line,
                       "%31s %" SCNu64 " %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNd64 " %" SCNd64
                       " %" SCNd64 " %" SCNd64,
                       name, &seed, &values, &state, &printed, &sizes[0], &sizes[1], &sizes[2],
                       &sizes[3]) >= 5);
    kdl_manual_seed(ctx, seed);
    kdl_module *net = construct(ctx, name, sizes);
    assert_string_equal(kdl_error_message(ctx), "");
    kdl_generator_get_state(kdl_default_generator(ctx), bytes);
    char *text = kdl_module_to_string(net);
    if (digest_values(net) != values || golden_digest(bytes, sizeof bytes) != state ||
        golden_digest(text, strlen(text)) != printed)
        fail_msg("%s", line);
    kdl_free(ctx, text);
    kdl_module_release(net);
}

static void test_networks(void **state)
{
    kdl_context *ctx = *state;
    char line[256];
    int count = 0;
    FILE *file = golden_open("networks.txt");
    for (; golden_line(file, line, sizeof line); count++)
        check_network(ctx, line);
    fclose(file);
    assert_int_equal(count, 24);
}

static kdl_status build_small(kdl_context *ctx, void *unused)
{
    (void)unused;
    kdl_module_release(gru_seq2seq(ctx));
    kdl_module_release(vit(ctx, 2));
    kdl_module_release(unet(ctx, 1));
    return kdl_error_status(ctx);
}

static void test_allocation_failures(void **state)
{
    (void)state;
    check_allocation_failures(build_small, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONTEXT_TEST(test_networks),
        RECORDED_TEST(test_networks),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
