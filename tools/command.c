/* SPDX-License-Identifier: MIT */
#include "command.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "report/text_writer.h"

static bool write_to_stderr(void *context, const char *text, size_t bytes)
{
    (void)context;
    return fwrite(text, 1, bytes, stderr) == bytes;
}

/* One line, whatever bytes the names in it hold. */
static void print_line(const char *before, const char *file, const char *message, const char *after)
{
    rf_text text;
    rf_text_init(&text, write_to_stderr, NULL);
    rf_text_str(&text, before);
    rf_text_name(&text, file, NULL);
    rf_text_str(&text, ": ");
    rf_text_name(&text, message, NULL);
    rf_text_str(&text, after);
    rf_text_str(&text, "\n");
    rf_text_finish(&text);
}

int complain(const char *file, const char *format, ...)
{
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    print_line("", file, message, "");
    return BAD_INPUT;
}

int misuse(const subcommand *command, const char *format, ...)
{
    char message[512], before[32], hint[64];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    snprintf(before, sizeof before, "%s ", program_name);
    snprintf(hint, sizeof hint, "; see %s %s --help", program_name, command->name);
    print_line(before, command->name, message, hint);
    return BAD_USAGE;
}

int print_help(const subcommand *command)
{
    fputs(command->help, stdout);
    return finish_stdout();
}

int finish_stdout(void)
{
    int earlier = errno;
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return DONE;
    int reason = errno ? errno : earlier;
    return complain("standard output", "cannot be written: %s",
                    reason ? strerror(reason) : "earlier output was lost");
}

void print_name(const char *name)
{
    rf_visible visible = {.next = name};
    while (rf_visible_next(&visible))
        fwrite(visible.text, 1, visible.bytes, stdout);
}
