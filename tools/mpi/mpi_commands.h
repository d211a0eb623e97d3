/* SPDX-License-Identifier: MIT */
/* The subcommands of rfield-mpi. */
#ifndef RFIELD_TOOLS_MPI_COMMANDS_H
#define RFIELD_TOOLS_MPI_COMMANDS_H

#include "command.h"

extern const subcommand mpi_run_command, mpi_train_command;

#endif
