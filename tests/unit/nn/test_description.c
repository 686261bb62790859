/* SPDX-License-Identifier: Apache-2.0 */
/* Modules from the text of print(model): there and back, what is refused, what is told. */
#include "kindling/kindling.h"
#include "nn/arguments.h"
#include "support/counting_allocator.h"
#include "support/unit.h"

/* ---- there and back ---------------------------------------------------------------------- */

/* Both have the same text, and the same state_dict, bit for bit. */
static void assert_same_module(kdl_module *ours, kdl_module *theirs)
{
    char *one = kdl_module_to_string(ours), *two = kdl_module_to_string(theirs);
    kdl_context *ctx = kdl_module_context(ours);
    assert_string_equal(one, two);
    kdl_iterator it = kdl_state_dict(ours), other = kdl_state_dict(theirs);
    while (kdl_next(&it)) {
        assert_true(kdl_next(&other));
        assert_string_equal(it.name, other.name);
        kdl_shape shape = kdl_tensor_shape(it.tensor), expected = kdl_tensor_shape(other.tensor);
        assert_int_equal(shape.ndim, expected.ndim);
        assert_memory_equal(shape.sizes, expected.sizes, (size_t)shape.ndim * sizeof(int64_t));
        assert_int_equal(kdl_tensor_dtype(it.tensor), kdl_tensor_dtype(other.tensor));
        size_t nbytes = kdl_tensor_nbytes(it.tensor);
        if (nbytes)
            assert_memory_equal(kdl_tensor_data(it.tensor), kdl_tensor_data(other.tensor), nbytes);
    }
    assert_false(kdl_next(&other));
    kdl_free(ctx, one);
    kdl_free(ctx, two);
}

/* Prints `module`, which was made under seed 3, and makes it again from that. */
static void check_round_trip(kdl_module *module)
{
    kdl_context *ctx = kdl_module_context(module);
    unsigned char state[KDL_GENERATOR_STATE_NBYTES], again[KDL_GENERATOR_STATE_NBYTES];
    char *text = kdl_module_to_string(module);
    kdl_generator_get_state(kdl_default_generator(ctx), state);
    kdl_manual_seed(ctx, 3);
    kdl_module *read = kdl_module_from_string(ctx, text, strlen(text));
    assert_string_equal(kdl_error_message(ctx), "");
    kdl_generator_get_state(kdl_default_generator(ctx), again);
    assert_memory_equal(state, again, sizeof state);
    assert_same_module(read, module);
    kdl_module_release(read);
    kdl_free(ctx, text);
}

static void check_call(kdl_context *ctx, const char *call)
{
    kdl_manual_seed(ctx, 3);
    kdl_module *module = kdl_nn_from_text(ctx, call);
    assert_string_equal(kdl_error_message(ctx), "");
    check_round_trip(module);
    kdl_module_release(module);
}

/* A call of the class: one from the list, else with as many fours as it needs. */
static kdl_module *make_any(kdl_context *ctx, const char *name)
{
    static const char *const special[] = {
        "AdaptiveLogSoftmaxWithLoss(8, 20, [5, 10])",
        "FractionalMaxPool2d(3, output_size=2)",
        "FractionalMaxPool3d(3, output_size=2)",
        "MultiheadAttention(8, 2)",
        "Transformer(8, 2, 1, 2, 16)",
        "TransformerDecoder(TransformerDecoderLayer(8, 2, 16), 2)",
        "TransformerDecoderLayer(8, 2, 16)",
        "TransformerEncoder(TransformerEncoderLayer(8, 2, 16), 2)",
        "TransformerEncoderLayer(8, 2, 16)",
        "Unflatten(1, (2, 2))",
    };
    char call[128];
    kdl_module *module = NULL;
    size_t length = strlen(name);
    for (size_t i = 0; i < sizeof special / sizeof *special; i++) {
        if (strncmp(special[i], name, length) == 0 && special[i][length] == '(')
            return kdl_nn_from_text(ctx, special[i]);
    }
    for (int arguments = 0; !module && arguments <= 4; arguments++) {
        kdl_error_clear(ctx);
        snprintf(call, sizeof call, "%s(%.*s)", name, arguments ? 3 * arguments - 2 : 0,
                 "4, 4, 4, 4, ");
        kdl_manual_seed(ctx, 3);
        module = kdl_nn_from_text(ctx, call);
    }
    return module;
}

static void test_every_class(void **state)
{
    (void)state;
    kdl_context *ctx = kdl_context_new(NULL);
    const kdl_module_class *class;
    int count = 0;
    for (size_t i = 0; (class = kdl_nn_class_at(i)); i++) {
        if (class == KDL_CLASS_RNN_BASE || class == KDL_CLASS_RNN_CELL_BASE) /* do not print all */
            continue;
        kdl_manual_seed(ctx, 3);
        kdl_module *module =
            kdl__class_arguments(class) ? make_any(ctx, class->name) : kdl_module_new(ctx, class);
        if (!module)
            fail_msg("%s: no call of it is known here: %s", class->name, kdl_error_message(ctx));
        if (strncmp(class->name, "Lazy", 4) != 0) {
            check_round_trip(module);
            count++;
        }
        kdl_module_release(module);
    }
    assert_true(count >= 140);
    kdl_context_release(ctx);
}

static void test_arguments(void **state)
{
    (void)state;
    static const char *const calls[] = {
        "Linear(3, 2, bias=False)",
        "Bilinear(2, 3, 4, bias=False)",
        "Conv1d(4, 6, 3, padding='same', groups=2)",
        "Conv2d(4, 8, (3, 5), (2, 1), (1, 2), (1, 3), 2, False, 'reflect')",
        "ConvTranspose2d(4, 8, 3, 2, 1, 1, 2)",
        "BatchNorm2d(5, eps=1e-3, momentum=None, track_running_stats=False)",
        "BatchNorm1d(5, affine=False)",
        "InstanceNorm2d(5, affine=True, track_running_stats=True)",
        "GroupNorm(2, 6, affine=False)",
        "LayerNorm((3, 4), elementwise_affine=False)",
        "LayerNorm(3, bias=False)",
        "RMSNorm(3, eps=1e-6)",
        "Embedding(10, 3, padding_idx=-1, max_norm=2.0, sparse=True)",
        "EmbeddingBag(10, 3, mode='sum')",
        "LSTM(4, 6, 2, False, True, 0.5, True, 3)",
        "GRU(4, 6)",
        "LSTMCell(4, 6, bias=False)",
        "PReLU(7)",
        "GELU('tanh')",
        "Hardtanh(-2, 2.5, True)",
        "Softmax(dim=-1)",
    };
    kdl_context *ctx = kdl_context_new(NULL);
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        check_call(ctx, calls[i]);
    kdl_context_release(ctx);
}

static const kdl_module_class block_class = { .name = "Block" }, net_class = { .name = "Net" };

static kdl_module *block_new(kdl_context *ctx, int64_t width)
{
    kdl_module *block = kdl_module_new(ctx, &block_class);
    kdl_add_module(block, "fc", kdl_nn_linear(ctx, width, width));
    kdl_add_module(block, "none", NULL);
    kdl_add_module(block, "act", kdl_nn_sequential(ctx, kdl_nn_prelu(ctx), kdl_nn_relu(ctx)));
    return block;
}

static void test_nesting(void **state)
{
    (void)state;
    kdl_context *ctx = kdl_context_new(NULL);
    kdl_manual_seed(ctx, 3);
    kdl_module *net = kdl_module_new(ctx, &net_class), *lists = kdl_nn_module_list(ctx);
    kdl_module *dict = kdl_nn_module_dict(ctx);
    kdl_add_module(net, "stem", kdl_nn_conv2d(ctx, 3, 4, 3));
    for (int i = 0; i < 12; i++) {
        kdl_module *list = kdl_nn_module_list(ctx);
        for (int j = 0; j < 2; j++)
            kdl_append(list, block_new(ctx, i < 10 ? 3 : 4));
        kdl_append(lists, list);
    }
    kdl_add_module(net, "lists", lists);
    kdl_add_module(dict, "a b", kdl_nn_linear(ctx, 2, 2));
    kdl_add_module(dict, "(x)", kdl_nn_gelu(ctx));
    kdl_add_module(net, "dict", dict);
    kdl_add_module(net, "empty", kdl_nn_module_list(ctx));
    check_round_trip(net);
    kdl_module_release(net);
    kdl_context_release(ctx);
}

static void test_parametrizations(void **state)
{
    (void)state;
    kdl_context *ctx = kdl_context_new(NULL);
    kdl_manual_seed(ctx, 3);
    kdl_module *net = kdl_nn_sequential(ctx, kdl_nn_linear(ctx, 3, 4));
    kdl_parametrizations_weight_norm(kdl_child(net, 0));
    kdl_append(net, kdl_nn_conv2d(ctx, 3, 4, 2));
    kdl_parametrizations_spectral_norm(kdl_child(net, 1));
    kdl_append(net, kdl_nn_linear(ctx, 3, 3, .bias = false));
    kdl_parametrizations_orthogonal(kdl_child(net, 2));
    assert_string_equal(kdl_error_message(ctx), "");
    check_round_trip(net);
    kdl_module_release(net);
    kdl_context_release(ctx);
}

/* ---- what the caller adds ---------------------------------------------------------------- */

typedef struct notes {
    char text[512];
} notes;

static void keep_note(void *user_data, const char *note)
{
    notes *kept = user_data;
    size_t length = strlen(kept->text);
    snprintf(kept->text + length, sizeof kept->text - length, "%s; ", note);
}

static const char custom[] = "Net(\n"
                             "  size=3\n"
                             "  (norm): MyNorm((3,), eps=1e-06)\n"
                             "  (drop): DropPath(drop_prob=0.100)\n"
                             "  (a): PReLU(num_parameters=1)\n"
                             "  (b): PReLU(num_parameters=2)\n"
                             "  (swish): Swish()\n"
                             ")\n";

static void test_assumptions(void **state)
{
    (void)state;
    kdl_context *ctx = kdl_context_new(NULL);
    const char *assume[] = { "MyNorm=RMSNorm", "DropPath=Module", "PReLU(init=0.5)" };
    notes kept = { "" };
    kdl_module *net =
        kdl_module_from_string(ctx, custom, strlen(custom), .assume = assume, .assume_count = 3,
                               .dtype = KDL_F64, .note = keep_note, .note_user_data = &kept);
    assert_string_equal(kdl_error_message(ctx), "");
    assert_string_equal(kept.text, "Swish: a class without parameters; ");
    kdl_module *norm = kdl_submodule(net, "norm");
    assert_string_equal(kdl_module_type(norm)->name, "MyNorm");
    assert_true(kdl_isinstance(norm, KDL_CLASS_RMS_NORM));
    assert_int_equal(kdl_tensor_dtype(kdl_parameter(net, "norm.weight")), KDL_F64);
    const double *init = kdl_tensor_data(kdl_parameter(net, "b.weight"));
    assert_true(init[0] == 0.5 && init[1] == 0.5);
    kdl_module_release(net);

    kept.text[0] = '\0';
    net = kdl_module_from_string(ctx, custom, strlen(custom), .assume = assume, .assume_count = 2,
                                 .note = keep_note, .note_user_data = &kept);
    assert_string_equal(kept.text, "PReLU: init=0.25; Swish: a class without parameters; ");
    kdl_module_release(net);
    kdl_context_release(ctx);
}

/* Layers of a class's own are constructed one by one unless they are assumed to be copies. */
static void test_copies(void **state)
{
    (void)state;
    static const char text[] = "Transformer(\n"
                               "  (encoder): TransformerEncoder(\n"
                               "    (layers): ModuleList(\n"
                               "      (0-1): 2 x Layer(\n"
                               "        (fc): Linear(in_features=3, out_features=2, bias=True)\n"
                               "      )\n"
                               "    )\n"
                               "  )\n"
                               ")";
    const char *assume = "TransformerEncoder=TransformerEncoder";
    kdl_context *ctx = kdl_context_new(NULL);
    for (int copies = 0; copies < 2; copies++) {
        notes kept = { "" };
        kdl_module *net = kdl_module_from_string(ctx, text, strlen(text), .assume = &assume,
                                                 .assume_count = copies, .note = keep_note,
                                                 .note_user_data = &kept);
        assert_string_equal(kdl_error_message(ctx), "");
        assert_string_equal(kept.text,
                            copies ? "" : "TransformerEncoder: its layers are not copies of one; ");
        const void *one = kdl_tensor_data(kdl_parameter(net, "encoder.layers.0.fc.weight"));
        const void *two = kdl_tensor_data(kdl_parameter(net, "encoder.layers.1.fc.weight"));
        assert_true(one != two && (memcmp(one, two, 6 * sizeof(float)) == 0) == (copies == 1));
        char *printed = kdl_module_to_string(net);
        assert_string_equal(printed, text);
        kdl_free(ctx, printed);
        kdl_module_release(net);
    }
    kdl_context_release(ctx);
}

static void refuse_assumption(kdl_context *ctx, const char *assume, kdl_status status,
                              const char *message)
{
    const char *all[] = { "MyNorm=RMSNorm", "DropPath=Module", assume };
    assert_null(
        kdl_module_from_string(ctx, custom, strlen(custom), .assume = all, .assume_count = 3));
    assert_error(ctx, status, message);
}

static void test_wrong_assumptions(void **state)
{
    (void)state;
    kdl_context *ctx = kdl_context_new(NULL);
    refuse_assumption(ctx, "PReLU", KDL_ERROR_VALUE,
                      "what is assumed must be CLASS(ARGUMENTS) or CLASS=CLASS, not 'PReLU'");
    refuse_assumption(ctx, "PReLU()", KDL_ERROR_VALUE,
                      "what is assumed must be CLASS(ARGUMENTS) or CLASS=CLASS, not 'PReLU()'");
    refuse_assumption(ctx, "GRU(bias=False)", KDL_ERROR_VALUE,
                      "'GRU(bias=False)' is assumed, but no layer of the text is a GRU");
    refuse_assumption(ctx, "PReLU(num_parameters=3)", KDL_ERROR_TYPE,
                      "line 5, column 8: PReLU.__init__() got multiple values for argument "
                      "'num_parameters'");
    refuse_assumption(ctx, "Swish=TransformerEncoder", KDL_ERROR_NOT_IMPLEMENTED,
                      "line 7, column 12: Swish has no list of layers that could be copies of one");
    refuse_assumption(ctx, "Swish=Silly", KDL_ERROR_NOT_IMPLEMENTED,
                      "line 7, column 12: Swish is assumed to be of a class that is not "
                      "known");
    kdl_context_release(ctx);
}

/* ---- refusals ---------------------------------------------------------------------------- */

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        { "", "line 1, column 1: a class's name is expected" },
        { "Net", "line 1, column 4: '(' is expected" },
        { "Net(", "line 1, column 1: the ')' that closes Net( is missing" },
        { "Linear(3, 2", "line 1, column 12: ')' (or a line of its own for each module) is "
                         "expected" },
        { "ReLU()\nReLU()", "line 2, column 1: the end of the text is expected" },
        { "A(\n  (x): ReLU()\n  y\n)",
          "line 3, column 3: '(name): Module(...)' or ')' is expected" },
        { "A(\n  (x): ReLU()\n  (x): ReLU()\n)",
          "line 3, column 4: the name 'x' is there already" },
        { "A(\n  (0-2): 2 x ReLU()\n)",
          "line 2, column 10: as many modules as stand in the parentheses is expected" },
        { "A(\n  (x): Linear(3, out=2)\n)",
          "line 2, column 8: Linear.__init__() got an unexpected keyword argument 'out'" },
        { "A(\n  (x): BatchNorm9d(3)\n)",
          "line 2, column 8: BatchNorm9d is not known; assume 'BatchNorm9d=CLASS' when it is like "
          "a class of torch.nn, 'BatchNorm9d=Module' when it has no parameters" },
        { "LazyLinear(in_features=0, out_features=3, bias=True)",
          "line 1, column 1: LazyLinear has no parameters before its first forward: print the "
          "model after it" },
        { "ParameterList(\n    (0): Parameter containing: [torch.float32 of size 2]\n)",
          "line 2, column 10: the text does not tell how a list of parameters is initialised" },
        { "ParameterList(  (0): Parameter containing: [torch.float32 of size 2])",
          "line 1, column 1: the text does not tell how a list of parameters is initialised" },
        { "ParametrizedReLU(\n  (parametrizations): ModuleDict(\n"
          "    (weight): ParametrizationList(\n      (0): Mine()\n    )\n  )\n)",
          "line 4, column 12: Mine is no parametrization that is known" },
        { "ParametrizedReLU(\n  (parametrizations): ModuleDict(\n"
          "    (weight): ParametrizationList(\n      (0): _WeightNorm()\n    )\n  )\n)",
          "line 4, column 12: Module 'ReLU()' does not have a parameter, a buffer, or a "
          "parametrized element with name 'weight'" },
        { "ParametrizedA(\n  (b): ReLU()\n  (parametrizations): ModuleDict()\n)",
          "line 1, column 1: ParametrizedA: only a layer without modules of its own can be "
          "parametrized here" },
        { "A(\n  (0-99999): 100000 x B(\n    (0-99999): 100000 x ReLU()\n  )\n)",
          "the text stands for more than 262144 modules" },
    };
    kdl_context *ctx = kdl_context_new(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_null(kdl_module_from_string(ctx, cases[i].text, strlen(cases[i].text)));
        assert_string_equal(kdl_error_message(ctx), cases[i].message);
        kdl_error_clear(ctx);
    }
    assert_null(kdl_module_from_string(ctx, "A(\0)", 4));
    assert_error(ctx, KDL_ERROR_FORMAT, "the text holds a NUL");
    kdl_context_release(ctx);
}

static void test_depth(void **state)
{
    (void)state;
    enum { DEPTH = 100000 };
    kdl_context *ctx = kdl_context_new(NULL);
    char *text = malloc(8 * DEPTH + 1);
    text[0] = '\0';
    for (char *to = text; to < text + 8 * DEPTH; to += 8)
        memcpy(to, "A(\n(x): ", 9);
    assert_null(kdl_module_from_string(ctx, text, strlen(text)));
    assert_int_equal(kdl_error_status(ctx), KDL_ERROR_VALUE);
    free(text);
    kdl_context_release(ctx);
}

typedef struct reading {
    const char *text;
    int assume_count;
} reading;

static kdl_status read_one(kdl_context *ctx, void *what)
{
    const char *assume[] = { "MyNorm=RMSNorm", "DropPath=Module" };
    const reading *one = what;
    notes kept = { "" };
    kdl_module_release(kdl_module_from_string(ctx, one->text, strlen(one->text), .assume = assume,
                                              .assume_count = one->assume_count, .note = keep_note,
                                              .note_user_data = &kept));
    return kdl_error_status(ctx);
}

static void test_allocation_failures(void **state)
{
    (void)state;
    reading own = { custom, 2 };
    check_allocation_failures(read_one, &own);
    kdl_context *ctx = kdl_context_new(NULL);
    kdl_module *net = kdl_nn_sequential(ctx, kdl_nn_from_text(ctx, "Transformer(4, 2, 1, 2, 3)"),
                                        kdl_nn_linear(ctx, 2, 3));
    kdl_parametrizations_weight_norm(kdl_child(net, 1));
    char *text = kdl_module_to_string(net);
    reading stacks = { text, 0 };
    check_allocation_failures(read_one, &stacks);
    kdl_free(ctx, text);
    kdl_module_release(net);
    kdl_context_release(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_class),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_nesting),
        cmocka_unit_test(test_assumptions),
        cmocka_unit_test(test_copies),
        cmocka_unit_test(test_parametrizations),
        cmocka_unit_test(test_wrong_assumptions),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
