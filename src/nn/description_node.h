/* SPDX-License-Identifier: Apache-2.0 */
/* What the text of print(model) says, as a tree of pieces of that text. */
#ifndef KDL_SRC_NN_DESCRIPTION_NODE_H
#define KDL_SRC_NN_DESCRIPTION_NODE_H

#include <string.h>

#include "nn/module_impl.h"

/* A part of the text. */
typedef struct kdl__span {
    const char *at;
    size_t length;
} kdl__span;

typedef struct kdl__node {
    struct kdl__node *next; /* its sibling */
    struct kdl__node *children;
    kdl__span key;       /* what stands in "(key): " */
    int64_t first, last; /* of a folded list's "(first-last): n x ", else 0, 0 */
    kdl__span class;     /* length 0: None */
    kdl__span extra;     /* extra_repr(), without the spaces around it */
} kdl__node;

/* The tree of a NUL-terminated text; NULL with an error that names line and column. */
kdl__node *kdl__parse_description(kdl_context *ctx, const char *text);
/* Frees a node, its children and its siblings. */
void kdl__free_nodes(kdl_context *ctx, kdl__node *node);

/* Records an error at a place in the text. */
void kdl__fail_in_text(kdl_context *ctx, const char *text, const char *at, kdl_status status,
                       const char *format, ...) KDL_PRINTF(5, 6);

static inline bool kdl__span_is(kdl__span span, const char *word)
{
    return strncmp(span.at, word, span.length) == 0 && word[span.length] == '\0';
}

#endif
