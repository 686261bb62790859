/* SPDX-License-Identifier: Apache-2.0 */
/* kindling plan: what each tensor is made of, as a table or as a recipe. */
#include <string.h>

#include "cli.h"

/* Column widths. */
typedef struct layout {
    int name, shape;
} layout;

static layout measure(kdl_plan *plan)
{
    char shape[CLI_SHAPE_NBYTES];
    layout l = { (int)strlen("tensor"), (int)strlen("shape") };
    for (int i = 0; i < kdl_plan_count(plan); i++) {
        const kdl_plan_tensor *tensor = kdl_plan_get(plan, i);
        int name = (int)strlen(tensor->name), width = (int)strlen(cli_shape(&tensor->shape, shape));
        l.name = name > l.name ? name : l.name;
        l.shape = width > l.shape ? width : l.shape;
    }
    return l;
}

static const char *known(int64_t count, const char *unknown, char text[CLI_COUNT_NBYTES])
{
    return count < 0 ? unknown : cli_count(count, text);
}

static bool print_op(kdl_plan *plan, int index, int number)
{
    kdl_plan_op op;
    char call[sizeof op.arguments + 64], draw[CLI_COUNT_NBYTES], draws[CLI_COUNT_NBYTES];
    if (kdl_plan_get_op(plan, index, number, &op))
        return false;
    snprintf(call, sizeof call, "%s(%s)", op.name, op.arguments);
    if (op.draws == 0)
        printf("%s\n", call);
    else
        printf("%-34s %16s %16s\n", call, known(op.draw, "data-dependent", draw),
               known(op.draws, "data-dependent", draws));
    return true;
}

/* One line for each op; the later ones stand under the first. */
static bool print_tensor(kdl_plan *plan, int index, const layout *l)
{
    char shape[CLI_SHAPE_NBYTES];
    const kdl_plan_tensor *tensor = kdl_plan_get(plan, index);
    int count = kdl_plan_op_count(plan, index);
    printf("%-*s  %-*s  %-5s ", l->name, tensor->name, l->shape, cli_shape(&tensor->shape, shape),
           cli_dtype(tensor->dtype));
    if (tensor->tied_to >= 0) {
        printf("same as %s\n", kdl_plan_get(plan, tensor->tied_to)->name);
        return true;
    }
    if (count == 0)
        printf("-\n");
    for (int op = 0; op < count; op++) {
        if (op)
            printf("%*s", l->name + l->shape + 10, "");
        if (!print_op(plan, index, op))
            return false;
    }
    return true;
}

static void print_total(kdl_plan *plan, const kdl_plan_cost *cost)
{
    char numel[CLI_COUNT_NBYTES], nbytes[CLI_COUNT_NBYTES], draws[CLI_COUNT_NBYTES];
    printf("\n%d tensors, %s elements, %s\n", kdl_plan_count(plan), cli_count(cost->numel, numel),
           cli_nbytes((uint64_t)cost->nbytes, nbytes));
    if (cost->draws >= 0 && cost->live_draws >= 0)
        printf("%s draws, %.1f %% of them dead\n", cli_count(cost->draws, draws),
               cost->draws ? 100 * (1 - (double)cost->live_draws / (double)cost->draws) : 0.0);
}

static bool print_table(kdl_plan *plan)
{
    kdl_plan_cost cost;
    layout l = measure(plan);
    printf("%-*s  %-*s  dtype %-34s %16s %16s\n", l.name, "tensor", l.shape, "shape", "values",
           "at draw", "draws");
    for (int i = 0; i < kdl_plan_count(plan); i++)
        if (!print_tensor(plan, i, &l))
            return false;
    if (kdl_plan_get_cost(plan, &cost))
        return false;
    print_total(plan, &cost);
    cli_print_assumed(plan);
    return true;
}

static bool print_recipe(kdl_plan *plan)
{
    char *json = kdl_plan_to_json(plan);
    if (!json)
        return false;
    fputs(json, stdout);
    kdl_free(kdl_plan_context(plan), json);
    return true;
}

static int plan_command(const cli_options *options)
{
    int status = CLI_FAILED;
    kdl_context *ctx = cli_context(options);
    if (!ctx)
        return CLI_FAILED;
    kdl_plan *plan = cli_load(ctx, options, false, &status);
    if (plan)
        status = (options->json ? print_recipe(plan) : print_table(plan))
                     ? CLI_DONE
                     : cli_report(ctx, options->input, true);
    kdl_plan_release(plan);
    kdl_context_release(ctx);
    return status;
}

static const char usage[] =
    "Usage: kindling plan CONFIG --seed N [OPTION]...\n"
    "       kindling plan TEXT --seed N [OPTION]...\n"
    "       kindling plan RECIPE.json [OPTION]...\n"
    "\n"
    "Shows what each tensor of a model is drawn from: the operations that last wrote it, with "
    "their\n"
    "places in the generator's stream. No weight is computed.\n"
    "\n"
    "  -s, --seed N         -2^63 to 2^64 - 1; for a recipe, in place of its own\n"
    "      --dtype TYPE     f32, bf16, f16 or f64\n"
    "      --head NAME      the model's class, or base, causal, sequence-classification, ...\n"
    "      --rule RULE, --rules FILE, --assume WHAT, --expect FILE\n"
    "                       as for kindling init\n"
    "      --lapack WHICH   builtin, or mkl[:PATH]\n"
    "      --json           print it as a recipe, which kindling init takes as input\n";

const cli_command cli_plan = { "plan", "sdHrRaelj", "configuration, text or recipe", usage,
                               plan_command };
