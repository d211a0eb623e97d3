/* SPDX-License-Identifier: MIT */
/**
 * @file
 * Outcomes of fallible functions and the text that explains them.
 *
 * Every fallible function returns an ::rf_status and takes an optional
 * ::rf_error in the caller's memory. The library keeps no error of its own,
 * never prints and never exits.
 */
#ifndef RFIELD_STATUS_H
#define RFIELD_STATUS_H

#include <rfield/visibility.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The one list behind ::rf_status, its names and its texts. */
#define RF_STATUS_MAP(X)                                                        \
    X(OK, "success")                                                            \
    X(ERROR_ARGUMENT, "a function's argument is not valid")                     \
    X(ERROR_MEMORY, "the allocator returned no memory")                         \
    X(ERROR_LIMIT, "a limit of rf_limits was reached")                          \
    X(ERROR_IO, "a file cannot be read or written")                             \
    X(ERROR_FORMAT, "a file or attribute is malformed")                         \
    X(ERROR_GRAPH, "tensors and layers do not form an acyclic network")         \
    X(ERROR_UNSUPPORTED, "an operator or a form of it is not supported")        \
    X(ERROR_SHAPE, "a tensor's shape or type does not fit")                     \
    X(ERROR_UNBOUND, "a dimension is unknown and was not bound")                \
    X(ERROR_OVERFLOW, "a size or count exceeds its integer type")               \
    X(ERROR_NOT_FOUND, "nothing has the name or index that was asked for")      \
    X(ERROR_STOPPED, "the caller's observer ended the work")                    \
    X(ERROR_NUMBER, "a result is infinite or not a number")

/** What a function came to. Zero is success. */
typedef enum rf_status {
#define RF_STATUS_ENUM(name, text) RF_##name,
    RF_STATUS_MAP(RF_STATUS_ENUM)
#undef RF_STATUS_ENUM
} rf_status;

/**
 * One failure, told in one line.
 *
 * Filled by a failing function, left untouched by a succeeding one. `message`
 * is complete in itself: it names the layer or tensor concerned and what was
 * expected. Control characters in names are shown as '?'.
 */
typedef struct rf_error {
    rf_status status;  /**< what the function returned */
    char subject[96];  /**< layer, tensor, option or file concerned; may be empty */
    char message[320]; /**< NUL-terminated, without a newline */
} rf_error;

/** The enumerator's name, such as "RF_ERROR_SHAPE"; never NULL. */
RF_API const char *rf_status_name(rf_status status);

/** A short description of the status; never NULL. */
RF_API const char *rf_status_text(rf_status status);

/** The library's version, "MAJOR.MINOR.PATCH", for comparing with the header's. */
RF_API const char *rf_version(void);

#ifdef __cplusplus
}
#endif
#endif
