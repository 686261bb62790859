/* SPDX-License-Identifier: Apache-2.0 */
/* kindling init --list: what can be initialised, and how. */
#include <string.h>

#include "cli.h"

enum { WIDTH = 78 };

/* Prints a word behind the others on the line, or on the next one. */
static void print_word(const char *word, int *column)
{
    int length = (int)strlen(word) + 1;
    if (*column + length > WIDTH) {
        printf("\n ");
        *column = 1;
    }
    printf(" %s", word);
    *column += length;
}

void cli_print_list(void)
{
    int column = 1;
    const char *name;
    const kdl_module_class *class;
    printf("Schemes, for --rule 'PATTERN=SCHEME(arguments)':\n");
    for (size_t i = 0; (name = kdl_scheme_at(i)); i++)
        printf("  %s\n", name);
    printf("\nNonlinearities, for the schemes (a gain may be one, too):\n ");
    for (int i = 0; i < KDL_NONLINEARITY_COUNT; i++)
        print_word(kdl_nonlinearity_name((kdl_nonlinearity)i), &column);
    printf("\n\nFamilies of transformers, for a config.json:\n ");
    column = 1;
    for (int i = 0; (name = kdl_model_family(i)); i++)
        print_word(name, &column);
    printf("\n\nLayers of torch.nn, for the text of print(model):\n ");
    column = 1;
    for (size_t i = 0; (class = kdl_nn_class_at(i)); i++)
        print_word(class->name, &column);
    printf("\n");
}
