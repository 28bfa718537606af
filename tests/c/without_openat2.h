// Runs tests in a process whose kernel does not have openat2, where the library walks paths step by step.
#ifndef WASMRT_TEST_WITHOUT_OPENAT2_H
#define WASMRT_TEST_WITHOUT_OPENAT2_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

// Makes openat2 a system call that there is not.
static inline bool without_openat2(void) {
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0 &&
         syscall(SYS_openat2, -1, "", NULL, 0) == -1 && errno == ENOSYS;
}

static inline void run_without_openat2(void (*const* tests)(void), size_t count) {
  pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    size_t before = checks_failed;
    bool without = CHECK(without_openat2());
    for (size_t i = 0; without && i < count; i++) tests[i]();
    _exit(checks_failed != before);
  }
  int status;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK_INT(WEXITSTATUS(status), 0);
}

#endif
