/* SPDX-License-Identifier: MIT */
/* The rfield-mpi command: the same program on every rank, which finds the subcommand and runs it. */
#include <mpi.h>
#include <rfield/status.h>
#include <stdio.h>
#include <string.h>

#include "mpi_commands.h"
#include "ranks.h"

const char program_name[] = "rfield-mpi";

static const subcommand *const commands[] = {&mpi_run_command, &mpi_train_command};
enum { COMMANDS = sizeof commands / sizeof *commands };

static int print_overview(void)
{
    if (rank_here() != 0)
        return DONE;
    printf("rfield-mpi - networks on several processes and machines\n\n"
           "usage: mpirun -n RANKS rfield-mpi COMMAND ...\n\ncommands:\n");
    for (size_t i = 0; i < COMMANDS; i++)
        printf("  %-12s %s\n", commands[i]->name, commands[i]->summary);
    printf("\n  rfield-mpi COMMAND --help   tells more about one\n"
           "  rfield-mpi --version        prints the version\n\n"
           "exit code: 0; 1 for a bad model or input; 2 for a wrong command line\n");
    return finish_stdout();
}

static int print_version(void)
{
    if (rank_here() != 0)
        return DONE;
    printf("rfield-mpi %s\n", rf_version());
    return finish_stdout();
}

static int refuse(const char *word)
{
    if (rank_here() == 0 && word)
        complain(program_name, "there is no command '%.80s'; see rfield-mpi --help", word);
    else if (rank_here() == 0)
        complain(program_name, "a command is needed; see rfield-mpi --help");
    return BAD_USAGE;
}

static int dispatch(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : NULL;
    if (!word)
        return refuse(NULL);
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0)
        return print_version();
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        return print_overview();
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i]->name, word) == 0)
            return commands[i]->run(commands[i], argc - 1, argv + 1);
    return refuse(word);
}

int main(int argc, char **argv)
{
    if (MPI_Init(&argc, &argv) != MPI_SUCCESS) {
        complain(program_name, "MPI cannot be started");
        return BAD_INPUT;
    }
    int code = ranks_agree(dispatch(argc, argv));
    MPI_Finalize();
    return code;
}
