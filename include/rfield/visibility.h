/* SPDX-License-Identifier: MIT */
/**
 * @file
 * Marks the symbols that the shared library exports.
 */
#ifndef RFIELD_VISIBILITY_H
#define RFIELD_VISIBILITY_H

#if defined(__GNUC__)
/** Exported, whatever the compiler's default. */
#define RF_API __attribute__((visibility("default")))
#else
#define RF_API
#endif

#endif
