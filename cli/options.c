/* SPDX-License-Identifier: Apache-2.0 */
/* The options of all commands: one table, one parser. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

/* Each option's letter also names it in a command's list of those that it takes. */
static const struct option long_options[] = {
    { "seed", required_argument, NULL, 's' },    { "dtype", required_argument, NULL, 'd' },
    { "head", required_argument, NULL, 'H' },    { "output", required_argument, NULL, 'o' },
    { "threads", required_argument, NULL, 't' }, { "cpu", required_argument, NULL, 'c' },
    { "lapack", required_argument, NULL, 'l' },  { "force", no_argument, NULL, 'f' },
    { "sync", no_argument, NULL, 'S' },          { "json", no_argument, NULL, 'j' },
    { "quiet", no_argument, NULL, 'q' },         { "rule", required_argument, NULL, 'r' },
    { "rules", required_argument, NULL, 'R' },   { "assume", required_argument, NULL, 'a' },
    { "expect", required_argument, NULL, 'e' },  { "list", no_argument, NULL, 'L' },
    { "help", no_argument, NULL, 'h' },          { 0 },
};
/* Short forms; the leading colon tells a missing value from an unknown option. */
static const char short_options[] = ":o:s:t:fqh";

static const char *name_of(int letter)
{
    for (const struct option *option = long_options; option->name; option++)
        if (option->val == letter)
            return option->name;
    return NULL;
}

/* What Python's int() takes, from -2^63 to 2^64 - 1 as torch.manual_seed does. */
static bool parse_seed(const char *text, cli_options *options)
{
    const char *digits = text + (*text == '-' || *text == '+');
    char *end = NULL;
    errno = 0;
    uint64_t magnitude = *digits >= '0' && *digits <= '9' ? strtoull(digits, &end, 10) : 0;
    bool negative = *text == '-';
    if (!end || *end || errno || (negative && magnitude > UINT64_C(1) << 63)) {
        cli_complain("--seed takes an integer from -9223372036854775808 to 18446744073709551615, "
                     "not '%s'",
                     text);
        return false;
    }
    options->has_seed = true;
    options->seed = negative ? -magnitude : magnitude;
    return true;
}

static bool parse_threads(const char *text, cli_options *options)
{
    char *end;
    errno = 0;
    long threads = strtol(text, &end, 10);
    if (errno || *end || end == text || threads < 1 || threads > 1024) {
        cli_complain("--threads takes a number from 1 to 1024, not '%s'", text);
        return false;
    }
    options->threads = (int)threads;
    return true;
}

/* Only what this machine can run; which that is, the message says. */
static bool parse_cpu(const char *text, cli_options *options)
{
    char known[128] = "auto";
    bool found = strcmp(text, "auto") == 0;
    for (size_t i = 0; kdl_cpu_at(i); i++) {
        found = found || strcmp(text, kdl_cpu_at(i)) == 0;
        strncat(strncat(known, ", ", sizeof known - strlen(known) - 1), kdl_cpu_at(i),
                sizeof known - strlen(known) - 1);
    }
    if (!found)
        cli_complain("--cpu takes one of %s on this machine, not '%s'", known, text);
    options->cpu = text;
    return found;
}

static bool parse_dtype(const char *text, cli_options *options)
{
    if (kdl_dtype_parse(text, &options->dtype) && kdl_dtype_is_floating_point(options->dtype))
        return true;
    cli_complain("--dtype takes f32, bf16, f16 or f64, not '%s'", text);
    return false;
}

/* ---- lists ------------------------------------------------------------------------------- */

bool cli_list_add(cli_list *list, const char *text, size_t nbytes)
{
    char **items = realloc(list->items, ((size_t)list->count + 1) * sizeof *items);
    char *copy = items ? strndup(text, nbytes) : NULL;
    list->items = items ? items : list->items;
    if (!copy) {
        cli_complain("out of memory");
        return false;
    }
    list->items[list->count++] = copy;
    return true;
}

void cli_list_free(cli_list *list)
{
    for (int i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (cli_list){ 0 };
}

void cli_options_free(cli_options *options)
{
    cli_list_free(&options->assume);
    cli_list_free(&options->rules);
}

/* A rule a line; empty ones and those that begin with # are left out. */
static bool add_rules(const char *path, cli_list *rules)
{
    static const char blanks[] = " \t\r";
    size_t nbytes;
    char *text = cli_read_file(path, &nbytes);
    bool added = text != NULL;
    for (char *line = text; added && *line;) {
        char *next = line + strcspn(line, "\n");
        char *end = next;
        next += *next == '\n';
        line += strspn(line, blanks);
        while (end > line && strchr(blanks, end[-1]))
            end--;
        if (end > line && *line != '#')
            added = cli_list_add(rules, line, (size_t)(end - line));
        line = next;
    }
    free(text);
    return added;
}

/* ---- all --------------------------------------------------------------------------------- */

static bool set_option(cli_options *options, int letter, char *value)
{
    switch (letter) {
    case 's':
        return parse_seed(value, options);
    case 'd':
        return parse_dtype(value, options);
    case 't':
        return parse_threads(value, options);
    case 'c':
        return parse_cpu(value, options);
    case 'H':
        options->head = value;
        return true;
    case 'o':
        options->output = value;
        return true;
    case 'l':
        options->lapack = value;
        return true;
    case 'e':
        options->expect = value;
        return true;
    case 'a':
        return cli_list_add(&options->assume, value, strlen(value));
    case 'r':
        return cli_list_add(&options->rules, value, strlen(value));
    case 'R':
        return add_rules(value, &options->rules);
    case 'L':
        options->list = true;
        return true;
    case 'f':
        options->force = true;
        return true;
    case 'S':
        options->sync = true;
        return true;
    case 'j':
        options->json = true;
        return true;
    case 'q':
        options->quiet = true;
        return true;
    default:
        options->help = true;
        return true;
    }
}

/* What getopt_long() did not understand. */
static bool complain_of(int result, const cli_command *command, char **argv)
{
    const char *word = argv[optind - 1];
    const char *name = optopt ? name_of(optopt) : NULL;
    if (result == ':')
        cli_complain("the option '%s' needs a value", word);
    else if (name && strncmp(word, "--", 2) == 0)
        cli_complain("the option '--%s' takes no value", name);
    else if (optopt)
        cli_complain("kindling %s has no option '-%c'; see kindling help %s", command->name, optopt,
                     command->name);
    else
        cli_complain("kindling %s has no option '%s'; see kindling help %s", command->name, word,
                     command->name);
    return false;
}

bool cli_parse(const cli_command *command, int argc, char **argv, cli_options *options)
{
    int letter;
    *options = (cli_options){ .dtype = KDL_DTYPE_COUNT };
    opterr = 0;
    while ((letter = getopt_long(argc, argv, short_options, long_options, NULL)) != -1) {
        if (letter == '?' || letter == ':')
            return complain_of(letter, command, argv);
        if (letter != 'h' && !strchr(command->options, letter)) {
            cli_complain("kindling %s takes no --%s", command->name, name_of(letter));
            return false;
        }
        if (!set_option(options, letter, optarg))
            return false;
    }
    if (options->help || (options->list && argc == optind))
        return true;
    if (options->list) {
        cli_complain("--list takes no %s", command->input);
        return false;
    }
    if (argc - optind != 1) {
        cli_complain("kindling %s takes one %s; see kindling help %s", command->name,
                     command->input, command->name);
        return false;
    }
    options->input = argv[optind];
    return true;
}
