// The numbers that wasmer has for instructions.

#include <stdint.h>

// Of those with the prefix 0xfd, by what follows it; -1 for none.
static const int16_t simd_operators[] = {
    // clang-format off
    277, 490, 491, 492, 493, 494, 495, 456, 457, 458, 460, 278, 279, -1, 454, 280, 284, 288, 291,
    294, 297, 281, 282, 283, 285, 286, 287, 289, 290, 292, 293, 295, 296, 298, 299, 300, 301, 302,
    303, 304, 305, 306, 307, 308, 309, 310, 311, 312, 313, 314, 315, 316, 317, 318, 319, 320, 321,
    322, 323, 324, 325, 326, 327, 328, 329, 336, 337, 338, 339, 340, 341, 342, 343, 344, 345, 346,
    347, 348, 349, 350, 351, 352, 353, 354, 496, 497, 498, 499, 500, 501, 502, 503, 459, 461, 507,
    508, 355, 356, 372, 357, 358, 462, 463, 420, 421, 422, 423, 359, 360, 361, 362, 363, 364, 365,
    366, 367, 424, 425, 368, 369, 370, 371, 426, 504, 391, 392, 408, 409, 373, 374, 506, 375, 376,
    464, 465, 466, 467, 468, 469, 377, 378, 379, 380, 381, 382, 383, 384, 385, 427, 386, 387, 388,
    389, 390, -1, 505, 478, 479, 480, 481, 393, 394, -1, 395, 396, -1, -1, 470, 471, 472, 473,
    397, 398, 399, 400, -1, -1, 401, -1, -1, -1, 402, 403, 404, 405, 406, 407, -1, 482, 483, 484,
    485, 410, 411, -1, 412, 413, -1, -1, 474, 475, 476, 477, 414, 415, 416, 417, -1, -1, 418, -1,
    -1, -1, 419, 330, 331, 332, 333, 334, 335, 486, 487, 488, 489, 428, 429, -1, 430, 431, 432,
    433, 434, 435, 436, 437, 438, 439, 440, -1, 441, 442, 443, 444, 445, 446, 447, 448, 449, 450,
    451, 452, 453, 511, 512, 509, 510, 513, 514, 515, 516, 517, 518, 519, 520, 521, 522, 523, 524,
    525, 526, 527, 528, 529, 530, 531, 532
    // clang-format on
};

// The others, where they go up together. Opcodes are those of `wasmrt_cost_callback_t`.
static const struct {
  uint32_t first, last;
  int16_t number;
} operator_ranges[] = {
    {0x00, 0x07, 0},           // unreachable to catch
    {0x08, 0x09, 10},          // throw, rethrow
    {0x0b, 0x13, 13},          // end to return_call_indirect
    {0x18, 0x18, 9},           // delegate
    {0x19, 0x19, 8},           // catch_all
    {0x1a, 0x1c, 22},          // drop, select
    {0x20, 0x24, 25},          // local.get to global.set
    {0x25, 0x26, 206},         // table.get, table.set
    {0x28, 0x40, 30},          // i32.load to memory.grow
    {0x41, 0x44, 55},          // i32.const to f64.const
    {0x45, 0xc4, 62},          // i32.eqz to i64.extend32_s
    {0xd0, 0xd2, 59},          // ref.null, ref.is_null, ref.func
    {0xfc0000, 0xfc000e, 190}, // i32.trunc_sat_f32_s to table.copy
    {0xfc000f, 0xfc0010, 208}, // table.grow, table.size
    {0xfc0011, 0xfc0011, 205}, // table.fill
    {0xfe0000, 0xfe0003, 210}, // memory.atomic.notify to atomic.fence
    {0xfe0010, 0xfe004e, 214}, // i32.atomic.load to i64.atomic.rmw32.cmpxchg_u
};

// Returns an instruction's number, or -1 if it has none.
static int operator_of(uint32_t opcode) {
  enum { SIMD = 0xfd0000, SIMD_COUNT = sizeof simd_operators / sizeof *simd_operators };
  if (opcode >= SIMD && opcode < SIMD + SIMD_COUNT) return simd_operators[opcode - SIMD];
  for (size_t i = 0; i < sizeof operator_ranges / sizeof *operator_ranges; i++) {
    if (opcode >= operator_ranges[i].first && opcode <= operator_ranges[i].last)
      return operator_ranges[i].number + (int)(opcode - operator_ranges[i].first);
  }
  return -1;
}
