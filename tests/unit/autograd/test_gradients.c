/* SPDX-License-Identifier: Apache-2.0 */
/* Gradients by themselves: each function against finite differences in f64, and its memory. */
#include "kindling/train.h"
#include "support/contexts.h"
#include "support/counting_allocator.h"
#include "support/gradients.h"
#include "support/tensors.h"

/* ---- finite differences ------------------------------------------------------------------ */

#define UNARY(name, call)                                                                          \
    static kdl_tensor *name(kdl_tensor *a, kdl_tensor *b)                                          \
    {                                                                                              \
        (void)b;                                                                                   \
        return call;                                                                               \
    }
UNARY(exponential, kdl_exp(a))
UNARY(logarithm, kdl_log(a))
UNARY(root, kdl_sqrt(a))
UNARY(inverse, kdl_rdiv(a, 2))
UNARY(power, kdl_pow(a, 2.5))
UNARY(tangent, kdl_tanh(a))
UNARY(sigmoid, kdl_sigmoid(a))
UNARY(gelu, kdl_f_gelu(a, "none"))
UNARY(gelu_tanh, kdl_f_gelu(a, "tanh"))
UNARY(mish, kdl_f_mish(a))
UNARY(softplus, kdl_f_softplus(a, 2, 20))
UNARY(softmax, kdl_f_softmax(a, 0))
UNARY(log_softmax, kdl_f_log_softmax(a, -1))
UNARY(mean, kdl_mean_dim(a, 0, true))
UNARY(largest, kdl_max_dim(a, 1, false, NULL))
UNARY(turned, kdl_transpose(a, 0, 1))
UNARY(part, kdl_slice(a, 1, 1, INT64_MAX, 2))
UNARY(chosen, kdl_select(a, 0, 1))

static kdl_tensor *quotient(kdl_tensor *a, kdl_tensor *b)
{
    return kdl_div_tensor(a, b);
}

static kdl_tensor *raised(kdl_tensor *a, kdl_tensor *b)
{
    return kdl_pow_tensor(a, b);
}

/* b of which all but the first row is repeated. */
static kdl_tensor *broadcast(kdl_tensor *a, kdl_tensor *b)
{
    kdl_tensor *row = kdl_select(b, 0, 0), *product = row ? kdl_mul_tensor(a, row) : NULL;
    kdl_tensor_release(row);
    return product;
}

static kdl_tensor *product(kdl_tensor *a, kdl_tensor *b)
{
    kdl_tensor *other = kdl_t(b), *result = other ? kdl_matmul(a, other) : NULL;
    kdl_tensor_release(other);
    return result;
}

static kdl_tensor *linear(kdl_tensor *a, kdl_tensor *b)
{
    kdl_tensor *bias = kdl_select(b, 1, 0), *result = bias ? kdl_f_linear(a, b, bias) : NULL;
    kdl_tensor_release(bias);
    return result;
}

static kdl_tensor *together(kdl_tensor *a, kdl_tensor *b)
{
    return kdl_cat((kdl_tensor *[]){ a, b, a }, 3, 1);
}

/* a (3, 4) as one image of 1 x 3 x 4, with the first 2 x 2 of b as a kernel. */
static kdl_tensor *convolved(kdl_tensor *a, kdl_tensor *b)
{
    kdl_tensor *image = kdl_unsqueeze(a, 0), *rows = kdl_narrow(b, 0, 0, 2);
    kdl_tensor *corner = rows ? kdl_narrow(rows, 1, 1, 2) : NULL;
    kdl_tensor *kernel = corner ? kdl_reshape(corner, KDL_SHAPE(1, 1, 2, 2)) : NULL;
    kdl_tensor *result = image && kernel ? kdl_f_conv2d(image, kernel, NULL, .padding = 1) : NULL;
    release_all(image, rows, corner, kernel);
    return result;
}

/* Pooled after it became an image. */
static kdl_tensor *pooled(kdl_tensor *a, kdl_tensor *b)
{
    (void)b;
    kdl_tensor *image = kdl_unsqueeze(a, 0), *large = NULL, *result = NULL;
    if (image)
        large = kdl_f_max_pool2d(image, 2, .stride = 1);
    if (large)
        result = kdl_f_avg_pool2d(large, 2, .stride = 1, .padding = 1);
    kdl_tensor_release(image);
    kdl_tensor_release(large);
    return result;
}

UNARY(normalized, kdl_f_layer_norm(a, KDL_SHAPE(4), NULL, NULL, 1e-5))
UNARY(rms_normalized, kdl_f_rms_norm(a, KDL_SHAPE(3, 4), NULL, 1e-5))

static kdl_tensor *batch_normalized(kdl_tensor *a, kdl_tensor *b)
{
    kdl_tensor *weight = kdl_select(b, 0, 1), *bias = kdl_select(b, 0, 2);
    kdl_tensor *result = NULL;
    if (weight && bias)
        result = kdl_f_batch_norm(a, NULL, NULL, weight, bias, true, 0.1, 1e-5);
    kdl_tensor_release(weight);
    kdl_tensor_release(bias);
    return result;
}

static void test_finite_differences(void **state)
{
    static gradient_body *const functions[] = {
        exponential, logarithm,   root,           inverse,          power,
        tangent,     sigmoid,     gelu,           gelu_tanh,        mish,
        softplus,    softmax,     mean,           largest,          turned,
        part,        chosen,      raised,         quotient,         product,
        broadcast,   log_softmax, linear,         together,         convolved,
        pooled,      normalized,  rms_normalized, batch_normalized,
    };
    check_gradients(*state, GRADIENT_BODIES(functions));
}

/* ---- the graph --------------------------------------------------------------------------- */

static void test_graph(void **state)
{
    kdl_context *ctx = *state;
    kdl_tensor *x = kdl_full(ctx, KDL_SHAPE(2), 3, .requires_grad = true);
    kdl_tensor *square = kdl_mul_tensor(x, x), *sum = kdl_sum(square);
    assert_true(kdl_tensor_is_leaf(x));
    assert_string_equal(kdl_tensor_grad_fn(square), "MulBackward0");
    kdl_tensor *view = kdl_select(x, 0, 0);
    assert_string_equal(kdl_tensor_grad_fn(view), "SelectBackward0");
    assert_false(kdl_tensor_is_leaf(view));
    kdl_tensor_release(view);
    kdl_backward(sum, .retain_graph = true);
    kdl_backward(sum); /* gradients add up */
    assert_float_equal(kdl_tensor_get(kdl_tensor_grad(x), (int64_t[]){ 1 }), 12, 0);
    assert_int_equal(kdl_backward(sum), KDL_ERROR_RUNTIME);
    kdl_error_clear(ctx);
    kdl_mul_(x, 2);
    assert_error(ctx, KDL_ERROR_RUNTIME,
                 "a leaf Variable that requires grad is being used in an in-place operation.");
    kdl_init_ones_(x); /* torch.nn.init works without gradients */
    assert_int_equal(kdl_error_status(ctx), KDL_OK);
    kdl_tensor *detached = kdl_detach(x);
    assert_false(kdl_tensor_requires_grad(detached));
    kdl_tensor_release(detached);
    kdl_tensor_release(sum);
    kdl_tensor_release(square);
    kdl_tensor_release(x);
}

static void test_text(void **state)
{
    kdl_context *ctx = *state;
    kdl_tensor *x = kdl_ones(ctx, KDL_SHAPE(2), .requires_grad = true), *y = kdl_exp(x);
    char *text = kdl_tensor_to_string(y);
    assert_string_equal(text, "tensor([2.7183, 2.7183], grad_fn=<ExpBackward0>)");
    kdl_free(ctx, text);
    kdl_tensor_release(x);
    kdl_tensor_release(y);
}

/* What PyTorch does to modules under no_grad leaves parameters leaves, whatever records. */
static void test_modules(void **state)
{
    kdl_context *ctx = *state;
    kdl_module *net = kdl_nn_sequential(ctx, kdl_nn_embedding(ctx, 4, 3, .padding_idx = 1),
                                        kdl_nn_batch_norm1d(ctx, 3), kdl_nn_lazy_linear(ctx, 2));
    kdl_initialize_parameters(kdl_child(net, 2), KDL_SHAPE(1, 3));
    kdl_module *copy = kdl_module_deep_copy(net);
    kdl_state_dict *dict = kdl_module_state_dict(net);
    kdl_load_state_dict(copy, dict);
    kdl_module_to(copy, KDL_F64);
    kdl_reset_parameters(kdl_child(copy, 0));
    assert_int_equal(kdl_error_status(ctx), KDL_OK);
    for (kdl_iterator it = kdl_named_parameters(copy); kdl_next(&it);)
        assert_true(kdl_tensor_is_leaf(it.tensor) && kdl_tensor_requires_grad(it.tensor));
    kdl_state_dict_release(dict);
    kdl_module_release(copy);
    kdl_module_release(net);
    static const char config[] = "{\"model_type\": \"gpt2\", \"n_layer\": 1, \"n_embd\": 8, "
                                 "\"n_head\": 2, \"vocab_size\": 11, \"n_positions\": 4}";
    kdl_module *model = kdl_model_from_config(ctx, config, sizeof config - 1);
    assert_string_equal(kdl_error_message(ctx), "");
    for (kdl_iterator it = kdl_named_parameters(model); kdl_next(&it);)
        assert_true(kdl_tensor_is_leaf(it.tensor));
    kdl_module_release(model);
}

/* ---- failing memory ---------------------------------------------------------------------- */

/* Another gradient of the same values. */
static kdl_tensor *copy_gradient(kdl_module *module, kdl_tensor *grad_input,
                                 kdl_tensor *grad_output, void *user_data)
{
    (void)module, (void)grad_output, (void)user_data;
    return grad_input ? kdl_clone(grad_input) : NULL;
}

static kdl_status train(kdl_context *ctx, void *unused)
{
    (void)unused;
    kdl_train_enable(ctx);
    kdl_module *net = kdl_nn_sequential(ctx, kdl_nn_linear(ctx, 2, 3), kdl_nn_tanh(ctx),
                                        kdl_nn_dropout(ctx), kdl_nn_linear(ctx, 3, 2));
    kdl_tensor *input = kdl_ones(ctx, KDL_SHAPE(4, 2));
    kdl_tensor *labels = kdl_zeros(ctx, KDL_SHAPE(4), .dtype = KDL_I64);
    kdl_optimizer *optimizer = net ? kdl_optim_adamw(kdl_named_parameters(net), 0.1) : NULL;
    kdl_register_full_backward_hook(kdl_child(net, 0), copy_gradient, NULL, false);
    kdl_register_full_backward_hook(kdl_child(net, 1), copy_gradient, NULL, false);
    for (int i = 0; i < 2 && !kdl_error_status(ctx); i++) {
        kdl_optimizer_zero_grad(optimizer);
        kdl_tensor *output = kdl_forward(net, input);
        kdl_tensor *loss = kdl_f_cross_entropy(output, labels);
        kdl_backward(loss);
        kdl_optimizer_step(optimizer);
        kdl_tensor_release(output);
        kdl_tensor_release(loss);
    }
    kdl_optimizer_release(optimizer);
    kdl_tensor_release(input);
    kdl_tensor_release(labels);
    kdl_module_release(net);
    return kdl_error_status(ctx);
}

static kdl_status train_images(kdl_context *ctx, void *unused)
{
    (void)unused;
    kdl_train_enable(ctx);
    kdl_module *net = kdl_nn_sequential(ctx, kdl_nn_conv2d(ctx, 1, 2, 2, .padding = 1),
                                        kdl_nn_batch_norm2d(ctx, 2), kdl_nn_relu(ctx),
                                        kdl_nn_max_pool2d(ctx, 2), kdl_nn_avg_pool2d(ctx, 2),
                                        kdl_nn_flatten(ctx), kdl_nn_layer_norm(ctx, 2));
    kdl_tensor *input = kdl_rand(ctx, KDL_SHAPE(2, 1, 4, 4)), *output = NULL, *loss = NULL;
    if (net && input)
        output = kdl_forward(net, input);
    if (output)
        loss = kdl_sum(output);
    kdl_backward(loss);
    kdl_tensor_release(input);
    kdl_tensor_release(output);
    kdl_tensor_release(loss);
    kdl_module_release(net);
    return kdl_error_status(ctx);
}

static void test_allocation_failures(void **state)
{
    (void)state;
    check_allocation_failures(train, NULL);
    check_allocation_failures(train_images, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRAINING_TEST(test_finite_differences),
        TRAINING_TEST(test_graph),
        TRAINING_TEST(test_text),
        TRAINING_TEST(test_modules),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
