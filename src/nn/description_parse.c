/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the text that Module.__repr__ writes (torch/nn/modules/module.py, container.py). */
#include <errno.h>
#include <stdlib.h>

#include "nn/description_node.h"

typedef struct parser {
    kdl_context *ctx;
    const char *text, *at;
} parser;

static const char place[] = "kdl_module_from_string";
static const char blanks[] = " \t\r";
static const char parameter_mark[] = "Parameter containing:";

void kdl__fail_in_text(kdl_context *ctx, const char *text, const char *at, kdl_status status,
                       const char *format, ...)
{
    va_list arguments;
    kdl__text message;
    long long line = 1;
    const char *start = text;
    for (const char *c = text; c < at; c++) {
        if (*c == '\n') {
            line++;
            start = c + 1;
        }
    }
    kdl__text_init(&message, ctx);
    va_start(arguments, format);
    kdl__text_vprintf(&message, format, arguments);
    va_end(arguments);
    if (message.data)
        kdl__fail_at(ctx, place, status, "line %lld, column %td: %s", line, at - start + 1,
                     message.data);
    kdl__text_free(&message);
}

static bool refuse(const parser *in, const char *wanted)
{
    kdl__fail_in_text(in->ctx, in->text, in->at, KDL_ERROR_FORMAT, "%s is expected", wanted);
    return false;
}

void kdl__free_nodes(kdl_context *ctx, kdl__node *node)
{
    for (kdl__node *next; node; node = next) {
        next = node->next;
        kdl__free_nodes(ctx, node->children);
        kdl_free(ctx, node);
    }
}

/* Python's identifiers, in UTF-8. */
static size_t name_length(const char *at)
{
    size_t length = 0;
    while ((at[length] >= 'a' && at[length] <= 'z') || (at[length] >= 'A' && at[length] <= 'Z') ||
           (at[length] >= '0' && at[length] <= '9') || at[length] == '_' ||
           (unsigned char)at[length] >= 0x80)
        length++;
    return length;
}

/* From `at` to the end of its line, without the spaces at both ends. */
static kdl__span rest_of_line(const char *at)
{
    at += strspn(at, blanks);
    size_t length = strcspn(at, "\n");
    while (length > 0 && strchr(blanks, at[length - 1]))
        length--;
    return (kdl__span){ at, length };
}

static bool end_line(parser *in)
{
    in->at += strspn(in->at, blanks);
    if (*in->at && *in->at != '\n')
        return refuse(in, "the end of the line");
    in->at += *in->at == '\n';
    return true;
}

static bool parse_module(parser *in, kdl__node *node, int depth);

/* "3 x " behind "(0-2): ", when it is there. */
static bool read_fold(parser *in, kdl__node *node)
{
    char *end;
    if (*in->at < '0' || *in->at > '9')
        return true;
    errno = 0;
    int64_t count = strtoll(in->at, &end, 10);
    if (strncmp(end, " x ", 3) != 0)
        return true;
    const char *key = node->key.at;
    int64_t first = strtoll(key, &end, 10), last = first;
    if (end > key && *end == '-') {
        key = end + 1;
        last = strtoll(key, &end, 10);
    }
    bool whole = end == node->key.at + node->key.length;
    if (!whole || errno || first < 0 || last < first || last - first != count - 1)
        return refuse(in, "as many modules as stand in the parentheses");
    node->first = first;
    node->last = last;
    in->at = strstr(in->at, " x ") + 3;
    return true;
}

/* ParameterList and ParameterDict print their parameters like modules. */
static bool refuse_parameters(const parser *in, const char *at)
{
    kdl__fail_in_text(in->ctx, in->text, at, KDL_ERROR_NOT_IMPLEMENTED,
                      "the text does not tell how a list of parameters is initialised");
    return false;
}

/* "(key): Module(...)", of which a line has been seen to begin so. */
static bool parse_child(parser *in, kdl__node ***tail, int depth)
{
    kdl__node *node = kdl__alloc_zeroed(in->ctx, 1, sizeof *node);
    if (!node)
        return false;
    **tail = node;
    *tail = &node->next;
    node->key = (kdl__span){ in->at + 1, (size_t)(strstr(in->at, "): ") - in->at - 1) };
    in->at += node->key.length + 4;
    in->at += strspn(in->at, " ");
    if (strncmp(in->at, parameter_mark, strlen(parameter_mark)) == 0)
        return refuse_parameters(in, in->at);
    return read_fold(in, node) && parse_module(in, node, depth + 1);
}

/* The lines between "Class(" and ")". */
static bool parse_body(parser *in, kdl__node *node, int depth)
{
    kdl__node **tail = &node->children;
    for (;;) {
        in->at += strspn(in->at, " \t\r\n");
        kdl__span line = rest_of_line(in->at);
        if (line.length == 0) {
            kdl__fail_in_text(in->ctx, in->text, node->class.at, KDL_ERROR_FORMAT,
                              "the ')' that closes %.*s( is missing", (int)node->class.length,
                              node->class.at);
            return false;
        }
        if (*in->at == ')') {
            in->at++;
            return end_line(in);
        }
        if (*in->at == '(' && memmem(line.at, line.length, "): ", 3)) {
            if (!parse_child(in, &tail, depth))
                return false;
        } else if (node->children) {
            return refuse(in, "'(name): Module(...)' or ')'");
        } else {
            if (node->extra.length == 0)
                node->extra = line;
            node->extra.length = (size_t)(line.at + line.length - node->extra.at);
            in->at = line.at + line.length;
        }
    }
}

/* "Class(...)" or "None", to the end of the last line of it. */
static bool parse_module(parser *in, kdl__node *node, int depth)
{
    if (depth > KDL_MAX_MODULE_DEPTH) {
        kdl__fail_depth(in->ctx, place);
        return false;
    }
    size_t length = name_length(in->at);
    kdl__span line = rest_of_line(in->at);
    if (line.length == 4 && kdl__span_is(line, "None") && depth > 1) {
        in->at += 4;
        return end_line(in);
    }
    node->class = (kdl__span){ in->at, length };
    if (length == 0)
        return refuse(in, "a class's name");
    in->at += length;
    if (*in->at != '(')
        return refuse(in, "'('");
    in->at++;
    line = rest_of_line(in->at);
    if (line.length == 0)
        return parse_body(in, node, depth);
    in->at = line.at + line.length - 1;
    if (*in->at != ')') {
        in->at++;
        return refuse(in, "')' (or a line of its own for each module)");
    }
    if (memmem(line.at, line.length, parameter_mark, strlen(parameter_mark)))
        return refuse_parameters(in, node->class.at);
    node->extra = rest_of_line(line.at);
    node->extra.length--;
    in->at++;
    return end_line(in);
}

kdl__node *kdl__parse_description(kdl_context *ctx, const char *text)
{
    parser in = { ctx, text, text };
    kdl__node *root = kdl__alloc_zeroed(ctx, 1, sizeof *root);
    if (!root)
        return NULL;
    in.at += strspn(in.at, " \t\r\n");
    bool parsed = parse_module(&in, root, 1);
    in.at += strspn(in.at, " \t\r\n");
    if (parsed && !*in.at)
        return root;
    if (parsed)
        refuse(&in, "the end of the text");
    kdl__free_nodes(ctx, root);
    return NULL;
}
