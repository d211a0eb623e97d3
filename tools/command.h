/* SPDX-License-Identifier: MIT */
/* What a subcommand is, and how any of them ends. */
#ifndef RFIELD_TOOLS_COMMAND_H
#define RFIELD_TOOLS_COMMAND_H

/* Exit codes; docs/cli.md promises them. */
enum { DONE = 0, BAD_INPUT = 1, BAD_USAGE = 2 };

typedef struct subcommand {
    const char *name, *summary;
    const char *help; /* what --help prints */
    /* argv[0] is the subcommand's name. Returns an exit code. */
    int (*run)(const struct subcommand *command, int argc, char **argv);
} subcommand;

/* What the user calls the program that this is compiled into. */
extern const char program_name[];

extern const subcommand analyze_command, bench_command, compare_command, conventions_command, effective_command,
    field_command, gradients_command, run_command, verify_command;

/* Prints "FILE: MESSAGE" on one line of standard error and returns BAD_INPUT. */
__attribute__((format(printf, 2, 3)))
int complain(const char *file, const char *format, ...);

/* Prints "PROGRAM NAME: MESSAGE; see ..." on one line of standard error and returns BAD_USAGE. */
__attribute__((format(printf, 2, 3)))
int misuse(const subcommand *command, const char *format, ...);

/* Prints the help on standard output; an exit code. */
int print_help(const subcommand *command);

/* Prints a name from a file on standard output, with what could steer a terminal escaped. */
void print_name(const char *name);

/* Flushes standard output; BAD_INPUT, with a complaint, where anything written to it was lost. */
int finish_stdout(void);

#endif
