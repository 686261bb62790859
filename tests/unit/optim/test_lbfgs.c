/* SPDX-License-Identifier: Apache-2.0 */
/* LBFGS by itself: down a curved valley, its errors, its state, its memory. */
#include <math.h>

#include "kindling/train.h"
#include "support/contexts.h"
#include "support/counting_allocator.h"
#include "support/tensors.h"

/* Two parameters, and how often the loss was computed. */
typedef struct valley {
    kdl_module *module; /* its weight is (1, 2), f64 */
    int calls, fail_at;
} valley;

static valley new_valley(kdl_context *ctx)
{
    kdl_module *module = kdl_nn_linear(ctx, 2, 1, .bias = false, .dtype = KDL_F64);
    bool was = kdl_set_grad_enabled(ctx, false);
    if (module) {
        kdl_tensor_set(kdl_parameter(module, "weight"), (int64_t[]){ 0, 0 }, -1.2);
        kdl_tensor_set(kdl_parameter(module, "weight"), (int64_t[]){ 0, 1 }, 1);
    }
    kdl_set_grad_enabled(ctx, was);
    return (valley){ module, 0, -1 };
}

/* Rosenbrock's function: 100 (y - x^2)^2 + (1 - x)^2. */
static kdl_tensor *closure(void *user_data)
{
    valley *v = user_data;
    if (v->calls++ == v->fail_at)
        return NULL;
    kdl_tensor *weight = kdl_parameter(v->module, "weight");
    kdl_module_zero_grad(v->module, true);
    kdl_tensor *x = kdl_narrow(weight, 1, 0, 1), *y = kdl_narrow(weight, 1, 1, 1);
    kdl_tensor *square = kdl_square(x), *off = kdl_sub_tensor(y, square), *off2 = kdl_square(off);
    kdl_tensor *steep = kdl_mul(off2, 100), *rest = kdl_rsub(x, 1), *rest2 = kdl_square(rest);
    kdl_tensor *both = kdl_add_tensor(steep, rest2), *loss = kdl_sum(both);
    kdl_backward(loss);
    release_all(x, y, square, off, off2, steep, rest, rest2, both);
    return loss;
}

static void test_finds(void **state)
{
    valley v = new_valley(*state);
    kdl_optimizer *optimizer =
        kdl_optim_lbfgs(kdl_named_parameters(v.module), 1, .line_search_fn = "strong_wolfe");
    for (int i = 0; i < 8; i++)
        kdl_tensor_release(kdl_optimizer_step_closure(optimizer, closure, &v));
    const double *found = kdl_tensor_data(kdl_parameter(v.module, "weight"));
    assert_true(fabs(found[0] - 0.9999814210791366) < 1e-9); /* where PyTorch stops, and as soon */
    assert_true(fabs(found[1] - 0.9999619651810989) < 1e-9);
    assert_int_equal(v.calls, 50);
    kdl_optimizer_release(optimizer);
    kdl_module_release(v.module);
}

static void test_errors(void **state)
{
    kdl_context *ctx = *state;
    valley v = new_valley(ctx);
    kdl_optimizer *optimizer = kdl_optim_lbfgs(kdl_named_parameters(v.module), 0.001);
    assert_float_equal(kdl_optimizer_get(optimizer, 0, "max_eval", 0), 25, 0);
    kdl_optimizer_step(optimizer);
    assert_error(ctx, KDL_ERROR_TYPE,
                 "LBFGS.step() missing 1 required positional argument: 'closure'");
    v.fail_at = 3;
    assert_null(kdl_optimizer_step_closure(optimizer, closure, &v));
    assert_error(ctx, KDL_ERROR_VALUE, "the closure gave no loss");
    assert_int_equal(v.calls, 4);
    assert_true(kdl_is_grad_enabled(ctx));
    kdl_tensor *loss = kdl_optimizer_step_closure(optimizer, closure, &v); /* it goes on */
    assert_non_null(loss);
    kdl_tensor_release(loss);
    kdl_module *other = kdl_nn_linear(ctx, 1, 1);
    kdl_optimizer_add_param_group(optimizer, kdl_named_parameters(other), NULL);
    assert_error(ctx, KDL_ERROR_VALUE,
                 "LBFGS doesn't support per-parameter options (parameter groups)");
    kdl_module_release(other);
    assert_null(kdl_optimizer_step_closure(NULL, closure, &v));
    assert_null(kdl_optimizer_step_closure(optimizer, NULL, &v));
    assert_error(ctx, KDL_ERROR_TYPE, "'NoneType' object is not callable");
    kdl_optimizer_release(optimizer);
    kdl_module_release(v.module);
}

/* What it remembers is in the dtype that the parameters had. */
static void test_converted(void **state)
{
    kdl_context *ctx = *state;
    valley v = new_valley(ctx);
    kdl_optimizer *optimizer = kdl_optim_lbfgs(kdl_named_parameters(v.module), 0.001);
    kdl_tensor_release(kdl_optimizer_step_closure(optimizer, closure, &v));
    kdl_module_to(v.module, KDL_F32);
    assert_null(kdl_optimizer_step_closure(optimizer, closure, &v));
    assert_error(ctx, KDL_ERROR_RUNTIME,
                 "a parameter is torch.float32 now, but its optimizer's state is torch.float64: "
                 "make the optimizer after converting");
    kdl_module_to(v.module, KDL_F16);
    assert_null(kdl_optimizer_step_closure(optimizer, closure, &v));
    assert_error(ctx, KDL_ERROR_NOT_IMPLEMENTED,
                 "parameters of float16 are not optimised: keep them in f32");
    kdl_optimizer_release(optimizer);
    kdl_module_release(v.module);
}

/* Counts that are none. */
static void test_wrong_counts(void **state)
{
    static const double counts[] = { -1, NAN, INFINITY, 1e300 };
    kdl_context *ctx = *state;
    valley v = new_valley(ctx);
    kdl_optimizer *optimizer = kdl_optim_lbfgs(kdl_named_parameters(v.module), 0.001);
    kdl_tensor_release(kdl_optimizer_step_closure(optimizer, closure, &v));
    kdl_state_dict *dict = kdl_optimizer_state_dict(optimizer);
    char *groups = kdl_optimizer_param_groups(optimizer);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        kdl_state_dict_set(dict, "state.0.n_iter",
                           kdl_full(ctx, KDL_SCALAR_SHAPE, counts[i], .dtype = KDL_F64));
        kdl_optimizer_load_state_dict(optimizer, dict, groups);
        assert_error(ctx, KDL_ERROR_VALUE, "state.0.n_iter is no count");
    }
    kdl_optimizer_set(optimizer, 0, "max_iter", 0, NAN);
    assert_error(ctx, KDL_ERROR_VALUE, "cannot convert float nan to integer");
    assert_float_equal(kdl_optimizer_get(optimizer, 0, "max_iter", 0), 20, 0);
    kdl_free(ctx, groups);
    kdl_state_dict_release(dict);
    kdl_optimizer_release(optimizer);
    kdl_module_release(v.module);
}

static kdl_status descend(kdl_context *ctx, void *line_search_fn)
{
    kdl_train_enable(ctx);
    valley v = new_valley(ctx);
    kdl_optimizer *optimizer = NULL;
    if (v.module)
        optimizer = kdl_optim_lbfgs(kdl_named_parameters(v.module), 0.01, .max_iter = 3,
                                    .history_size = 2, .line_search_fn = line_search_fn);
    for (int i = 0; i < 2; i++)
        kdl_tensor_release(kdl_optimizer_step_closure(optimizer, closure, &v));
    kdl_state_dict *dict = kdl_optimizer_state_dict(optimizer);
    char *groups = kdl_optimizer_param_groups(optimizer);
    kdl_optimizer_load_state_dict(optimizer, dict, groups);
    kdl_free(ctx, groups);
    kdl_state_dict_release(dict);
    kdl_optimizer_release(optimizer);
    kdl_module_release(v.module);
    return kdl_error_status(ctx);
}

static void test_allocation_failures(void **state)
{
    (void)state;
    check_allocation_failures(descend, NULL);
    check_allocation_failures(descend, (char[]){ "strong_wolfe" });
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRAINING_TEST(test_finds),
        TRAINING_TEST(test_errors),
        TRAINING_TEST(test_converted),
        TRAINING_TEST(test_wrong_counts),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
