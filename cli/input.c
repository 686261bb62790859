/* SPDX-License-Identifier: Apache-2.0 */
/* From the file that the user names to a plan. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli.h"

static void warn(void *user_data, const char *message)
{
    (void)user_data;
    cli_complain("warning: %s", message);
}

kdl_context *cli_context(const cli_options *options)
{
    kdl_context_options context = KDL_CONTEXT_DEFAULTS;
    context.warning = warn;
    context.threads = options->threads;
    context.cpu = options->cpu;
    context.deferred = true;
    kdl_context *ctx = kdl_context_new(&context);
    if (!ctx)
        cli_complain("out of memory");
    return ctx;
}

char *cli_read_file(const char *path, size_t *nbytes)
{
    size_t capacity = 1 << 16;
    char *text = NULL, *larger;
    FILE *file = fopen(path, "rb");
    *nbytes = 0;
    bool ok = file != NULL;
    while (ok && !feof(file)) {
        larger = realloc(text, capacity + 1); /* and a NUL */
        ok = larger != NULL;
        if (!ok)
            break;
        text = larger;
        *nbytes += fread(text + *nbytes, 1, capacity - *nbytes, file);
        ok = !ferror(file);
        capacity *= 2;
    }
    if (!ok) {
        cli_complain("cannot read '%s': %s", path, strerror(errno));
        free(text);
        text = NULL;
    }
    if (text)
        text[*nbytes] = '\0';
    if (file)
        fclose(file);
    return text;
}

/* A model's folder stands for the config.json in it, as in transformers. */
static char *input_path(const char *given)
{
    struct stat status;
    bool is_folder = !stat(given, &status) && S_ISDIR(status.st_mode);
    size_t nbytes = strlen(given) + sizeof "/config.json";
    char *path = malloc(nbytes);
    if (path)
        snprintf(path, nbytes, "%s%s", given, is_folder ? "/config.json" : "");
    else
        cli_complain("out of memory");
    return path;
}

static kdl_plan *plan_of_recipe(kdl_context *ctx, const cli_options *options, const char *text,
                                size_t nbytes, int *status)
{
    const char *unused = options->head                       ? "head"
                         : options->dtype != KDL_DTYPE_COUNT ? "dtype"
                         : options->rules.count              ? "rule"
                         : options->assume.count             ? "assume"
                                                             : NULL;
    if (unused) {
        cli_complain("%s: --%s is for models: a recipe says itself what its tensors are",
                     options->input, unused);
        *status = CLI_BAD_INPUT;
        return NULL;
    }
    return kdl_plan_from_json(ctx, text, nbytes, options->has_seed ? &options->seed : NULL);
}

/* ---- models ------------------------------------------------------------------------------ */

/* A kdl_note_callback. */
static void keep_note(void *notes, const char *note)
{
    cli_list_add(notes, note, strlen(note));
}

/* Sets an attribute to the items of a list, a line each; to nothing when there are none. */
static void set_list(kdl_context *ctx, kdl_plan *plan, const char *key, const cli_list *list)
{
    char *lines = NULL;
    for (int i = 0; i < list->count; i++) {
        char *more = kdl_format(ctx, "%s%s%s", lines ? lines : "", i ? "\n" : "", list->items[i]);
        kdl_free(ctx, lines);
        lines = more;
    }
    if (lines)
        kdl_plan_set_attribute(plan, key, lines);
    kdl_free(ctx, lines);
}

static kdl_module *module_of_text(kdl_context *ctx, const cli_options *options, const char *text,
                                  size_t nbytes, cli_list *notes)
{
    kdl_dtype dtype = options->dtype == KDL_DTYPE_COUNT ? KDL_F32 : options->dtype;
    char note[64];
    snprintf(note, sizeof note, "every layer is %s", cli_dtype(dtype));
    keep_note(notes, note);
    return kdl_module_from_string(
        ctx, text, nbytes, .dtype = dtype, .assume = (const char *const *)options->assume.items,
        .assume_count = options->assume.count, .note = keep_note, .note_user_data = notes);
}

static kdl_plan *plan_of_module(kdl_context *ctx, kdl_module *module, bool is_text)
{
    if (!is_text)
        return kdl_model_checkpoint_plan(module);
    kdl_plan *plan = kdl_plan_new(ctx);
    kdl_module_plan(module, plan);
    if (plan)
        kdl_plan_set_attribute(plan, "model", kdl_module_type(module)->name);
    return plan;
}

/* What the options ask for that this kind of model cannot do; true after complaining. */
static bool misses_option(const cli_options *options, bool is_text)
{
    if (!options->has_seed)
        cli_complain("--seed is missing: the seed chooses the weights");
    else if (is_text && options->head)
        cli_complain("%s: --head is for configurations: a text shows the whole model",
                     options->input);
    else if (!is_text && options->assume.count)
        cli_complain("%s: --assume is for the text of print(model)", options->input);
    else
        return false;
    return true;
}

static kdl_plan *plan_of_model(kdl_context *ctx, const cli_options *options, const char *text,
                               size_t nbytes, bool is_text, int *status)
{
    cli_list notes = { 0 };
    kdl_plan *plan = NULL;
    if (misses_option(options, is_text)) {
        *status = CLI_BAD_INPUT;
        return NULL;
    }
    kdl_manual_seed(ctx, options->seed);
    kdl_module *model = is_text ? module_of_text(ctx, options, text, nbytes, &notes)
                                : kdl_model_from_config(ctx, text, nbytes, .dtype = options->dtype,
                                                        .head = options->head);
    if (model &&
        !kdl_apply_rules(model, (const char *const *)options->rules.items, options->rules.count))
        plan = plan_of_module(ctx, model, is_text);
    if (plan) {
        kdl_plan_set_end(plan, kdl_default_generator(ctx));
        set_list(ctx, plan, "assumed", &notes);
        set_list(ctx, plan, "rules", &options->rules);
    }
    if (plan && options->expect && !cli_check_expected(plan, model, options->expect, status)) {
        kdl_plan_release(plan);
        plan = NULL;
    }
    kdl_module_release(model);
    cli_list_free(&notes);
    return plan;
}

/* ---- all --------------------------------------------------------------------------------- */

/* What a file has to say about how it was made, besides the seed. */
static void sign_plan(kdl_context *ctx, kdl_plan *plan, const char *key, const char *text,
                      size_t nbytes)
{
    kdl_plan_set_digest(plan, key, text, nbytes);
    if (strcmp(kdl_get_lapack(ctx), "builtin") != 0)
        kdl_plan_set_attribute(plan, "lapack", kdl_get_lapack(ctx));
}

/* JSON begins with a brace; so a text that begins as a name does is what print(model) wrote. */
static bool is_description(const char *text)
{
    text += strspn(text, " \t\r\n");
    return (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') || *text == '_' ||
           (unsigned char)*text >= 0x80;
}

kdl_plan *cli_load(kdl_context *ctx, const cli_options *options, bool sign, int *status)
{
    static const char mark[] = "\"kindling_recipe\"";
    size_t nbytes;
    *status = CLI_BAD_INPUT;
    char *path = input_path(options->input), *text = path ? cli_read_file(path, &nbytes) : NULL;
    free(path);
    if (!text)
        return NULL;
    bool is_text = is_description(text);
    bool is_recipe = !is_text && memmem(text, nbytes, mark, sizeof mark - 1) != NULL;
    if (options->lapack)
        kdl_set_lapack(ctx, options->lapack);
    kdl_plan *plan = is_recipe ? plan_of_recipe(ctx, options, text, nbytes, status)
                               : plan_of_model(ctx, options, text, nbytes, is_text, status);
    if (plan && sign)
        sign_plan(ctx, plan,
                  is_recipe ? "recipe_sha256"
                  : is_text ? "text_sha256"
                            : "config_sha256",
                  text, nbytes);
    free(text);
    if (plan && is_recipe && options->expect && !kdl_error_status(ctx) &&
        !cli_check_expected(plan, NULL, options->expect, status)) {
        kdl_plan_release(plan);
        return NULL;
    }
    if (!kdl_error_status(ctx))
        return plan;
    *status = cli_report(ctx, options->input, false);
    kdl_plan_release(plan);
    return NULL;
}
