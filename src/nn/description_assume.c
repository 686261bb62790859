/* SPDX-License-Identifier: Apache-2.0 */
/* What the text of print(model) does not tell: what is assumed, and what the caller says of it. */
#include "nn/description_build.h"

/* ---- what the caller says ---------------------------------------------------------------- */

static bool is_class_name(kdl__span span)
{
    return span.length > 0 && span.length < 200 && !memchr(span.at, ' ', span.length);
}

static bool read_assumption(const char *text, kdl__assumption *out)
{
    size_t length = strlen(text), name = strcspn(text, "(=");
    *out = (kdl__assumption){ .class = { text, name } };
    if (text[name] == '=')
        out->base = (kdl__span){ text + name + 1, length - name - 1 };
    else if (text[name] == '(' && text[length - 1] == ')' && length > name + 2)
        out->arguments = (kdl__span){ text + name + 1, length - name - 2 };
    return is_class_name(out->class) && (out->arguments.length > 0 || is_class_name(out->base));
}

bool kdl__read_assumptions(kdl__builder *builder)
{
    int count = builder->options->assume_count;
    if (count < 0)
        count = 0;
    builder->assumptions = kdl__alloc(builder->ctx, (size_t)count, sizeof *builder->assumptions);
    for (int i = 0; builder->assumptions && i < count; i++) {
        const char *text = builder->options->assume[i];
        if (!read_assumption(text, &builder->assumptions[i]))
            kdl__fail_at(builder->ctx, "kdl_module_from_string", KDL_ERROR_VALUE,
                         "what is assumed must be CLASS(ARGUMENTS) or CLASS=CLASS, not '%s'", text);
    }
    return !kdl__failed(builder->ctx);
}

void kdl__check_assumptions(kdl__builder *builder)
{
    for (int i = 0; i < builder->options->assume_count; i++) {
        const kdl__assumption *one = &builder->assumptions[i];
        if (!one->used)
            kdl__fail_at(builder->ctx, "kdl_module_from_string", KDL_ERROR_VALUE,
                         "'%s' is assumed, but no layer of the text is a %.*s",
                         builder->options->assume[i], (int)one->class.length, one->class.at);
    }
}

static bool same_span(kdl__span a, kdl__span b)
{
    return a.length == b.length && memcmp(a.at, b.at, a.length) == 0;
}

static kdl__assumption *find_assumption(kdl__builder *builder, kdl__span class, bool base)
{
    for (int i = 0; i < builder->options->assume_count; i++) {
        kdl__assumption *one = &builder->assumptions[i];
        if (same_span(one->class, class) && base == (one->base.length > 0)) {
            one->used = true;
            return one;
        }
    }
    return NULL;
}

kdl__span kdl__assumed_arguments(kdl__builder *builder, kdl__span class)
{
    const kdl__assumption *one = find_assumption(builder, class, false);
    return one ? one->arguments : (kdl__span){ "", 0 };
}

const kdl__assumption *kdl__assumed_base(kdl__builder *builder, kdl__span class)
{
    return find_assumption(builder, class, true);
}

/* ---- what is told ------------------------------------------------------------------------ */

/* Whether a class has had its note; remembers it. */
static bool has_note(kdl__builder *builder, kdl__span class)
{
    void *noted = builder->noted;
    for (size_t i = 0; i < builder->noted_count; i++) {
        if (same_span(builder->noted[i], class))
            return true;
    }
    if (!builder->options->note || !kdl__grow(builder->ctx, &noted, &builder->noted_capacity,
                                              builder->noted_count + 1, sizeof *builder->noted))
        return true;
    builder->noted = noted;
    builder->noted[builder->noted_count++] = class;
    return false;
}

static void tell(kdl__builder *builder, const kdl__text *note)
{
    if (note->data)
        builder->options->note(builder->options->note_user_data, note->data);
}

void kdl__note_unseen(kdl__builder *builder, kdl__span class, kdl__span given)
{
    /* Those that matter for parameters and that extra_repr() leaves out. */
    static const struct {
        const char *class, *argument, *value;
    } unseen[] = {
        { "MultiheadAttention", "kdim", "embed_dim" },
        { "MultiheadAttention", "vdim", "embed_dim" },
        { "MultiheadAttention", "add_bias_kv", "False" },
        { "PReLU", "init", "0.25" },
    };
    kdl__text note;
    if (has_note(builder, class))
        return;
    kdl__text_init(&note, builder->ctx);
    for (size_t i = 0; i < sizeof unseen / sizeof *unseen; i++) {
        const char *name = unseen[i].argument;
        if (!kdl__span_is(class, unseen[i].class) ||
            memmem(given.at, given.length, name, strlen(name)))
            continue;
        if (note.length)
            kdl__text_puts(&note, ", ");
        else
            kdl__text_printf(&note, "%s: ", unseen[i].class);
        kdl__text_printf(&note, "%s=%s", name, unseen[i].value);
    }
    tell(builder, &note);
    kdl__text_free(&note);
}

void kdl__note(kdl__builder *builder, kdl__span class, const char *what)
{
    kdl__text note;
    if (has_note(builder, class))
        return;
    kdl__text_init(&note, builder->ctx);
    kdl__text_printf(&note, "%.*s: %s", (int)class.length, class.at, what);
    tell(builder, &note);
    kdl__text_free(&note);
}
