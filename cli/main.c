/* SPDX-License-Identifier: Apache-2.0 */
/* The program's entry: finds the command, prints help and version. */
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "cli.h"

static const cli_command *const commands[] = { &cli_init, &cli_plan, &cli_inspect };
enum { COMMAND_COUNT = sizeof commands / sizeof *commands };

static const char usage[] =
    "Usage: kindling COMMAND [OPTION]... FILE\n"
    "\n"
    "Writes the weights that PyTorch gives a new model, bit for bit, for a seed.\n"
    "\n"
    "Commands:\n"
    "  init      initialise a model from its configuration, its printed text or a recipe\n"
    "  plan      show what each tensor of a model is drawn from, or write it as a recipe\n"
    "  inspect   show what a safetensors file holds\n"
    "  help      show this text, or with a command's name that command's options\n"
    "\n"
    "Options:\n"
    "  --help, --version\n"
    "\n"
    "Exit status: 0 done; 1 the machine failed (a full disk, no memory); 2 bad input or options,\n"
    "nothing written; 130, 143 and so on: stopped by a signal.\n";

void cli_complain(const char *format, ...)
{
    va_list arguments;
    fputs("kindling: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputs("\n", stderr);
}

int cli_report(const kdl_context *ctx, const char *input, bool written)
{
    bool machine = kdl_error_status(ctx) == KDL_ERROR_MEMORY;
    if (input)
        cli_complain("%s: %s", input, kdl_error_message(ctx));
    else
        cli_complain("%s", kdl_error_message(ctx));
    return written || machine ? CLI_FAILED : CLI_BAD_INPUT;
}

static const cli_command *find_command(const char *name)
{
    for (int i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    cli_complain("there is no command '%s'; see kindling help", name);
    return NULL;
}

static int help(const char *name)
{
    const cli_command *command = name ? find_command(name) : NULL;
    if (name && !command)
        return CLI_BAD_INPUT;
    fputs(command ? command->usage : usage, stdout);
    return CLI_DONE;
}

static int run_command(const cli_command *command, int argc, char **argv)
{
    cli_options options;
    int status = CLI_BAD_INPUT;
    if (cli_parse(command, argc, argv, &options))
        status = options.help ? help(command->name) : command->run(&options);
    cli_options_free(&options);
    return status;
}

static int run(int argc, char **argv)
{
    if (argc < 2) {
        fputs(usage, stderr);
        return CLI_BAD_INPUT;
    }
    const char *name = argv[1];
    if (strcmp(name, "help") == 0 && argc > 3) {
        cli_complain("help takes one command's name");
        return CLI_BAD_INPUT;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0)
        return help(argc > 2 ? argv[2] : NULL);
    if (strcmp(name, "--version") == 0) {
        printf("kindling %s (profile %s)\n", kdl_version(), kdl_profile());
        return CLI_DONE;
    }
    const cli_command *command = find_command(name);
    return command ? run_command(command, argc - 1, argv + 1) : CLI_BAD_INPUT;
}

int main(int argc, char **argv)
{
    int status = run(argc, argv);
    bool lost = ferror(stdout) != 0;
    if ((fclose(stdout) || lost) && status == CLI_DONE) {
        cli_complain("cannot write the output: %s", strerror(errno));
        status = CLI_FAILED;
    }
    return status;
}
