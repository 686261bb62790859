/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Initialises a file from a recipe: recipe_init [RECIPE [OUTPUT]]. Without arguments it takes the
 * recipe beside it and removes the file that it made.
 *
 * A recipe says of each tensor how it comes to its values, so no model is needed here. Its Python
 * twin, recipe_init.py, makes the same weights with torch.
 */
#define _DEFAULT_SOURCE /* mkstemp */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <kindling/kindling.h>

/* The whole file in fresh memory; NULL when it cannot be read. */
static char *read_text(const char *path, size_t *nbytes)
{
    FILE *file = fopen(path, "rb");
    char *text = NULL;
    long end = file && !fseek(file, 0, SEEK_END) ? ftell(file) : -1;
    if (end > 0)
        text = malloc((size_t)end);
    if (text) {
        rewind(file);
        *nbytes = fread(text, 1, (size_t)end, file);
    }
    if (file)
        fclose(file);
    return text;
}

static void show(kdl_safetensors *file)
{
    for (int i = 0; i < kdl_safetensors_count(file); i++) {
        const kdl_safetensors_entry *tensor = kdl_safetensors_get(file, i);
        kdl_summary summary;
        float values[3];
        if (kdl_safetensors_summarize(file, i, &summary) ||
            kdl_safetensors_read(file, i, 0, 3, values))
            return; /* the context keeps the error */
        printf("%-12s mean %9.6f  std %8.6f  begins %8.5f %8.5f %8.5f\n", tensor->name,
               summary.mean, summary.std, values[0], values[1], values[2]);
    }
}

int main(int argc, char **argv)
{
    const char *recipe = argc > 1 ? argv[1] : "recipe_init.json";
    char made_up[] = "/tmp/recipe_init_XXXXXX";
    const char *output = argc > 2 ? argv[2] : made_up;
    size_t nbytes;
    char *text = read_text(recipe, &nbytes);
    if (!text || (argc <= 2 && close(mkstemp(made_up)))) {
        fprintf(stderr, "cannot read %s\n", recipe);
        return 1;
    }

    kdl_context *ctx = kdl_context_new(NULL);
    kdl_plan *plan = kdl_plan_from_json(ctx, text, nbytes, NULL);
    if (plan)
        kdl_plan_save(plan, output, .force = true);
    kdl_safetensors *file = kdl_safetensors_open(ctx, output);
    if (file)
        show(file);
    kdl_status status = kdl_error_status(ctx);
    if (status)
        fprintf(stderr, "%s\n", kdl_error_message(ctx));

    kdl_safetensors_close(file);
    kdl_plan_release(plan);
    kdl_context_release(ctx);
    free(text);
    if (argc <= 2)
        unlink(output);
    return status ? 1 : 0;
}
