/* SPDX-License-Identifier: Apache-2.0 */
/* Constructors' arguments: by name, as text, printed, inherited, refused. */
#include <math.h>

#include "kindling/kindling.h"
#include "nn/arguments.h"
#include "support/contexts.h"
#include "support/counting_allocator.h"

/* Asserts what a module (released) is printed as. */
static void assert_printed(kdl_context *ctx, kdl_module *module, const char *text)
{
    char *printed = kdl_module_to_string(module);
    assert_string_equal(kdl_error_message(ctx), "");
    assert_string_equal(printed, text);
    kdl_free(ctx, printed);
    kdl_module_release(module);
}

static void test_int(void **state)
{
    (void)state;
    const int64_t values[] = { 0, 1, -1, 42, -((int64_t)1 << 47), ((int64_t)1 << 47) - 1 };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        double number = kdl_int(values[i]);
        assert_true(kdl_is_int(number));
        assert_true(kdl_number(number) == (double)values[i]);
    }
    const double floats[] = { 0, -0.0, 1.5, -INFINITY, 1e300, (double)((int64_t)1 << 47) };
    for (size_t i = 0; i < sizeof floats / sizeof *floats; i++) {
        assert_false(kdl_is_int(floats[i]));
        assert_true(kdl_number(floats[i]) == floats[i]);
    }
    assert_true(kdl_int((int64_t)1 << 47) == (double)((int64_t)1 << 47));
    assert_false(kdl_is_int(KDL_NONE_FLOAT));
    assert_true(isnan(kdl_number(KDL_NONE_FLOAT)));
}

static void test_numbers(void **state)
{
    kdl_context *ctx = *state;
    assert_printed(ctx, kdl_nn_threshold(ctx, 0.1, 20), "Threshold(threshold=0.1, value=20)");
    assert_printed(ctx, kdl_nn_threshold(ctx, 1, 2.0f, .inplace = true),
                   "Threshold(threshold=1, value=2.0, inplace=True)");
    assert_printed(ctx, kdl_nn_dropout(ctx, .p = 0), "Dropout(p=0.0, inplace=False)");
    assert_printed(ctx, kdl_nn_dropout(ctx, .p = kdl_int(0)), "Dropout(p=0, inplace=False)");
    assert_printed(ctx, kdl_nn_hardtanh(ctx, .min_val = kdl_int(-2), .max_val = INFINITY),
                   "Hardtanh(min_val=-2, max_val=inf)");
    assert_printed(ctx, kdl_nn_embedding(ctx, 2, 3, .norm_type = kdl_int(2)), "Embedding(2, 3)");
    assert_printed(ctx, kdl_nn_embedding(ctx, 2, 3, .max_norm = kdl_int(1)),
                   "Embedding(2, 3, max_norm=1)");
    assert_printed(ctx, kdl_nn_layer_norm(ctx, 7, .eps = NAN),
                   "LayerNorm((7,), eps=nan, elementwise_affine=True, bias=True)");
    assert_printed(ctx, kdl_nn_rms_norm(ctx, KDL_SHAPE(7, 2)),
                   "RMSNorm((7, 2), eps=None, elementwise_affine=True)");
    assert_printed(ctx, kdl_nn_softmax(ctx), "Softmax(dim=None)");

    kdl_module *linear = kdl_nn_linear(ctx, 2, 3);
    kdl_register_parameter(linear, "bias", NULL);
    assert_printed(ctx, linear, "Linear(in_features=2, out_features=3, bias=False)");
}

/* What a module was made with can be read. */
static void test_fields(void **state)
{
    kdl_context *ctx = *state;
    char approximate[] = "tanh";
    kdl_module *gelu = kdl_nn_gelu(ctx, .approximate = approximate);
    approximate[0] = '?';
    const kdl_gelu_options *options = kdl_module_fields(gelu);
    assert_string_equal(options->approximate, "tanh");
    kdl_module_release(gelu);

    kdl_module *embedding = kdl_nn_embedding(ctx, 5, 2, .padding_idx = -1);
    assert_int_equal(((const kdl_embedding_options *)kdl_module_fields(embedding))->padding_idx, 4);
    kdl_module_release(embedding);
}

static void test_inherited(void **state)
{
    kdl_context *ctx = *state;
    const kdl_module_class derived = { .name = "MyLinear", .parent = KDL_CLASS_LINEAR };
    kdl_linear_options options = KDL_LINEAR_DEFAULTS;
    options.in_features = 2;
    options.out_features = 3;
    kdl_module *module = kdl_nn_new(ctx, &derived, &options);
    assert_true(kdl_isinstance(module, KDL_CLASS_LINEAR));
    assert_int_equal(kdl_reset_parameters(module), KDL_OK);
    assert_printed(ctx, module, "MyLinear(in_features=2, out_features=3, bias=True)");
    module = kdl_nn_relu6(ctx);
    assert_true(kdl_isinstance(module, KDL_CLASS_HARDTANH));
    kdl_module_release(module);
}

/* Every name in braces is an argument's, and brackets are closed. */
static void check_template(const kdl__arguments *arguments)
{
    const char *at = arguments->repr ? arguments->repr : "";
    while ((at = strpbrk(at, "[{"))) {
        if (*at == '[') {
            assert_true(strchr(at, ']') && strcspn(at + 1, "[") > strcspn(at + 1, "]"));
        } else {
            size_t length = strcspn(at + 1, "?!}");
            assert_non_null(kdl__find_argument(arguments, at + 1, length));
            assert_true(strchr(at, '}'));
        }
        at++;
    }
}

static void test_classes(void **state)
{
    (void)state;
    size_t count = 0;
    for (const kdl_module_class *class; (class = kdl_nn_class_at(count)); count++) {
        assert_ptr_equal(kdl_nn_class(class->name), class);
        const kdl__arguments *arguments = kdl__class_arguments(class);
        assert_true(arguments || class == KDL_CLASS_MODULE);
        if (arguments)
            check_template(arguments);
    }
    assert_null(kdl_nn_class_at(count + 1));
    assert_null(kdl_nn_class("Sequentia"));
    assert_null(kdl_nn_class(""));
}

/* ---- text -------------------------------------------------------------------------------- */

static const struct {
    const char *text, *printed;
} readable[] = {
    { "ReLU()", "ReLU()" },
    { " torch.nn.ReLU( True )\n", "ReLU(inplace=True)" },
    { "nn.Linear(2, out_features = 3,bias=False,)",
      "Linear(in_features=2, out_features=3, bias=False)" },
    { "Linear(2, 3, True, 'cpu', torch.float64)",
      "Linear(in_features=2, out_features=3, bias=True)" },
    { "Linear(2, 3, device=None, dtype=None)", "Linear(in_features=2, out_features=3, bias=True)" },
    { "LayerNorm(5)", "LayerNorm((5,), eps=1e-05, elementwise_affine=True, bias=True)" },
    { "LayerNorm((5))", "LayerNorm((5,), eps=1e-05, elementwise_affine=True, bias=True)" },
    { "LayerNorm([2, 5], 1e-3)",
      "LayerNorm((2, 5), eps=0.001, elementwise_affine=True, bias=True)" },
    { "RMSNorm((5,), eps=None)", "RMSNorm((5,), eps=None, elementwise_affine=True)" },
    { "Threshold(-.5, -inf)", "Threshold(threshold=-0.5, value=-inf)" },
    { "Threshold(+5, nan)", "Threshold(threshold=5, value=nan)" },
    { "Embedding(5, 2, max_norm=2., sparse=True)", "Embedding(5, 2, max_norm=2.0, sparse=True)" },
    { "GELU(approximate='tanh')", "GELU(approximate='tanh')" },
    { "GELU(\"tanh\")", "GELU(approximate='tanh')" },
    { "GELU(tanh)", "GELU(approximate='tanh')" },
    { "Sequential()", "Sequential()" },
};

static void test_text(void **state)
{
    kdl_context *ctx = *state;
    for (size_t i = 0; i < sizeof readable / sizeof *readable; i++) {
        assert_printed(ctx, kdl_nn_from_text(ctx, readable[i].text), readable[i].printed);
        assert_printed(ctx, kdl_nn_from_text(ctx, readable[i].printed), readable[i].printed);
    }
    kdl_module *module = kdl_nn_from_text(ctx, "Linear(2, 3, dtype=torch.bfloat16)");
    assert_int_equal(kdl_tensor_dtype(kdl_parameter(module, "weight")), KDL_BF16);
    kdl_module_release(module);
}

static const struct {
    const char *text;
    kdl_status status;
    const char *message;
} refused[] = {
    { "", KDL_ERROR_FORMAT, ": a call is expected at column 1" },
    { "ReLU", KDL_ERROR_FORMAT, "ReLU: a call is expected at column 1" },
    { "ReLU(", KDL_ERROR_FORMAT, "ReLU(: a number is expected at column 6" },
    { "ReLU() x", KDL_ERROR_FORMAT, "ReLU() x: the end is expected at column 8" },
    { "ReLU(True False)", KDL_ERROR_FORMAT,
      "ReLU(True False): ',' or ')' is expected at column 11" },
    { "GELU('tanh)", KDL_ERROR_FORMAT,
      "GELU('tanh): the end of the string is expected at column 12" },
    { "LayerNorm((1, 2)", KDL_ERROR_FORMAT,
      "LayerNorm((1, 2): ',' or ')' is expected at column 17" },
    { "LayerNorm((1 2))", KDL_ERROR_FORMAT,
      "LayerNorm((1 2)): ',' or the tuple's end is expected at column 14" },
    { "LayerNorm((1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1))", KDL_ERROR_FORMAT,
      "LayerNorm((1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1)): the end of the tuple is expected at column "
      "44" },
    { "Linear(99999999999999999999, 1)", KDL_ERROR_FORMAT,
      "Linear(99999999999999999999, 1): a number is expected at column 8" },
    { "Linear(1e5x, 1)", KDL_ERROR_TYPE, "Linear's argument 'in_features' cannot be 1e5" },
    { "Linear(bias=True, 1)", KDL_ERROR_FORMAT,
      "Linear(bias=True, 1): a named argument is expected at column 19" },
    { "Lineal(1)", KDL_ERROR_KEY, "module 'torch.nn' has no attribute 'Lineal'" },
    { "Linear()", KDL_ERROR_TYPE,
      "Linear.__init__() missing 2 required positional arguments: 'in_features' and "
      "'out_features'" },
    { "Linear(out_features=2)", KDL_ERROR_TYPE,
      "Linear.__init__() missing 1 required positional argument: 'in_features'" },
    { "Linear(1, 2, foo=3)", KDL_ERROR_TYPE,
      "Linear.__init__() got an unexpected keyword argument 'foo'" },
    { "Linear(1, 2, in_features=3)", KDL_ERROR_TYPE,
      "Linear.__init__() got multiple values for argument 'in_features'" },
    { "ReLU(True, 1)", KDL_ERROR_TYPE,
      "ReLU.__init__() takes 2 positional arguments but more were given" },
    { "Linear(1, 2, bias=1)", KDL_ERROR_TYPE, "Linear's argument 'bias' cannot be 1" },
    { "Linear(None, 2)", KDL_ERROR_TYPE, "Linear's argument 'in_features' cannot be None" },
    { "Linear((1, 2), 2)", KDL_ERROR_TYPE, "Linear's argument 'in_features' cannot be (1, 2)" },
    { "Linear(1, 2, dtype=complex64)", KDL_ERROR_TYPE,
      "Linear's argument 'dtype' cannot be complex64" },
    { "Linear(1, 2, device='cuda')", KDL_ERROR_TYPE,
      "Linear's argument 'device' cannot be 'cuda'" },
    { "Linear(ReLU(), 2)", KDL_ERROR_TYPE, "Linear's argument 'in_features' cannot be ReLU()" },
    { "Linear(ReLU(5), 2)", KDL_ERROR_TYPE, "ReLU's argument 'inplace' cannot be 5" },
    { "LayerNorm((1, None))", KDL_ERROR_TYPE,
      "LayerNorm's argument 'normalized_shape' cannot be (1, None)" },
    { "Dropout('a')", KDL_ERROR_TYPE, "Dropout's argument 'p' cannot be 'a'" },
    { "GELU(3)", KDL_ERROR_TYPE, "GELU's argument 'approximate' cannot be 3" },
    { "Module()", KDL_ERROR_TYPE, "Module has no arguments: construct it with kdl_module_new()" },
};

static void test_refused_text(void **state)
{
    kdl_context *ctx = *state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        assert_null(kdl_nn_from_text(ctx, refused[i].text));
        assert_error(ctx, refused[i].status, refused[i].message);
    }
}

static kdl_status read_one(kdl_context *ctx, void *text)
{
    kdl_module *module = kdl_nn_from_text(ctx, *(const char **)text);
    kdl_free(ctx, kdl_module_to_string(module));
    kdl_module_release(module);
    kdl_status status = kdl_error_status(ctx);
    if (status == KDL_ERROR_TYPE || status == KDL_ERROR_FORMAT)
        kdl_error_clear(ctx);
    return kdl_error_status(ctx);
}

static void test_allocation_failures(void **state)
{
    (void)state;
    const char *texts[] = { "GELU('tanh')", "Linear(2, 3)", "Embedding(2, 3, 1, max_norm=2)",
                            "Linear(ReLU(), 2)", "Linear()" };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        check_allocation_failures(read_one, &texts[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_int),      CONTEXT_TEST(test_numbers),
        CONTEXT_TEST(test_fields),       CONTEXT_TEST(test_inherited),
        cmocka_unit_test(test_classes),  CONTEXT_TEST(test_text),
        CONTEXT_TEST(test_refused_text), cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
