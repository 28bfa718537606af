// Processes that measure one library each. They answer a command, a byte, with numbers.
#ifndef BENCHES_CHILDREN_H
#define BENCHES_CHILDREN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <time.h>

#include "library.h"

enum { MAX_LIBRARIES = 16, MAX_REPETITIONS = 1000 };

// How often each library is measured, in turns.
extern size_t repetitions;

// Whether to show what libraries write to standard error.
extern bool verbose;

typedef struct {
  pid_t pid;
  int command;
  int answer;
  const char *state; // NULL while all is well, else what went wrong, as the tables say it
} child_t;

// Starts a process that runs `serve`, which reads commands until it gets none or an unknown one.
child_t start_child(void (*serve)(const library_t *, int command, int answer),
                    const library_t *library);

// Writes the command and reads the answer. Returns false if the child ended or hung; its state says
// which.
bool ask(child_t *child, char command, double *answer, size_t count);
bool read_answer(child_t *child, double *answer, size_t count);

void end_child(child_t *child);

// For the child: writes an answer.
void reply(int answer, const double *numbers, size_t count);

// Nanoseconds.
double now(clockid_t clock);

// Sorts the `repetitions` samples: the first is the minimum then.
void sort(double *samples);
double median(double *samples);

// Prints the figure, or instead of it what went wrong with the child.
void print_figure(const child_t *child, const char *format, double figure);

#endif
