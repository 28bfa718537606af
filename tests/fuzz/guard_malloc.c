// An allocator around glibc's that finds what the sanitizers cannot see in code that was not
// compiled for them. Writes beyond the end of a block, even by the library, are found when it is
// freed; new memory is not zero, and freed memory is overwritten.
//
// Not for programs with AddressSanitizer, which has its own allocator.
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void* __libc_memalign(size_t alignment, size_t size);
void __libc_free(void* block);

typedef struct header_t {
  size_t size;
  void* block; // what glibc gave
  uint64_t magic, before;
} header_t;

enum { GUARD = 32, LEAST_ALIGNMENT = 16, NEW_BYTE = 0xa5, FREED_BYTE = 0xdd, GUARD_BYTE = 0xfb };
static const uint64_t LIVING = 0x6c6976696e672121, FREED = 0x6672656564212121;

static _Noreturn void die(const char* message) {
  ssize_t written = write(STDERR_FILENO, message, strlen(message));
  (void)written;
  abort();
}

static void* allocate(size_t alignment, size_t size, bool zeroed) {
  if (alignment < LEAST_ALIGNMENT) alignment = LEAST_ALIGNMENT;
  size_t before = (sizeof(header_t) + alignment - 1) / alignment * alignment;
  size_t whole;
  if (__builtin_add_overflow(size, before + GUARD, &whole)) whole = PTRDIFF_MAX;
  void* block = __libc_memalign(alignment, whole);
  if (!block) {
    errno = ENOMEM;
    return NULL;
  }
  uint8_t* data = (uint8_t*)block + before;
  header_t* header = (header_t*)data - 1;
  *header = (header_t){size, block, LIVING, LIVING};
  memset(data, zeroed ? 0 : NEW_BYTE, size);
  memset(data + size, GUARD_BYTE, GUARD);
  return data;
}

void* malloc(size_t size) {
  return allocate(0, size, false);
}

void* calloc(size_t count, size_t size) {
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes)) bytes = PTRDIFF_MAX;
  return allocate(0, bytes, true);
}

void* aligned_alloc(size_t alignment, size_t size) {
  return allocate(alignment, size, false);
}

void* memalign(size_t alignment, size_t size);
void* memalign(size_t alignment, size_t size) {
  return allocate(alignment, size, false);
}

int posix_memalign(void** out, size_t alignment, size_t size) {
  void* data = allocate(alignment, size, false);
  if (!data) return ENOMEM;
  *out = data;
  return 0;
}

static header_t* check(void* data) {
  header_t* header = (header_t*)data - 1;
  if (header->magic == FREED) die("guard: a block is freed twice\n");
  if (header->magic != LIVING || header->before != LIVING)
    die("guard: something wrote before a block, or what is freed is none\n");
  const uint8_t* end = (const uint8_t*)data + header->size;
  for (size_t i = 0; i < GUARD; i++)
    if (end[i] != GUARD_BYTE) die("guard: something wrote beyond the end of a block\n");
  return header;
}

void free(void* data) {
  if (!data) return;
  header_t* header = check(data);
  void* block = header->block;
  memset(data, FREED_BYTE, header->size);
  header->magic = FREED;
  __libc_free(block);
}

void* realloc(void* data, size_t size) {
  if (!data) return malloc(size);
  size_t former = check(data)->size;
  void* moved = malloc(size);
  if (!moved) return NULL;
  memcpy(moved, data, former < size ? former : size);
  free(data);
  return moved;
}

size_t malloc_usable_size(void* data);
size_t malloc_usable_size(void* data) {
  return data ? check(data)->size : 0;
}
