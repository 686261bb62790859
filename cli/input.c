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
    context.deferred = true;
    kdl_context *ctx = kdl_context_new(&context);
    if (!ctx)
        cli_complain("out of memory");
    return ctx;
}

/* The whole file; NULL after complaining. */
static char *read_file(const char *path, size_t *nbytes)
{
    size_t capacity = 1 << 16;
    char *text = NULL, *larger;
    FILE *file = fopen(path, "rb");
    *nbytes = 0;
    bool ok = file != NULL;
    while (ok && !feof(file)) {
        larger = realloc(text, capacity);
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
                                                             : NULL;
    if (unused) {
        cli_complain("%s: --%s is for configurations: a recipe says itself what its tensors are",
                     options->input, unused);
        *status = CLI_BAD_INPUT;
        return NULL;
    }
    return kdl_plan_from_json(ctx, text, nbytes, options->has_seed ? &options->seed : NULL);
}

static kdl_plan *plan_of_config(kdl_context *ctx, const cli_options *options, const char *text,
                                size_t nbytes, int *status)
{
    if (!options->has_seed) {
        cli_complain("--seed is missing: the seed chooses the weights");
        *status = CLI_BAD_INPUT;
        return NULL;
    }
    kdl_manual_seed(ctx, options->seed);
    kdl_module *model =
        kdl_model_from_config(ctx, text, nbytes, .dtype = options->dtype, .head = options->head);
    kdl_plan *plan = model ? kdl_model_checkpoint_plan(model) : NULL;
    if (plan)
        kdl_plan_set_end(plan, kdl_default_generator(ctx));
    kdl_module_release(model);
    return plan;
}

/* What a file has to say about how it was made, besides the seed. */
static void sign_plan(kdl_context *ctx, kdl_plan *plan, const char *key, const char *text,
                      size_t nbytes)
{
    kdl_plan_set_digest(plan, key, text, nbytes);
    if (strcmp(kdl_get_lapack(ctx), "builtin") != 0)
        kdl_plan_set_attribute(plan, "lapack", kdl_get_lapack(ctx));
}

kdl_plan *cli_load(kdl_context *ctx, const cli_options *options, bool sign, int *status)
{
    static const char mark[] = "\"kindling_recipe\"";
    size_t nbytes;
    *status = CLI_BAD_INPUT;
    char *path = input_path(options->input), *text = path ? read_file(path, &nbytes) : NULL;
    free(path);
    if (!text)
        return NULL;
    bool is_recipe = memmem(text, nbytes, mark, sizeof mark - 1) != NULL;
    if (options->lapack)
        kdl_set_lapack(ctx, options->lapack);
    kdl_plan *plan = is_recipe ? plan_of_recipe(ctx, options, text, nbytes, status)
                               : plan_of_config(ctx, options, text, nbytes, status);
    if (plan && sign)
        sign_plan(ctx, plan, is_recipe ? "recipe_sha256" : "config_sha256", text, nbytes);
    free(text);
    if (!kdl_error_status(ctx))
        return plan;
    *status = cli_report(ctx, options->input, false);
    kdl_plan_release(plan);
    return NULL;
}
