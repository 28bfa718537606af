// The host's own handler of SIGSEGV, installed before the first engine or after it, gets the host's
// faults, wherever they happen. WebAssembly's traps go on working. Faults without a handler end the
// process as usual. Each test is a child process, because an engine installs its handlers once.
#define _GNU_SOURCE // MAP_ANONYMOUS
#include "test.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static const char text[] =
    "(module (import \"\" \"\" (func $host))"
    "  (func (export \"call\") (call $host))"
    "  (func (export \"out of bounds\") (drop (i32.load (i32.const 65536))))"
    "  (func (export \"unreachable\") unreachable)"
    "  (func (export \"divide\") (drop (i32.div_s (i32.const 1) (i32.const 0))))"
    "  (func $recurse (export \"exhaust\") (call $recurse))"
    "  (memory 1))";

// A page that must not be touched until the host's handler allows it.
static char* page;
static size_t page_size;
static volatile sig_atomic_t host_faults;
static struct sigaction former;

static void host_handler(int signal_number, siginfo_t* info, void* context) {
  char* address = info->si_addr;
  if (address >= page && address < page + page_size) {
    host_faults = host_faults + 1;
    mprotect(page, page_size, PROT_READ | PROT_WRITE);
  } else if (former.sa_flags & SA_SIGINFO) {
    former.sa_sigaction(signal_number, info, context);
  } else {
    signal(signal_number, SIG_DFL); // the fault happens again
  }
}

static void install_host_handler(void) {
  struct sigaction action = {.sa_sigaction = host_handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  sigemptyset(&action.sa_mask);
  REQUIRE(sigaction(SIGSEGV, &action, &former) == 0);
}

static void fault(void) {
  int before = host_faults;
  REQUIRE(mprotect(page, page_size, PROT_NONE) == 0);
  *(volatile char*)page = 'x';
  CHECK_INT(host_faults, before + 1);
}

static wasm_trap_t* fault_in_callback(const wasm_val_vec_t* arguments, wasm_val_vec_t* results) {
  (void)arguments, (void)results;
  fault();
  return NULL;
}

static wasm_trap_t* crash_in_callback(const wasm_val_vec_t* arguments, wasm_val_vec_t* results) {
  (void)arguments, (void)results;
  *(volatile char*)page = 'x';
  return NULL;
}

static fixture_t fixture_with(wasm_func_callback_t callback) {
  fixture_t fixture = fixture_new();
  wasm_functype_t* type = functype("", "");
  wasm_func_t* host = wasm_func_new(fixture.store, type, callback);
  wasm_functype_delete(type);
  wasm_extern_t* imports[1] = {wasm_func_as_extern(host)};
  fixture_load(&fixture, text, imports, 1);
  wasm_func_delete(host);
  return fixture;
}

static void fault_and_trap(const fixture_t* fixture) {
  fault();
  CHECK_NO_TRAP(call_plain(fixture_func(fixture, 0)));
  CHECK_TRAP(call_plain(fixture_func(fixture, 1)), "out of bounds memory access");
  CHECK_TRAP(call_plain(fixture_func(fixture, 2)), "unreachable");
  CHECK_TRAP(call_plain(fixture_func(fixture, 3)), "integer divide by zero");
  CHECK_TRAP(call_plain(fixture_func(fixture, 4)), "call stack exhausted");
  CHECK_NO_TRAP(call_plain(fixture_func(fixture, 0)));
  fault();
}

static void* fault_alone(void* argument) {
  (void)argument;
  fault();
  return NULL;
}

static void* fault_and_trap_in_thread(void* argument) {
  fault_and_trap(argument);
  return NULL;
}

static void run_in_thread(void* (*run)(void*), void* argument) {
  pthread_t thread;
  REQUIRE(pthread_create(&thread, NULL, run, argument) == 0);
  REQUIRE(pthread_join(thread, NULL) == 0);
}

// In threads that know WebAssembly and in some that do not.
static void fault_and_trap_everywhere(fixture_t* fixture) {
  run_in_thread(fault_alone, NULL);
  fault_and_trap(fixture);
  run_in_thread(fault_and_trap_in_thread, fixture);
  run_in_thread(fault_alone, NULL);
  fault_and_trap(fixture);
}

// Runs `run` in a child process and returns its status.
static int in_child(void (*run)(void)) {
  fflush(NULL);
  pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    alarm(60); // a fault that repeats forever
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    page_size = (size_t)sysconf(_SC_PAGESIZE);
    page = mmap(NULL, page_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(page != MAP_FAILED);
    run();
    _exit(checks_failed ? EXIT_FAILURE : EXIT_SUCCESS);
  }
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child);
  return status;
}

static void handler_before(void) {
  install_host_handler();
  fixture_t fixture = fixture_with(fault_in_callback);
  fault_and_trap_everywhere(&fixture);
  fixture_delete(&fixture);
  fault();
}

TEST(a_handler_from_before_the_engine_gets_the_hosts_faults) {
  CHECK_INT(in_child(handler_before), 0);
}

// It passes on faults that are not its own, as an engine's handler does.
static void handler_after(void) {
  fixture_t fixture = fixture_with(fault_in_callback);
  CHECK_TRAP(call_plain(fixture_func(&fixture, 1)), "out of bounds memory access");
  install_host_handler();
  fault_and_trap_everywhere(&fixture);
  fixture_delete(&fixture);
  fault();
}

TEST(a_handler_from_after_the_engine_gets_the_hosts_faults) {
  CHECK_INT(in_child(handler_after), 0);
}

static void crash_in_host(void) {
  fixture_t fixture = fixture_with(crash_in_callback);
  CHECK_TRAP(call_plain(fixture_func(&fixture, 1)), "out of bounds memory access");
  *(volatile char*)page = 'x';
}

static void crash_in_call(void) {
  fixture_t fixture = fixture_with(crash_in_callback);
  wasm_trap_delete(call_plain(fixture_func(&fixture, 0)));
}

// A fault in the host does not become a trap.
TEST(faults_that_nobody_handles_end_the_process) {
  int status = in_child(crash_in_host);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
  status = in_child(crash_in_call);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}
