/* SPDX-License-Identifier: Apache-2.0 */
/* Recipes that are refused, and what is said of them. */
#include "kindling/plan.h"
#include "support/unit.h"

static kdl_context *ctx;

static int set_up(void **state)
{
    (void)state;
    ctx = kdl_context_new(NULL);
    return ctx ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    kdl_context_release(ctx);
    return 0;
}

#define HEAD "{\"kindling_recipe\": 1, \"profile\": \"torch-2.13\", "

static void refuse(const char *json, const char *message)
{
    char whole[512];
    snprintf(whole, sizeof whole, "recipe: %s", message);
    kdl_plan *plan = kdl_plan_from_json(ctx, json, strlen(json), NULL);
    if (plan)
        fail_msg("taken: %s", json);
    assert_error(ctx, KDL_ERROR_FORMAT, whole);
}

static void refuse_tensor(const char *members, const char *message)
{
    char json[1024], whole[512];
    snprintf(json, sizeof json,
             HEAD "\"seed\": 1, \"tensors\": [{\"name\": \"a\", \"shape\": [2]}, "
                  "{\"name\": \"w\", %s}]}",
             members);
    snprintf(whole, sizeof whole, "tensors[1]%s", message);
    refuse(json, whole);
}

static void refuse_op(const char *op, const char *message)
{
    char members[512], whole[512];
    snprintf(members, sizeof members, "\"shape\": [4, 6], \"ops\": [%s]", op);
    snprintf(whole, sizeof whole, ".ops[0]%s", message);
    refuse_tensor(members, whole);
}

static void broken_texts(void **state)
{
    (void)state;
    refuse("", "line 1, column 0: '[' or '{' expected near end of file");
    refuse("{\n  \"kindling_recipe\": 1,,\n}",
           "line 2, column 24: string or '}' expected near ','");
    refuse("[]", "the text must be one object");
    refuse("{}", "the field 'kindling_recipe' is missing");
    refuse("{\"kindling_recipe\": \"1\"}", "'kindling_recipe' must be an integer");
    refuse("{\"kindling_recipe\": 2}", "version 2 is not known, only 1 is");
    refuse("{\"kindling_recipe\": 1}", "the field 'profile' is missing");
    refuse("{\"kindling_recipe\": 1, \"profile\": \"torch-2.11\"}",
           "the profile 'torch-2.11' is not known, only 'torch-2.13' is");
    refuse(HEAD "\"tensor\": []}", "unknown field 'tensor'");
    refuse(HEAD "\"seed\": 1}", "tensors: this must be there, and a list");
    refuse(
        HEAD "\"seed\": 1.5, \"tensors\": []}",
        "'seed' must be an integer from -2^63 to 2^63 - 1, or a string of digits up to 2^64 - 1");
    refuse(
        HEAD "\"seed\": \"18446744073709551616\", \"tensors\": []}",
        "'seed' must be an integer from -2^63 to 2^63 - 1, or a string of digits up to 2^64 - 1");
    refuse(HEAD "\"seed\": 1, \"state\": \"\", \"tensors\": []}",
           "a stream has either a 'seed' or a 'state'");
    refuse(HEAD "\"state\": \"AAAA\", \"tensors\": []}", "'state' is no state of a generator");
    refuse(HEAD "\"state\": \"A\", \"tensors\": []}", "'state' must be a string of base64");
    refuse(HEAD "\"streams\": {\"b\": {\"sed\": 1}}, \"tensors\": []}",
           "streams.b: unknown field 'sed'");
    refuse(HEAD "\"attributes\": {\"a\": 1}, \"tensors\": []}", "attributes: 'a' must be a string");
    refuse(HEAD "\"end\": {\"draw\": 3}, \"tensors\": []}", "end: there is no seed to draw from");
    refuse(HEAD "\"seed\": 1, \"end\": {\"draw\": -3}, \"tensors\": []}",
           "end: 'draw' must be an integer from 0 to 2^62");
}

static void bad_tensors(void **state)
{
    (void)state;
    refuse(HEAD "\"tensors\": [3]}", "tensors[0]: this must be an object");
    refuse(HEAD "\"tensors\": [{}]}", "tensors[0]: the field 'name' is missing");
    refuse(HEAD "\"tensors\": [{\"name\": \"w\"}]}", "tensors[0]: the field 'shape' is missing");
    refuse(HEAD "\"tensors\": [{\"name\": \"w\", \"shape\": [1]}, {\"name\": \"w\"}]}",
           "tensors[1]: the name 'w' is taken");
    refuse_tensor("\"shape\": [1], \"size\": 1", ": unknown field 'size'");
    refuse_tensor("\"shape\": [1], \"dtype\": \"f8\"", ": unknown dtype 'f8'");
    refuse_tensor("\"shape\": 3", ": 'shape' must be a list of at most 16 sizes");
    refuse_tensor("\"shape\": [-3]", ": 'shape' must be a list of integers from 0 to 2^62");
    refuse_tensor("\"shape\": [4294967296, 4294967296]",
                  ": the shape has more elements than can be counted");
    refuse_tensor("\"shape\": [3], \"ops\": {}", ".ops: this must be a list");
    refuse_tensor("\"same_as\": \"b\"", ": there is no tensor 'b' before this");
    refuse_tensor("\"same_as\": \"a\", \"shape\": [2]", ": unknown field 'shape'");
    refuse_tensor("\"shape\": [2], \"data\": \"AAAA\"", ": 'data' has 3 bytes where 8 are needed");
    refuse_tensor("\"shape\": [3], \"dtype\": \"bool\", \"data\": \"AAEC\"",
                  ": a bool in 'data' is neither 0 nor 1");
    refuse_tensor("\"shape\": [3], \"data\": \"\", \"ops\": []",
                  ": 'data' stands by itself, without ops, from and view");
    refuse_tensor("\"shape\": [3], \"from\": \"1\"", ": there is no history '1' before this");
    refuse_tensor("\"shape\": [3], \"view\": {\"numel\": 2}",
                  ".view: its elements do not lie within the 2 of its storage");
    refuse_tensor("\"shape\": [3], \"view\": {\"numel\": 9, \"strides\": [1, 2]}",
                  ".view: there must be as many strides as sizes");
}

static void bad_ops(void **state)
{
    (void)state;
    refuse_op("3", ": this must be an object");
    refuse_op("{}", ": the field 'op' is missing");
    refuse_op("{\"op\": \"xavier\"}", ": unknown op 'xavier'");
    refuse_op("{\"op\": \"constant\"}", ": the field 'value' is missing");
    refuse_op("{\"op\": \"constant\", \"value\": \"x\"}", ": 'value' must be a number");
    refuse_op("{\"op\": \"constant\", \"value\": 1, \"std\": 1}", ": unknown field 'std'");
    refuse_op("{\"op\": \"constant\", \"value\": 1, \"draw\": 1}", ": 'constant' takes no 'draw'");
    refuse_op("{\"op\": \"constant\", \"value\": 1, \"source\": {}}",
              ": 'constant' takes no 'source'");
    refuse_op("{\"op\": \"constant_integer\", \"value\": 1.5}", ": 'value' must be an integer");
    refuse_op("{\"op\": \"normal\", \"mean\": 0, \"std\": -1}",
              ": normal expects std >= 0.0, but found std -1");
    refuse_op("{\"op\": \"uniform\", \"from\": 0, \"to\": \"inf\"}",
              ": to is out of bounds for float");
    refuse_op("{\"op\": \"uniform\", \"from\": 0, \"to\": 1, \"draw\": 0, \"draws\": 23}",
              ": it takes 24 draws, not 23");
    refuse_op("{\"op\": \"uniform\", \"from\": 0, \"to\": 1, \"stream\": \"b\"}",
              ": 'stream' needs a 'draw' beside it");
    refuse_op("{\"op\": \"uniform\", \"from\": 0, \"to\": 1, \"draw\": 0, \"stream\": \"b\"}",
              ": there is no stream 'b'");
    refuse_op("{\"op\": \"uniform\", \"from\": 0, \"to\": 1, \"draw\": 0, \"spare\": {}}",
              ": 'uniform' takes no 'spare'");
    refuse_op("{\"op\": \"log_normal\", \"mean\": 0, \"std\": 1, \"draw\": 0, \"spare\": {}}",
              ".spare: the field 'draw' is missing");
    refuse_op("{\"op\": \"mul\", \"value\": 1, \"shape\": [5, 5]}",
              ": its elements do not lie within the 24 of its storage");
    refuse_op("{\"op\": \"mul\", \"value\": 1, \"shape\": [2], \"offset\": 23}",
              ": its elements do not lie within the 24 of its storage");
    refuse_op("{\"op\": \"mul\", \"value\": 1, \"shape\": [2], "
              "\"strides\": [4611686018427387904]}",
              ": its elements do not lie within the 24 of its storage");
    refuse_op("{\"op\": \"mul\", \"value\": 1, \"shape\": [0]}", ": it writes no element");
    refuse_op("{\"op\": \"mul\", \"value\": 1, \"shape\": [3, 2], \"strides\": [0, 1]}",
              ": it writes some element more than once");
    refuse_op("{\"op\": \"mul\", \"value\": 1, \"shape\": [3, 3], \"strides\": [2, 1]}",
              ": it writes some element more than once");
    refuse_op("{\"op\": \"eye\", \"shape\": [24]}", ": an eye has 2 dimensions, not 1");
    refuse_op("{\"op\": \"copy\"}", ": the field 'source' is missing");
    refuse_op("{\"op\": \"bernoulli_tensor\", \"source\": {\"shape\": [24]}}",
              ".source: its shape is not that of the op");
    refuse_op("{\"op\": \"bernoulli_tensor\", \"source\": {\"shape\": [4, 6], \"dtype\": \"i32\"}}",
              ": \"bernoulli_tensor_cpu_p_\" not implemented for 'Int'");
    refuse_op("{\"op\": \"bernoulli_tensor\", \"shape\": [1], \"source\": "
              "{\"shape\": [1], \"data\": \"AADAfw==\"}}",
              ": Expected p_in >= 0 && p_in <= 1 to be true, but got false.  (Could this error "
              "message be improved?  If so, please report an enhancement request to PyTorch.)");
    refuse_op("{\"op\": \"copy\", \"source\": 1}", ".source: this must be an object");
    refuse_op("{\"op\": \"copy\", \"source\": {\"shape\": [2]}}",
              ".source: it has 2 elements for 24");
    refuse_op("{\"op\": \"copy\", \"source\": {\"shape\": [24], \"ops\": [{\"op\": \"no\"}]}}",
              ".source.ops[0]: unknown op 'no'");
}

static void bad_histories(void **state)
{
    (void)state;
    refuse(HEAD "\"histories\": 3, \"tensors\": []}", "histories: this must be a list");
    refuse(HEAD "\"histories\": [{\"id\": \"1\", \"shape\": [2]}], \"tensors\": []}",
           "histories[0]: a history has ops");
    refuse(HEAD "\"histories\": [{\"id\": \"1\", \"shape\": [2], \"ops\": [{\"op\": \"constant\", "
                "\"value\": 1}]}, {\"id\": \"1\", \"shape\": [2], \"from\": \"1\"}], "
                "\"tensors\": []}",
           "histories[1]: the id '1' is taken");
    refuse(HEAD "\"histories\": [{\"id\": \"1\", \"shape\": [2], \"ops\": [{\"op\": \"constant\", "
                "\"value\": 1}]}], \"tensors\": [{\"name\": \"w\", \"dtype\": \"f64\", "
                "\"shape\": [2], \"from\": \"1\"}]}",
           "tensors[0]: the history '1' is of another dtype or larger");
    refuse(HEAD
           "\"histories\": [{\"id\": \"1\", \"shape\": [2], \"ops\": [{\"op\": \"constant\", "
           "\"value\": 1}]}], \"tensors\": [{\"name\": \"w\", \"shape\": [2], \"ops\": "
           "[{\"op\": \"uniform\", \"from\": 0, \"to\": 1, \"behind\": \"1\", \"draw\": 0}]}]}",
           "tensors[0].ops[0]: the end of history '1' is known: give the draw itself");
}

static void nothing_draws_without_a_seed(void **state)
{
    (void)state;
    refuse(HEAD "\"tensors\": [{\"name\": \"w\", \"shape\": [2], \"ops\": "
                "[{\"op\": \"uniform\", \"from\": 0, \"to\": 1}]}]}",
           "tensors[0].ops[0]: there is no seed to draw from");
    static const char constant[] = HEAD "\"tensors\": [{\"name\": \"w\", \"shape\": [2], \"ops\": "
                                        "[{\"op\": \"constant\", \"value\": 1}]}]}";
    kdl_plan *plan = kdl_plan_from_json(ctx, constant, strlen(constant), NULL);
    assert_non_null(plan);
    kdl_plan_release(plan);
}

/* Copies of copies are computed on the stack. */
static void deep_copies_are_refused(void **state)
{
    (void)state;
    char *json = malloc(100000), *end = json;
    end += sprintf(end, HEAD "\"tensors\": [{\"name\": \"w\", \"shape\": [1]");
    for (int i = 0; i < 100; i++)
        end += sprintf(end, ", \"ops\": [{\"op\": \"copy\", \"source\": {\"shape\": [1]");
    end += sprintf(end, ", \"ops\": [{\"op\": \"constant\", \"value\": 1}]");
    for (int i = 0; i < 100; i++)
        end += sprintf(end, "}}]");
    sprintf(end, "}]}");
    assert_null(kdl_plan_from_json(ctx, json, strlen(json), NULL));
    assert_int_equal(kdl_error_status(ctx), KDL_ERROR_FORMAT);
    assert_non_null(strstr(kdl_error_message(ctx), "nested more than 64 deep"));
    kdl_error_clear(ctx);
    free(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broken_texts),
        cmocka_unit_test(bad_tensors),
        cmocka_unit_test(bad_ops),
        cmocka_unit_test(bad_histories),
        cmocka_unit_test(nothing_draws_without_a_seed),
        cmocka_unit_test(deep_copies_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
