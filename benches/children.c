#include "children.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECONDS_BEFORE_HANGS = 120 }; // for one answer of a child

double now(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

size_t repetitions = 21;
bool verbose;

child_t start_child(void (*serve)(const library_t *, int command, int answer),
                    const library_t *library) {
  int command[2], answer[2];
  if (pipe(command) != 0 || pipe(answer) != 0) abort();
  fflush(stdout);
  pid_t pid = fork();
  if (pid < 0) abort();
  if (pid == 0) {
    close(command[1]);
    close(answer[0]);
    const struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    if (!verbose && freopen("/dev/null", "w", stderr) == NULL) abort();
    serve(library, command[0], answer[1]);
    _exit(0);
  }
  close(command[0]);
  close(answer[1]);
  return (child_t){pid, command[1], answer[0], NULL};
}

// Reads an answer. Returns false if the child ended or hung instead; its state says which.
bool read_answer(child_t *child, double *answer, size_t count) {
  if (child->state != NULL) return false;
  size_t have = 0;
  while (have < count * sizeof *answer) {
    struct pollfd readable = {child->answer, POLLIN, 0};
    int ready = poll(&readable, 1, SECONDS_BEFORE_HANGS * 1000);
    if (ready < 0 && errno == EINTR) continue;
    ssize_t got =
        ready <= 0 ? 0 : read(child->answer, (char *)answer + have, count * sizeof *answer - have);
    if (got > 0) {
      have += (size_t)got;
      continue;
    }
    if (ready == 0) kill(child->pid, SIGKILL);
    int status = 0;
    waitpid(child->pid, &status, 0);
    child->pid = 0;
    child->state = ready == 0                                                   ? "hangs"
                   : WIFEXITED(status) && WEXITSTATUS(status) == STATUS_MISSING ? "missing"
                   : WIFEXITED(status)                                          ? "fails"
                                                                                : "aborts";
    return false;
  }
  return true;
}

bool ask(child_t *child, char command, double *answer, size_t count) {
  if (child->state != NULL) return false;
  if (write(child->command, &command, 1) != 1) { /* reading the answer tells why */
  }
  return read_answer(child, answer, count);
}

void end_child(child_t *child) {
  // Closing the pipe is not enough: children started later hold it open too.
  if (write(child->command, "q", 1) != 1) { /* it has ended already */
  }
  close(child->command);
  close(child->answer);
  if (child->pid == 0) return;
  waitpid(child->pid, NULL, 0);
}

void reply(int answer, const double *numbers, size_t count) {
  if (write(answer, numbers, count * sizeof *numbers) < 0) _exit(1);
}

static int compare(const void *left, const void *right) {
  double difference = *(const double *)left - *(const double *)right;
  return (difference > 0) - (difference < 0);
}

void sort(double *samples) {
  qsort(samples, repetitions, sizeof *samples, compare);
}

double median(double *samples) {
  sort(samples);
  return samples[repetitions / 2];
}

void print_figure(const child_t *child, const char *format, double figure) {
  if (child->state != NULL) {
    fputs(child->state, stdout);
  } else {
    printf(format, figure);
  }
}
