/* SPDX-License-Identifier: MIT */
/* The rfield command: finds the subcommand in a table and runs it. */
#define _POSIX_C_SOURCE 200809L
#include "command.h"

#include <fcntl.h>
#include <rfield/status.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const char program_name[] = "rfield";

static const subcommand *const commands[] = {
    &analyze_command,
    &field_command,
    &effective_command,
    &compare_command,
    &conventions_command,
    &run_command,
    &bench_command,
    &verify_command,
    &gradients_command,
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static int print_overview(void)
{
    printf("rfield - what a convolutional network sees and costs, and running it\n\n"
           "usage: rfield COMMAND ...\n\ncommands:\n");
    for (size_t i = 0; i < COMMANDS; i++)
        printf("  %-12s %s\n", commands[i]->name, commands[i]->summary);
    printf("\n  rfield COMMAND --help   tells more about one\n"
           "  rfield --version        prints the version\n\n"
           "exit code: 0; 1 for a bad model or input; 2 for a wrong command line\n");
    return finish_stdout();
}

static int print_version(void)
{
    printf("rfield %s\n", rf_version());
    return finish_stdout();
}

static const subcommand *find(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

static int unknown(const char *word)
{
    complain("rfield", "there is no command '%.80s'; see rfield --help", word);
    return BAD_USAGE;
}

/* A model opened while a standard stream is closed would take its place, and be written to. */
static void hold_standard_streams(void)
{
    for (int stream = 0; stream <= 2; stream++)
        if (fcntl(stream, F_GETFD) < 0 && open("/dev/null", stream ? O_RDONLY : O_WRONLY) < 0)
            return;
}

int main(int argc, char **argv)
{
    hold_standard_streams();
    if (argc < 2) {
        complain("rfield", "a command is needed; see rfield --help");
        return BAD_USAGE;
    }
    const char *word = argv[1];
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0)
        return print_version();
    bool help = strcmp(word, "help") == 0;
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || (help && argc == 2))
        return print_overview();
    const subcommand *command = find(help ? argv[2] : word);
    if (!command)
        return unknown(help ? argv[2] : word);
    return help ? print_help(command) : command->run(command, argc - 1, argv + 1);
}
