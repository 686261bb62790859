/* SPDX-License-Identifier: Apache-2.0 */
/* kindling init: a model's weights into a file. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "cli.h"

/* What is told at the end. */
typedef struct summary {
    const char *model; /* the class's name, or the input's */
    const char *output;
    kdl_plan *plan;
    kdl_plan_cost cost;
    double seconds;
} summary;

/* The tensors that one kind of op wrote last. */
typedef struct kind {
    const char *op;
    int tensors;
    int64_t numel;
} kind;

enum { KIND_COUNT = 16 };

static const char *last_op(kdl_plan *plan, int index)
{
    kdl_plan_op op;
    int count = kdl_plan_op_count(plan, index);
    return count && !kdl_plan_get_op(plan, index, count - 1, &op) ? op.name : "none";
}

static int count_kinds(kdl_plan *plan, kind kinds[KIND_COUNT])
{
    int count = 0;
    for (int i = 0; i < kdl_plan_count(plan); i++) {
        const kdl_plan_tensor *tensor = kdl_plan_get(plan, i);
        const char *op = last_op(plan, i);
        int at = 0;
        if (tensor->tied_to >= 0)
            continue;
        while (at < count && strcmp(kinds[at].op, op) != 0)
            at++;
        if (at == KIND_COUNT) /* more kinds than anybody reads: the last takes the rest */
            at--;
        else if (at == count)
            kinds[count++] = (kind){ op, 0, 0 };
        kinds[at].tensors++;
        kinds[at].numel += tensor->numel;
    }
    return count;
}

static int count_tensors(kdl_plan *plan)
{
    int count = 0;
    for (int i = 0; i < kdl_plan_count(plan); i++)
        count += kdl_plan_get(plan, i)->tied_to < 0;
    return count;
}

/* The dtype of most elements. */
static kdl_dtype main_dtype(kdl_plan *plan)
{
    int64_t numel[KDL_DTYPE_COUNT] = { 0 };
    kdl_dtype most = KDL_F32;
    for (int i = 0; i < kdl_plan_count(plan); i++)
        numel[kdl_plan_get(plan, i)->dtype] += kdl_plan_get(plan, i)->numel;
    for (int d = 0; d < KDL_DTYPE_COUNT; d++)
        if (numel[d] > numel[most])
            most = (kdl_dtype)d;
    return most;
}

static void print_draws(const kdl_plan_cost *cost)
{
    char draws[CLI_COUNT_NBYTES];
    if (cost->draws < 0 || cost->live_draws < 0)
        return;
    printf("%s draws", cli_count(cost->draws, draws));
    if (cost->draws > cost->live_draws)
        printf(", %.1f %% of them never needed and never made",
               100 * (1 - (double)cost->live_draws / (double)cost->draws));
    printf("\n");
}

static void print_summary(const summary *s)
{
    char count[CLI_COUNT_NBYTES], nbytes[CLI_COUNT_NBYTES];
    kind kinds[KIND_COUNT];
    uint64_t seed;
    printf("%s  %s parameters  %s  profile %s", s->model, cli_count(s->cost.numel, count),
           cli_dtype(main_dtype(s->plan)), kdl_profile());
    if (kdl_plan_seed(s->plan, &seed))
        printf("  seed %" PRIu64, seed);
    printf("\n\n%-16s %8s %18s\n", "last written by", "tensors", "elements");
    for (int i = 0, n = count_kinds(s->plan, kinds); i < n; i++)
        printf("%-16s %8d %18s\n", kinds[i].op, kinds[i].tensors, cli_count(kinds[i].numel, count));
    printf("%-16s %8d %18s\n\n", "all", count_tensors(s->plan), cli_count(s->cost.numel, count));
    print_draws(&s->cost);
    printf("%s  %s  %s  %.2f s\n", s->output, cli_nbytes((uint64_t)s->cost.nbytes, nbytes),
           cli_rate((uint64_t)s->cost.nbytes, s->seconds, count), s->seconds);
    cli_print_assumed(s->plan);
}

static json_t *known_count(int64_t count)
{
    return count < 0 ? json_null() : json_integer(count);
}

static int print_json(const summary *s)
{
    uint64_t seed;
    const char *assumed = kdl_plan_attribute(s->plan, "assumed");
    char digits[24] = "";
    if (kdl_plan_seed(s->plan, &seed))
        snprintf(digits, sizeof digits, "%" PRIu64, seed);
    json_t *json = json_pack(
        "{s:s, s:s, s:s, s:s, s:s*, s:s, s:i, s:I, s:I, s:o, s:o, s:f, s:s*}", "output", s->output,
        "model", s->model, "version", kdl_version(), "profile", kdl_profile(), "seed",
        digits[0] ? digits : NULL, "dtype", kdl_dtype_name(main_dtype(s->plan)), "tensors",
        count_tensors(s->plan), "parameters", (json_int_t)s->cost.numel, "nbytes",
        (json_int_t)s->cost.nbytes, "draws", known_count(s->cost.draws), "live_draws",
        known_count(s->cost.live_draws), "seconds", s->seconds, "assumed", assumed);
    if (!json || json_dumpf(json, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6))) {
        cli_complain("the summary could not be written as JSON");
        json_decref(json);
        return CLI_FAILED;
    }
    printf("\n");
    json_decref(json);
    return CLI_DONE;
}

static int finish(kdl_plan *plan, const cli_options *options, const char *output, double seconds)
{
    const char *model = kdl_plan_attribute(plan, "model");
    summary s = { model ? model : options->input, output, plan, { 0 }, seconds };
    if (options->quiet && !options->json)
        return CLI_DONE;
    if (kdl_plan_get_cost(plan, &s.cost))
        return cli_report(kdl_plan_context(plan), NULL, true);
    if (options->json)
        return print_json(&s);
    print_summary(&s);
    return CLI_DONE;
}

static int save(kdl_plan *plan, const cli_options *options, const char *output, double start)
{
    kdl_context *ctx = kdl_plan_context(plan);
    cli_progress progress;
    cli_progress_begin(&progress, options->quiet);
    kdl_plan_save(plan, output, .force = options->force, .sync = options->sync,
                  .progress = cli_progress_step, .progress_user_data = &progress);
    cli_progress_end(&progress);
    if (kdl_error_status(ctx) == KDL_ERROR_INTERRUPTED) {
        cli_complain("stopped; nothing was written");
        return CLI_INTERRUPTED + cli_signal;
    }
    if (kdl_error_status(ctx))
        return cli_report(ctx, NULL, true);
    return finish(plan, options, output, cli_now() - start);
}

static int init(const cli_options *options)
{
    const char *output = options->output ? options->output : "model.safetensors";
    double start = cli_now();
    int status = CLI_FAILED;
    if (options->list) {
        cli_print_list();
        return CLI_DONE;
    }
    kdl_context *ctx = cli_context(options);
    if (!ctx)
        return CLI_FAILED;
    cli_catch_signals();
    kdl_plan *plan = cli_load(ctx, options, true, &status);
    /* An output that cannot be is bad input too: found before any work. */
    if (plan && kdl_save_check(ctx, output, options->force))
        status = cli_report(ctx, NULL, false);
    else if (plan)
        status = save(plan, options, output, start);
    kdl_plan_release(plan);
    kdl_context_release(ctx);
    return status;
}

static const char usage[] =
    "Usage: kindling init CONFIG --seed N [OPTION]...\n"
    "       kindling init TEXT --seed N [OPTION]...\n"
    "       kindling init RECIPE.json [OPTION]...\n"
    "       kindling init --list\n"
    "\n"
    "Writes the weights of a new model to a safetensors file: bit for bit those that PyTorch and\n"
    "transformers' from_config give it after torch.manual_seed(N).\n"
    "\n"
    "CONFIG is a config.json of transformers, or the folder that holds it. TEXT is a file of what\n"
    "Python's print(model) writes. RECIPE.json is what kindling plan --json writes.\n"
    "\n"
    "  -s, --seed N         -2^63 to 2^64 - 1; for a recipe, in place of its own\n"
    "      --dtype TYPE     f32, bf16, f16 or f64: draw in that type, as from_config(dtype=...)\n"
    "      --head NAME      the model's class, or base, causal, sequence-classification, ...\n"
    "      --rule 'PATTERN=SCHEME(arguments)'\n"
    "                       initialise otherwise, as in '*.bias=zeros' or\n"
    "                       'Conv2d.weight=kaiming_normal(mode=fan_out)'; the last that matches "
    "counts\n"
    "      --rules FILE     a rule a line; # begins a comment\n"
    "      --assume WHAT    what TEXT does not tell: 'PReLU(init=0.1)', 'LlamaRMSNorm=RMSNorm',\n"
    "                       or, of a class without parameters, 'DropPath=Module'\n"
    "      --expect FILE    write only if the model has the names, shapes and dtypes that FILE\n"
    "                       lists, as state_dict() does, or holds (a .safetensors)\n"
    "      --list           show schemes, families and layers\n"
    "  -o, --output FILE    default model.safetensors\n"
    "  -f, --force          replace FILE if it is there\n"
    "      --sync           wait until the disk has the file\n"
    "  -t, --threads T      default: every processor; the file is always the same\n"
    "      --cpu NAME       compute with a lower instruction set, as in ref: the same file\n"
    "      --lapack WHICH   builtin, or mkl[:PATH] for orthogonal weights with PyTorch's own bits\n"
    "      --json           print the summary as JSON\n"
    "  -q, --quiet          print nothing\n";

const cli_command cli_init = { "init", "sdHrRaeLoftScljq", "configuration, text or recipe", usage,
                               init };
