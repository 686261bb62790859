/* SPDX-License-Identifier: Apache-2.0 */
/* Converting a tree's batch norms to SyncBatchNorm. */
#include "kindling/kindling.h"
#include "support/counting_allocator.h"
#include "support/unit.h"

static kdl_module *make_net(kdl_context *ctx)
{
    return kdl_nn_sequential(
        ctx, kdl_nn_batch_norm2d(ctx, 3, .eps = 0.5),
        kdl_nn_sequential(ctx, kdl_nn_relu(ctx), kdl_nn_batch_norm1d(ctx, 2, .affine = false)));
}

static void test_tree(void **state)
{
    (void)state;
    kdl_context *ctx = kdl_context_new(NULL);
    kdl_module *net = make_net(ctx), *first = kdl_child(net, 0);
    kdl_append(net, kdl_module_retain(first)); /* its second name is not converted */
    kdl_append(kdl_child(net, 1), kdl_module_retain(first));
    kdl_tensor *weight = kdl_parameter(net, "0.weight"), *mean = kdl_buffer(net, "0.running_mean");
    kdl_module_eval(kdl_child(net, 0));

    assert_ptr_equal(kdl_convert_sync_batchnorm(net), net);
    assert_true(kdl_module_is(kdl_child(net, 0), KDL_CLASS_SYNC_BATCH_NORM));
    assert_true(kdl_module_is(kdl_child(net, 2), KDL_CLASS_BATCH_NORM2D));
    assert_true(kdl_module_is(kdl_submodule(net, "1.1"), KDL_CLASS_SYNC_BATCH_NORM));
    assert_true(kdl_module_is(kdl_submodule(net, "1.2"), KDL_CLASS_SYNC_BATCH_NORM));
    assert_ptr_not_equal(kdl_submodule(net, "1.2"), kdl_child(net, 0));
    assert_ptr_equal(kdl_parameter(net, "0.weight"), weight);
    assert_ptr_equal(kdl_parameter(net, "1.2.weight"), weight);
    assert_ptr_equal(kdl_buffer(net, "0.running_mean"), mean);
    assert_null(kdl_parameter(net, "1.1.weight"));
    assert_false(kdl_module_training(kdl_child(net, 0)));
    assert_true(kdl_module_training(kdl_submodule(net, "1.1")));
    const kdl_batch_norm_options *options = kdl_module_fields(kdl_child(net, 0));
    assert_true(options->eps == 0.5);
    kdl_module_release(net);

    kdl_module *root = kdl_convert_sync_batchnorm(kdl_nn_batch_norm1d(ctx, 4));
    assert_true(kdl_module_is(root, KDL_CLASS_SYNC_BATCH_NORM));
    kdl_module_release(root);
    assert_null(kdl_convert_sync_batchnorm(NULL));
    assert_int_equal(kdl_error_status(ctx), KDL_OK);
    kdl_context_release(ctx);
}

static void test_refusals(void **state)
{
    (void)state;
    static const kdl_module_class bare = { .name = "BareNorm", .parent = KDL_CLASS_BATCH_NORM };
    kdl_context *ctx = kdl_context_new(NULL);
    assert_null(kdl_convert_sync_batchnorm(kdl_module_new(ctx, &bare)));
    assert_error(ctx, KDL_ERROR_NOT_IMPLEMENTED,
                 "a BareNorm cannot be converted: it is parametrized, or its class lacks "
                 "BatchNorm's arguments");
    kdl_module *norm = kdl_nn_batch_norm1d(ctx, 4);
    kdl_parametrizations_weight_norm(norm);
    assert_null(kdl_convert_sync_batchnorm(norm));
    assert_int_equal(kdl_error_status(ctx), KDL_ERROR_NOT_IMPLEMENTED);
    kdl_context_release(ctx);
}

static kdl_status convert_net(kdl_context *ctx, void *body_data)
{
    (void)body_data;
    kdl_module_release(kdl_convert_sync_batchnorm(make_net(ctx)));
    return kdl_error_status(ctx);
}

static void test_allocation_failures(void **state)
{
    (void)state;
    check_allocation_failures(convert_net, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tree),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
